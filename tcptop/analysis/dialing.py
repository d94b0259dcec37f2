"""Connects that have no answer yet: where to, whose, and since when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from itertools import islice

import numpy as np

from tcptop.analysis.timeouts import ENDLESS, RTO_INIT_S
from tcptop.model import tcp
from tcptop.model.arrays import row_hash, rows_by_key, sorted_unique
from tcptop.model.dataclass import dataclass
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.route import RouteKey, route_key
from tcptop.model.sample import Process
from tcptop.model.snapshot import Snapshot
from tcptop.model.table import F64, Index, SocketTable

MOST, PLACES, HOLDERS = 5000, 50, 8  # sockets that are followed; places; processes of each
WHERE = ("netns", "interface", "remote_hi", "remote_lo", "remote_port")


class Callee(NamedTuple):
    """A destination, as its columns have it."""

    netns: int
    interface: int
    remote_hi: int
    remote_lo: int
    remote_port: int


class Calls(NamedTuple):
    """Connects to one place in one interval, as far as they were seen in SYN_SENT.

    `ended` are not there any more and never were anything else; `slow` of these had waited for
    calls.SLOW_S when last seen, the longest of all for `longest_s`. `opened` got their answer, or
    were open when first seen; `heard` are older connections there of which something came.
    """

    route: RouteKey | None = None  # of one of them
    processes: tuple[Process, ...] = ()
    tried: int = 0
    waiting: int = 0
    ended: int = 0
    slow: int = 0
    longest_s: float = 0.0
    opened: int = 0
    heard: int = 0

    def then(self, after: Calls) -> Calls:
        """Two intervals as one."""
        every = dict.fromkeys((*after.processes, *self.processes))
        return Calls(
            after.route or self.route,
            tuple(every)[:HOLDERS],
            self.tried + after.tried,
            after.waiting,
            self.ended + after.ended,
            self.slow + after.slow,
            max(self.longest_s, after.longest_s),
            self.opened + after.opened,
            max(self.heard, after.heard),
        )


CallsByCallee = Mapping[Callee, Calls]


@dataclass(frozen=True, eq=False, slots=True)
class Dialing:
    """Rows of a sample that are in SYN_SENT, how long each has been, and which of `places` it
    calls; `calls` has those who call."""

    row: Index = field(default_factory=lambda: np.zeros(0, np.int64))
    age_s: F64 = field(default_factory=lambda: np.zeros(0))
    at: Index = field(default_factory=lambda: np.zeros(0, np.int64))
    places: tuple[Callee, ...] = ()
    calls: tuple[Calls, ...] = ()


def dialing(snapshot: Snapshot) -> Dialing:
    """Those of the places that most call."""
    table = snapshot.sample.sockets
    rows = np.flatnonzero(table.state == tcp.SYN_SENT)[:MOST]
    if not len(rows):
        return Dialing()
    keys = row_hash(*(getattr(table, name)[rows] for name in WHERE))
    groups = list(islice(rows_by_key(rows, keys), PLACES))
    row = np.concatenate(groups)
    return Dialing(
        row,
        waiting_s(snapshot, row),
        np.repeat(np.arange(len(groups)), [len(group) for group in groups]),
        tuple(callee(table, int(group[0])) for group in groups),
        tuple(_callers(snapshot, group) for group in groups),
    )


def callee(table: SocketTable, row: int) -> Callee:
    return Callee(*(int(getattr(table, name)[row]) for name in WHERE))


def _callers(snapshot: Snapshot, rows: Index) -> Calls:
    first = sorted_unique(snapshot.holders.first(rows))
    held = snapshot.holders.at(first[first >= 0][:HOLDERS])
    return Calls(
        route_key(snapshot.sample.sockets, int(rows[0])),
        tuple(process for process in held if process is not None),
    )


def waiting_s(snapshot: Snapshot, rows: Index) -> F64:
    """Of SYN_SENT rows, seconds at least, from one sample.

    The timeouts that ran out, and what has passed of the present one. tcp_info tells how many of
    them doubled: the first ones do not since 6.5 (tcp_retransmit_timer, net/ipv4/tcp_timer.c).
    """
    table = snapshot.sample.sockets
    known = table.info_size[rows] > 0
    again = table.retrans[rows].astype(np.float64)
    doubled = np.where(known, table.tcp_info("backoff")[rows], 0).astype(np.float64)
    doubled = np.minimum(doubled, again)
    timeout = np.where(known, table.tcp_info("rto")[rows] / 1e6, RTO_INIT_S)
    first = timeout / 2**doubled
    expires = np.where(table.expires[rows] < ENDLESS, table.expires[rows] / 1000, 0.0)
    spent = (again - doubled) * first + (2**doubled - 1) * first
    age = spent + np.maximum(timeout - expires, 0.0)
    timed = table.timer[rows] == tcp.RETRANSMIT
    waited: F64 = np.fmax(np.where(timed, age, 0.0), snapshot.durations.state_s[rows])
    return waited
