"""Half-open connections: how many a listener holds, and what becomes of further SYNs."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tcptop.analysis.findings.observations import Observations
from tcptop.model import tcp
from tcptop.model.arrays import row_hash
from tcptop.model.table import F64, Index

COOKIES = "net.ipv4.tcp_syncookies"
MAX_SYN_BACKLOG = "net.ipv4.tcp_max_syn_backlog"


class Answer(NamedTuple):
    """SYNs a second that met a full SYN queue, and were answered with a cookie or dropped."""

    cookies_per_s: float
    dropped_per_s: float


def answer(seen: Observations, netns: int, seconds: float) -> Answer:
    """Over a window; counters of the namespace (tcp_conn_request, net/ipv4/tcp_input.c)."""

    def rate(name: str) -> float:
        return seen.rate(netns, name, seconds) or 0.0

    dropped = rate("TCPReqQFullDrop")
    if seen.sysctl(netns, COOKIES) == 0:
        # Being near tcp_max_syn_backlog drops too, and has no counter of its own.
        dropped = max(dropped, rate("ListenDrops") - rate("ListenOverflows"))
    return Answer(rate("TCPReqQFullDoCookies"), dropped)


def limit(seen: Observations, row: int) -> int:
    """How many half-open connections a listener holds: its backlog and one more.

    Without cookies at most 3/4 of tcp_max_syn_backlog and one more, of peers that are not known.
    """
    netns, own = int(seen.table.netns[row]), int(seen.table.send_q[row]) + 1
    most = seen.sysctl(netns, MAX_SYN_BACKLOG)
    if most is None or seen.sysctl(netns, COOKIES) != 0:
        return own
    return min(own, most - most // 4 + 1)


def half_open(seen: Observations, listeners: Index | None = None) -> Index:
    """All half-open connections, or those of these LISTEN rows."""
    rows: Index = np.flatnonzero(seen.table.state == tcp.SYN_RECV)
    if listeners is not None:
        rows = rows[np.isin(seen.snapshot.queue[rows], listeners)]
    return rows


def age_s(seen: Observations, rows: Index) -> F64:
    """How old each is: the wait for a SYN-ACK's answer begins with 1 s, and doubles."""
    wait = 2.0 ** seen.table.retrans[rows].astype(np.float64)
    left = seen.table.expires[rows] / 1000
    age: F64 = wait - 1 + np.maximum(wait - left, 0.0)
    return age


def remotes(seen: Observations, rows: Index) -> int:
    """From how many addresses they come."""
    table = seen.table
    columns = (table.interface, table.remote_hi, table.remote_lo)
    return len(np.unique(row_hash(*(column[rows] for column in columns))))
