"""What the rings record of a snapshot, kind by kind. Rows go by the keys of the lists."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcptop.analysis import identity
from tcptop.model import tcp
from tcptop.model.arrays import nan_as_zero
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.selection import Selection
from tcptop.model.snapshot import Snapshot
from tcptop.model.table import F64, U32, U64, Index

SHORTLIST = 512  # of so many the keys are made: of 100,000 they would take longer than all else
STATES = tuple(name.lower() for name in tcp.STATES[1:])

# name -> counters of the kernel that it adds up, over all namespaces that were looked at
COUNTED = {
    "active_opens_per_s": ("Tcp", "ActiveOpens"),
    "passive_opens_per_s": ("Tcp", "PassiveOpens"),
    "retransmits_per_s": ("Tcp", "RetransSegs"),
    "segments_sent_per_s": ("Tcp", "OutSegs"),
    "segments_received_per_s": ("Tcp", "InSegs"),
    "resets_sent_per_s": ("Tcp", "OutRsts"),
    "connections_reset_per_s": ("Tcp", "EstabResets"),
    "listen_drops_per_s": ("TcpExt", "ListenDrops"),
    "listen_overflows_per_s": ("TcpExt", "ListenOverflows"),
}
HOST = (
    *("sockets", *STATES, *COUNTED, "opens_per_s", "closes_per_s", "retransmitted_share"),
    *("bytes_sent_per_s", "bytes_received_per_s"),
)
# SYNs that nobody answers are another trouble; the others the peer had already (RFC 2883).
NOT_REPEATED = ("TCPSynRetrans", "TCPDSACKRecv")
OPEN = (tcp.ESTABLISHED, tcp.SYN_SENT, tcp.CLOSE_WAIT)  # opened, and not closed by this host yet
PROCESS = (
    *("sockets", "close_wait", "recv_q", "send_q", "bytes_sent_per_s", "bytes_received_per_s"),
    *("retransmits_per_s", "open_fds"),
)
LISTENER = ("queue", "peak", "backlog", "syn_queue", "drops_per_s")
DESTINATION = ("used", "time_wait", "headroom", "opens_per_s")
REMOTE = ("sockets", "recv_q", "send_q", "retransmits_per_s", "rtt_us")
NAMESPACE = (
    *("sockets", "recv_q", "send_q", "established", "time_wait", "opens_per_s"),
    *("retransmits_per_s",),
)
INFO = {"rtt_us": "rtt", "cwnd": "snd_cwnd", "unacked": "unacked", "snd_wnd": "snd_wnd"}
SOCKET = (
    *("recv_q", "send_q", "bytes_sent_per_s", "bytes_received_per_s", "retransmits_per_s"),
    *INFO,
)


class Recorded(NamedTuple):
    """m subjects; `weights` say who is the busiest, `values` are (m, metrics).

    `netns` is where each is, of those whose keys may be others' in a namespace that comes later.
    """

    keys: U64
    weights: F64
    values: F64
    netns: U32 | None = None


class RecordedKind(NamedTuple):
    metrics: tuple[str, ...]
    seats: int
    record: Callable[[Selection], Recorded]


def busiest(weights: F64) -> Index:
    """The rows of the largest weights; of equal ones those that come first."""
    rows = len(weights)
    if rows <= SHORTLIST:
        return np.arange(rows)
    distinct = weights - np.arange(rows) / rows
    return np.sort(np.argpartition(distinct, rows - SHORTLIST)[-SHORTLIST:])


def _table(*columns: NDArray[Any]) -> F64:
    return np.stack(columns, axis=1).astype(np.float64)


def _plain(found: object, names: Iterable[str], rows: Index) -> list[NDArray[Any]]:
    return [getattr(found, name)[rows] for name in names]


def host(selection: Selection) -> Recorded:
    """What `host_values` says, of the one host."""
    values = [*host_values(selection.snapshot).values()]
    return Recorded(np.zeros(1, np.uint64), np.ones(1), np.array([values], np.float64))


@lru_cache(maxsize=2)
def host_values(snapshot: Snapshot) -> Mapping[str, float]:
    """The metrics of `HOST`, NaN where one is not known."""
    totals = snapshot.totals
    counted = [_counted(snapshot, *where) for where in COUNTED.values()]
    lived = [_opens(snapshot), _closes(snapshot), _retransmitted(snapshot)]
    moved = [_sum(snapshot.bytes_sent_per_s), _sum(snapshot.bytes_received_per_s)]
    values = [totals.sockets, *totals.by_state[1:], *counted, *lived, *moved]
    return dict(zip(HOST, values, strict=True))


def _opens(snapshot: Snapshot) -> float:
    return _counted(snapshot, "Tcp", "ActiveOpens") + _counted(snapshot, "Tcp", "PassiveOpens")


def _closes(snapshot: Snapshot) -> float:
    """No counter has them: what was opened and is not open any more was closed, or failed."""
    clock, changes = snapshot.trend.clock, snapshot.changes
    if len(clock) < 2:
        return np.nan
    here = list(OPEN)
    grown = int(changes[:, here].sum() - changes[here].sum()) / float(clock[-1] - clock[-2])
    return float(np.maximum(_opens(snapshot) - grown, 0.0))


def _retransmitted(snapshot: Snapshot) -> float:
    """As the finding retransmission-rate counts it; unknown where nothing was sent."""
    sent, repeated = _counted(snapshot, "Tcp", "OutSegs"), _counted(snapshot, "Tcp", "RetransSegs")
    others = (_counted(snapshot, "TcpExt", name) for name in NOT_REPEATED)
    handshakes, needless = (0.0 if np.isnan(rate) else rate for rate in others)
    every = sent + max(repeated - handshakes, 0.0)  # OutSegs leaves out what is sent again
    return max(repeated - handshakes - needless, 0.0) / every if every > 0 else np.nan


def _counted(snapshot: Snapshot, section: str, name: str) -> float:
    rates = [each.get(section, {}).get(name) for each in snapshot.kernel_rates.values()]
    known = [rate for rate in rates if rate is not None]
    return sum(known) if known else np.nan


def _sum(rates: F64) -> float:
    """Of the known ones; fmax passes over NaN many times faster than a mask does."""
    return np.nan if np.isnan(rates).all() else float(np.fmax(rates, 0).sum())


def of_processes(selection: Selection) -> Recorded:
    found = selection.snapshot.processes
    weights = found.sockets.astype(np.float64)
    rows = busiest(weights)
    close_wait = found.by_state[rows, tcp.CLOSE_WAIT]
    held = selection.snapshot.holders.at(found.process[rows])
    fds = np.array([p.open_fds if p else None for p in held], np.float64)  # None becomes NaN
    values = _table(found.sockets[rows], close_wait, *_plain(found, PROCESS[2:-1], rows), fds)
    keys = identity.process_keys(selection, rows)
    return Recorded(keys, weights[rows], values, found.netns[rows])


def of_listeners(selection: Selection) -> Recorded:
    """`peak` is the longest queue since the sample before, not since start."""
    found, sample = selection.snapshot.listeners, selection.snapshot.sample
    queue = sample.sockets.recv_q[found.row].astype(np.int64)
    weights = nan_as_zero(found.drops_per_s) + queue + found.syn_queue
    rows = busiest(weights)
    keys, waiting = identity.listener_keys(selection, rows), queue[rows]
    peak = np.maximum(waiting, sample.peaks.of(keys))
    backlog = sample.sockets.backlog(sample.backlog_told, found.row[rows])
    values = _table(waiting, peak, backlog, *_plain(found, LISTENER[3:], rows))
    return Recorded(keys, weights[rows], values)


def of_ports(selection: Selection) -> Recorded:
    found = selection.snapshot.ports
    weights = found.used.astype(np.float64)
    rows = busiest(weights)
    values = _table(*_plain(found, DESTINATION, rows))
    keys = identity.port_keys(selection, rows)
    return Recorded(keys, weights[rows], values, found.netns[rows])


def of_remotes(selection: Selection) -> Recorded:
    """By address, whatever the list shows."""
    found = selection.snapshot.remotes
    weights = found.sockets.astype(np.float64)
    rows = busiest(weights)
    keys, values = identity.remote_keys(selection, rows), _table(*_plain(found, REMOTE, rows))
    return Recorded(keys, weights[rows], values, found.netns[rows])


def of_namespaces(selection: Selection) -> Recorded:
    """Rates by the counters of each."""
    found, rates = selection.snapshot.namespaces, selection.snapshot.kernel_rates
    weights = found.sockets.astype(np.float64)
    rows = busiest(weights)
    told = [rates.get(netns, {}).get("Tcp", {}) for netns in found.netns[rows].tolist()]
    sums = [
        np.array([sum(each.get(name, np.nan) for name in names) for each in told], np.float64)
        for names in (("ActiveOpens", "PassiveOpens"), ("RetransSegs",))
    ]
    states = [found.by_state[rows, state] for state in (tcp.ESTABLISHED, tcp.TIME_WAIT)]
    values = _table(*_plain(found, NAMESPACE[:3], rows), *states, *sums)
    keys = identity.namespace_keys(selection, rows)
    return Recorded(keys, weights[rows], values, found.netns[rows])


def of_sockets(snapshot: Snapshot, keys: Sequence[int]) -> Recorded:
    """Of those sockets that are there."""
    if not keys:
        return Recorded(np.zeros(0, np.uint64), np.zeros(0), np.zeros((0, len(SOCKET))))
    table = snapshot.sample.sockets
    every = table.key
    found = [np.flatnonzero(every == np.uint64(key))[:1] for key in keys]
    rows = np.concatenate([np.zeros(0, np.int64), *found])
    queues = _plain(table, SOCKET[:2], rows)
    rates = _plain(snapshot, SOCKET[2:5], rows)
    few = table.take(rows)
    info = [few.info_of(name) for name in INFO.values()]
    return Recorded(every[rows], np.ones(len(rows)), _table(*queues, *rates, *info))


OF_HOST = RecordedKind(HOST, 1, host)
OF_PROCESSES = RecordedKind(PROCESS, 256, of_processes)
OF_LISTENERS = RecordedKind(LISTENER, 256, of_listeners)
OF_PORTS = RecordedKind(DESTINATION, 256, of_ports)
OF_REMOTES = RecordedKind(REMOTE, 256, of_remotes)
OF_NAMESPACES = RecordedKind(NAMESPACE, 64, of_namespaces)
