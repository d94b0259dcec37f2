"""Connections that something on the path or at its ends holds back, with the proof of each kind.

A sender whose window is the limit moves one window in each round trip, and no more. Of a window
that moves the other end's program may be the limit, so it has to stand still (`analysis/pace`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from tcptop.analysis.findings.groups import ConnectionGroup, grouped
from tcptop.analysis.findings.observations import PATIENCE, Observations
from tcptop.analysis.pace import FILLED_SHARE
from tcptop.analysis.peers import peer_rows
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.pace import (
    ACKED,
    BUSY,
    FILLED,
    HOLES,
    IN,
    KINDS,
    LATE,
    OUT,
    OWN_WINDOW,
    PEER_WINDOW,
    RECEIVED,
    SEND_BUFFER,
    SMALL_IN,
    Paces,
)
from tcptop.model.sysctls import numbers
from tcptop.model.table import F64, Bools, Index

LEAST_USED, MOST_USED = 0.75, 1.25  # of the window, in the shortest round trip
LEAST_REFILLED = 0.35  # of a send buffer, which counts what the kernel needs for itself too
LEAST_READ = 0.6  # where it is known what keeps the window as it is
STILL = 0.5  # of the looks that showed the window as large as it was at most
# Each that is lost on a long way makes all late that come in the same round trip.
LATE_SHARE = 0.05
UNREAD = "unread"  # whether the process has set it
SCALING = 4  # TCPI_OPT_WSCALE, include/uapi/linux/tcp.h
INCOMING = (OWN_WINDOW, SMALL_IN, HOLES)


class Slow(NamedTuple):
    """Connections of one place that are held back in one way; `at` are their places in `paces`,
    `fastest` that of the one that moves most."""

    kind: int
    group: ConnectionGroup
    at: Index
    fastest: int
    per_s: F64  # bytes, of each
    seconds: F64  # since when it was seen so

    @property
    def rate(self) -> float:
        return float(self.per_s.max())

    @property
    def row(self) -> int:
        """The fastest, in the table."""
        return int(self.group.rows[self.per_s.argmax()])


def found(seen: Observations, lasting_s: float) -> Iterator[Slow]:
    here = seen.snapshot.paces
    if not len(here):
        return
    for kind in range(KINDS):
        at = np.flatnonzero(_lasting(here, kind, lasting_s))
        at = at[~seen.remote_here[here.row[at]]] if len(at) else at
        if len(at):
            at = at[_proven(seen, kind, at)]
            yield from _by_place(seen, kind, at)


def _lasting(here: Paces, kind: int, lasting_s: float) -> Bools:
    lasting: Bools = here.clock - here.since[:, kind] >= lasting_s * PATIENCE
    return lasting


def _by_place(seen: Observations, kind: int, at: Index) -> Iterator[Slow]:
    here = seen.snapshot.paces
    order = at[np.argsort(here.row[at])]
    rows = here.row[order]
    for group in grouped(seen, rows, by_process=False):
        mine = order[np.searchsorted(rows, group.rows)]
        per_s = rate(here, kind, mine)
        seconds = here.clock - here.since[mine, kind]
        yield Slow(kind, group, mine, int(mine[per_s.argmax()]), per_s, seconds)


def rate(here: Paces, kind: int, at: Index) -> F64:
    """Bytes a second since it is so."""
    moved = here.grown(kind)[at, RECEIVED if kind in INCOMING else ACKED]
    per_s: F64 = moved / np.maximum(here.clock - here.since[at, kind], 1e-3)
    return per_s


def segments(here: Paces, kind: int, at: int) -> float:
    """The same of segments."""
    moved = here.grown(kind)[at, IN if kind in INCOMING else OUT]
    return float(moved / max(here.clock - here.since[at, kind], 1e-3))


def unscaled(seen: Observations, rows: Index) -> Bools:
    """The two ends have not agreed on window scaling."""
    without: Bools = seen.table.tcp_info("options")[rows] & SCALING == 0
    return without


def _proven(seen: Observations, kind: int, at: Index) -> Bools:
    here = seen.snapshot.paces
    rows, often = here.row[at], here.hits[at, kind] / here.looks[at, kind]
    moved = rate(here, kind, at) * seen.table.info_of("min_rtt", rows) / 1e6
    window, proven = here.high[at, kind], np.ones(len(at), bool)
    if kind == PEER_WINDOW:
        tiny = window < seen.table.info_of("snd_mss", rows)
        proven = _used(moved, window, np.where(tiny, 0.0, LEAST_USED)) & (often >= STILL)
        proven &= ~_unread(seen, rows, window)
    elif kind == OWN_WINDOW:
        proven = _used(moved, window, LEAST_READ) & (often >= STILL)
        proven &= _each(own_reason, seen, rows)
    elif kind == SEND_BUFFER:
        refilled = _used(moved, window, LEAST_REFILLED)
        proven = (refilled | (_filled(here, at) >= FILLED_SHARE)) & _each(send_reason, seen, rows)
    elif kind == HOLES:
        grown = here.grown(HOLES)[at]
        proven = grown[:, LATE] >= LATE_SHARE * grown[:, IN]
    return proven


def one_buffer(seen: Observations, slow: Slow) -> bool:
    """Whether it moves about its send buffer in each round trip, as its size has it."""
    window = seen.snapshot.paces.high[slow.fastest : slow.fastest + 1, slow.kind]
    trip = seen.table.info_of("min_rtt", np.array([slow.row])) / 1e6
    return bool(_used(slow.rate * trip, window, LEAST_REFILLED)[0])


def filled_share(seen: Observations, slow: Slow) -> float:
    """Of the time that it was busy, what the send buffer held it back; of the fastest."""
    return float(_filled(seen.snapshot.paces, np.array([slow.fastest]))[0])


def _filled(here: Paces, at: Index) -> F64:
    grown = here.grown(SEND_BUFFER)[at]
    share: F64 = grown[:, FILLED] / np.maximum(grown[:, BUSY], 1)
    return share


def _used(moved: F64, window: F64, least: F64 | float) -> Bools:
    used: Bools = (moved >= least * window) & (moved <= MOST_USED * window)
    return used


def _unread(seen: Observations, rows: Index, window: F64) -> Bools:
    """The other end is here, and its program leaves much unread: that is the limit."""
    peer = peer_rows(seen.table, rows)
    unread: Bools = (peer >= 0) & (seen.table.recv_q[peer] > window / 4)
    return unread


def _each(reason: Callable[[Observations, int], str], seen: Observations, rows: Index) -> Bools:
    return np.array([bool(reason(seen, row)) for row in rows.tolist()], bool)


def own_reason(seen: Observations, row: int) -> str:
    """What keeps this host's receive window as it is; empty where nothing known does."""
    table, netns = seen.table, int(seen.table.netns[row])
    if unscaled(seen, np.array([row]))[0]:
        return "scaling"
    options = seen.options(row)
    if options is not None and options.rcvbuf_locked:
        return "SO_RCVBUF"
    if seen.sysctl(netns, "net.ipv4.tcp_moderate_rcvbuf") == 0:
        return "net.ipv4.tcp_moderate_rcvbuf"
    most = _most(seen, netns, "net.ipv4.tcp_rmem")
    buffer = int(table.memory_of("rcvbuf")[row])
    if most and 0.95 * most <= buffer:
        return "net.ipv4.tcp_rmem"
    return UNREAD if options is not None and options.why_not else ""


def send_reason(seen: Observations, row: int) -> str:
    """The same of its send buffer."""
    options = seen.options(row)
    if options is not None and options.sndbuf_locked:
        return "SO_SNDBUF"
    most = _most(seen, int(seen.table.netns[row]), "net.ipv4.tcp_wmem")
    buffer = int(seen.table.memory_of("sndbuf")[row])
    if most and 0.95 * most <= buffer:
        return "net.ipv4.tcp_wmem"
    return UNREAD if options is not None and options.why_not else ""


def _most(seen: Observations, netns: int, name: str) -> int:
    """The third of three numbers; 0 where it is not known."""
    found = numbers(seen.sample.kernel_of(netns).sysctls, name)
    return found[2] if len(found) == 3 else 0


def in_use(seen: Observations, slow: Slow) -> int:
    """Connections of the same place that move data now, those that are held back included."""
    table, row = seen.table, int(slow.group.rows[0])
    same = (table.netns == table.netns[row]) & (table.local_port == table.local_port[row])
    came = table.since_s("last_data_recv") < 1.0 if slow.kind in INCOMING else table.send_q > 0
    using = np.flatnonzero(same & came & seen.accepted)
    return len(np.union1d(using, slow.group.rows))
