"""Sockets gathered by process and by remote address."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcptop.model import owner, tcp
from tcptop.model.arrays import distinct, paired, row_hash, sorted_unique
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.snapshot import Holders, NamespaceTotals, Processes, Remotes
from tcptop.model.table import F64, I64, U8, U16, U32, U64, Bools, Index, SocketTable
from tcptop.model.unchanged import while_same


class SocketRates:
    """Per-socket rates, NaN where unknown: bytes a second sent and received, retransmits."""

    __slots__ = ("received", "retransmits", "sent")

    def __init__(self, sent: F64, received: F64, retransmits: F64) -> None:
        self.sent, self.received, self.retransmits = sent, received, retransmits


def processes(
    table: SocketTable, holders: Holders, kinds: U8, rates: SocketRates, selected: Bools
) -> Processes:
    """Selected sockets by (process, namespace); those without a process by kind and namespace.

    A socket of several processes counts for each of them, and in `shared`.
    """
    by, process = _by_process(
        holders.start, holders.row, holders.process, kinds, table.netns, selected
    )
    none = np.full(len(process), -1, np.int64)
    members = (process >= 0).astype(np.int64)
    return _counted(table, holders, kinds, rates, by, process, members, none)


@while_same()
def _by_process(
    start: Index, held: Index, holder: Index, kinds: U8, netns: U32, selected: Bools
) -> tuple[_Grouped, Index]:
    """Every selected socket with each of its processes, and the process of each group; -1 where it
    has none."""
    alone = np.flatnonzero((np.diff(start) == 0) & selected)
    mine = selected[held]
    row = np.concatenate([held[mine], alone])
    process = np.concatenate([holder[mine], np.full(len(alone), -1, np.int64)])
    by = _grouped(row, row_hash(process + 1, netns[row], np.where(process >= 0, 0, kinds[row])))
    return by, process[by.first]


def by_workload(
    table: SocketTable, holders: Holders, kinds: U8, rates: SocketRates, selected: Bools, of: Index
) -> Processes:
    """Selected sockets by (workload, namespace), each once; `of` says whose each socket is."""
    row = np.flatnonzero(selected)
    by = _grouped(row, row_hash(of[row], table.netns[row]))
    group = np.full(len(table), -1, np.int64)
    group[row] = by.inverse
    entries = np.flatnonzero(selected[holders.row])
    group, process = group[holders.row[entries]], holders.process[entries]
    once = distinct(row_hash(group, process)).first
    group, process = group[once], process[once]
    first = np.full(len(by.first), -1, np.int64)
    np.maximum.at(first, group, process)
    members = np.bincount(group, minlength=len(first))
    return _counted(table, holders, kinds, rates, by, first, members, of[row][by.first])


class _Grouped(NamedTuple):
    """Sockets, some more than once, and the groups they are in: each one's first, each row's."""

    row: Index
    first: Index
    inverse: Index


def _grouped(row: Index, key: U64) -> _Grouped:
    _, first, inverse, _ = distinct(key)
    return _Grouped(row, first, inverse)


def _counted(
    table: SocketTable,
    holders: Holders,
    kinds: U8,
    rates: SocketRates,
    by: _Grouped,
    process: Index,
    members: I64,
    workload: Index,
) -> Processes:
    """`process`, `members` and `workload` have one value a group."""
    row, first, inverse = by
    groups, number = len(first), np.diff(holders.start)
    state = table.state[row]
    queued = state != tcp.LISTEN  # a listener's queues count connections
    alive = np.bincount(inverse[kinds[row] == owner.PROCESS], minlength=groups) > 0
    return Processes(
        process,
        np.where(alive, owner.PROCESS, kinds[row][first]).astype(np.uint8),
        table.netns[row][first],
        np.bincount(inverse, minlength=groups),
        np.bincount(inverse[number[row] > 1], minlength=groups),
        by_state(inverse, groups, state),
        _sum(inverse, groups, table.recv_q[row] * queued),
        _sum(inverse, groups, table.send_q[row] * queued),
        known_sums(inverse, groups, rates.sent[row]),
        known_sums(inverse, groups, rates.received[row]),
        known_sums(inverse, groups, rates.retransmits[row]),
        members,
        workload,
    )


def known_sums(group: Index, groups: int, values: F64) -> F64:
    """Sums of the known (not NaN) values of each group; NaN where none is known."""
    known = ~np.isnan(values)
    if not known.all():
        group, values = group[known], values[known]
    sums = np.bincount(group, values, groups)
    return np.where(np.bincount(group, minlength=groups) > 0, sums, np.nan)


@while_same(kept=4)  # by process, remote end and namespace; and those of a filter
def by_state(group: Index, groups: int, state: U8) -> I64:
    """(groups, 12): rows of each group in each state."""
    cells = np.bincount(group * 12 + state, minlength=groups * 12)
    return cells.reshape(groups, 12).astype(np.int64)


def _sum(group: Index, groups: int, values: NDArray[Any]) -> I64:
    """Mostly nothing waits in most queues."""
    some = np.flatnonzero(values)
    return np.bincount(group[some], values[some], groups).astype(np.int64)


def remotes(table: SocketTable, rates: SocketRates, with_port: bool) -> Remotes:
    """Sockets that have a remote end, by its address or by address and port."""
    by, port, group = _by_remote(
        *(table.netns, table.interface, table.remote_hi, table.remote_lo, table.remote_port),
        table.state != tcp.LISTEN,
        with_port,
    )
    row, inverse, groups, lead = by.row, by.inverse, len(by.first), by.row[by.first]
    return Remotes(
        group,
        table.netns[lead],
        table.remote_hi[lead],
        table.remote_lo[lead],
        port,
        table.interface[lead],
        np.bincount(inverse, minlength=groups),
        by_state(inverse, groups, table.state[row]),
        _sum(inverse, groups, table.recv_q[row]),
        _sum(inverse, groups, table.send_q[row]),
        known_sums(inverse, groups, rates.retransmits[row]),
        _median(inverse, groups, table.rtt_us(row)),
    )


@while_same(kept=2)  # with ports and without
def _by_remote(
    netns: U32, interface: U32, hi: U64, lo: U64, ports: U16, open_: Bools, with_port: bool
) -> tuple[_Grouped, Index, Index]:
    """The groups, the port of each, and the group of each socket, or -1."""
    row = np.flatnonzero(open_ & (ports != 0))
    port = ports[row].astype(np.int64) if with_port else np.full(len(row), -1)
    by = _grouped(row, row_hash(paired(netns[row], interface[row]), hi[row], lo[row], port))
    group = np.full(len(netns), -1, np.int64)
    group[row] = by.inverse
    return by, port[by.first], group


def namespaces(table: SocketTable, rates: SocketRates, known: Iterable[int]) -> NamespaceTotals:
    """Sockets by network namespace, and the `known` ones that have none."""
    inodes, group = _by_namespace(table.netns, tuple(known))
    groups, queued = len(inodes), table.state != tcp.LISTEN  # a listener's count connections
    return NamespaceTotals(
        inodes,
        np.bincount(group, minlength=groups),
        by_state(group, groups, table.state),
        _sum(group, groups, table.recv_q * queued),
        _sum(group, groups, table.send_q * queued),
        known_sums(group, groups, rates.retransmits),
    )


@while_same()
def _by_namespace(netns: U32, known: tuple[int, ...]) -> tuple[U32, Index]:
    """All there are, sorted, and the place of each socket's."""
    runs = np.flatnonzero(np.append(True, netns[1:] != netns[:-1]))[: len(netns)]
    there = netns[runs]
    inodes = sorted_unique(np.append(there, np.array([*known], np.uint32)))
    lengths = np.diff(runs, append=len(netns))
    return inodes, np.repeat(np.searchsorted(inodes, there), lengths)


def _median(group: Index, groups: int, values: F64) -> F64:
    """The (lower) median of the known values of each group, which are whole numbers of 32 bits;
    NaN where none is known."""
    known = ~np.isnan(values)
    group, values = group[known], values[known]
    ordered = np.sort(group << 32 | values.astype(np.int64)) & 0xFFFF_FFFF
    number = np.bincount(group, minlength=groups)
    start = np.cumsum(number) - number
    middle = start + np.maximum(number - 1, 0) // 2
    out = np.full(groups, np.nan)
    some = number > 0
    out[some] = ordered[middle[some]]
    return out
