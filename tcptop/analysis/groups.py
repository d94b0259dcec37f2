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
from tcptop.model.table import F64, I64, U8, U64, Bools, Index, SocketTable


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
    row, process = _pairs(holders, kinds, selected)
    held = process >= 0
    by = _grouped(row, row_hash(process + 1, table.netns[row], np.where(held, 0, kinds[row])))
    first = process[by.first]
    none = np.full(len(first), -1, np.int64)
    return _counted(table, holders, kinds, rates, by, first, (first >= 0).astype(np.int64), none)


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
    queued = np.where(state == tcp.LISTEN, 0, 1)  # a listener's queues count connections
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


def _pairs(holders: Holders, kinds: U8, selected: Bools) -> tuple[Index, Index]:
    """(row, person) of every selected socket and each of its processes, person -1 for none."""
    alone = np.flatnonzero((np.diff(holders.start) == 0) & selected)
    mine = selected[holders.row]
    row = np.concatenate([holders.row[mine], alone])
    process = np.concatenate([holders.process[mine], np.full(len(alone), -1, np.int64)])
    return row, process


def known_sums(group: Index, groups: int, values: F64) -> F64:
    """Sums of the known (not NaN) values of each group; NaN where none is known."""
    known = ~np.isnan(values)
    sums = np.bincount(group[known], values[known], groups)
    return np.where(np.bincount(group[known], minlength=groups) > 0, sums, np.nan)


def by_state(group: Index, groups: int, state: U8) -> I64:
    """(groups, 12): rows of each group in each state."""
    cells = np.bincount(group * 12 + state, minlength=groups * 12)
    return cells.reshape(groups, 12).astype(np.int64)


def _sum(group: Index, groups: int, values: NDArray[Any]) -> I64:
    return np.bincount(group, values, groups).astype(np.int64)


def remotes(table: SocketTable, rates: SocketRates, with_port: bool) -> Remotes:
    """Sockets that have a remote end, by its address or by address and port."""
    row = np.flatnonzero((table.state != tcp.LISTEN) & (table.remote_port != 0))
    port = table.remote_port[row].astype(np.int64) if with_port else np.full(len(row), -1)
    link = paired(table.netns[row], table.interface[row])
    key = row_hash(link, table.remote_hi[row], table.remote_lo[row], port)
    _, first, inverse, _ = distinct(key)
    groups = len(first)
    group = np.full(len(table), -1, np.int64)
    group[row] = inverse
    return Remotes(
        group,
        table.netns[row][first],
        table.remote_hi[row][first],
        table.remote_lo[row][first],
        port[first],
        table.interface[row][first],
        np.bincount(inverse, minlength=groups),
        by_state(inverse, groups, table.state[row]),
        _sum(inverse, groups, table.recv_q[row]),
        _sum(inverse, groups, table.send_q[row]),
        known_sums(inverse, groups, rates.retransmits[row]),
        _median(inverse, groups, table.rtt_us(row)),
    )


def namespaces(table: SocketTable, rates: SocketRates, known: Iterable[int]) -> NamespaceTotals:
    """Sockets by network namespace, and the `known` ones that have none."""
    runs = np.flatnonzero(np.append(True, table.netns[1:] != table.netns[:-1]))[: len(table)]
    there = table.netns[runs]
    inodes = sorted_unique(np.append(there, np.array([*known], np.uint32)))
    lengths = np.diff(runs, append=len(table))
    group, groups = np.repeat(np.searchsorted(inodes, there), lengths), len(inodes)
    queued = np.where(table.state == tcp.LISTEN, 0, 1)  # a listener's queues count connections
    return NamespaceTotals(
        inodes,
        np.bincount(group, minlength=groups),
        by_state(group, groups, table.state),
        _sum(group, groups, table.recv_q * queued),
        _sum(group, groups, table.send_q * queued),
        known_sums(group, groups, rates.retransmits),
    )


def _median(group: Index, groups: int, values: F64) -> F64:
    """The (lower) median of the known values of each group; NaN where none is known."""
    known = ~np.isnan(values)
    group, values = group[known], values[known]
    order = np.lexsort((values, group))
    number = np.bincount(group, minlength=groups)
    start = np.cumsum(number) - number
    middle = start + np.maximum(number - 1, 0) // 2
    out = np.full(groups, np.nan)
    some = number > 0
    out[some] = values[order[middle[some]]]
    return out
