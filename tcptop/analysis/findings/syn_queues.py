"""Half-open connections: how many a listener holds, and what becomes of further SYNs."""

from __future__ import annotations

import numpy as np

from tcptop.analysis.findings import words
from tcptop.analysis.findings.observations import Observations
from tcptop.model import tcp
from tcptop.model.arrays import row_hash, rows_by_key, sorted_unique
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.table import F64, U64, Index

COOKIES = "net.ipv4.tcp_syncookies"
MAX_SYN_BACKLOG = "net.ipv4.tcp_max_syn_backlog"
# When a client repeats its SYN, at the earliest: tcp_syn_linear_timeouts is 4 since 6.5.
SYNS_S = np.array([0.0, 1, 2, 3, 4, 5, 7, 11, 19, 35, 67])
SYNACK_RETRIES, USUAL_RETRIES = "net.ipv4.tcp_synack_retries", 5


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
    """How old each is: as it was watched, else at least that and what its retransmissions tell."""
    durations, witnessed = seen.snapshot.durations.state_s[rows], seen.snapshot.age_s[rows]
    told = np.fmax(_told_s(seen, rows), durations)
    age: F64 = np.where(np.isnan(witnessed), told, witnessed)
    return age


def _told_s(seen: Observations, rows: Index) -> F64:
    """The wait for a SYN-ACK's answer begins with 1 s, and doubles. A client that sends its SYN
    again is sent the SYN-ACK again too, and the wait begins anew (tcp_check_req,
    net/ipv4/tcp_minisocks.c): then there are more than there can be timeouts."""
    again = seen.table.retrans[rows].astype(np.float64)
    wait = 2.0**again
    left = seen.table.expires[rows] / 1000
    age = wait - 1 + np.maximum(wait - left, 0.0)
    netns = sorted_unique(seen.table.netns[rows]).tolist()
    most = [seen.sysctl(each, SYNACK_RETRIES) or USUAL_RETRIES for each in netns]
    repeated = again > max(most, default=USUAL_RETRIES)
    if repeated.any():
        senders = _senders(seen, rows)
        age = np.where(np.isin(senders, senders[repeated]), _least_s(again), age)
    return age


def _least_s(again: F64) -> F64:
    """So many SYN-ACKs in the shortest time: some by timeouts, the others for SYNs that came again
    as soon as Linux sends them."""
    timeouts = np.arange(8.0)
    asked = np.clip(again[:, None] - timeouts, 0, len(SYNS_S) - 1).astype(np.int64)
    least: F64 = np.maximum(2.0**timeouts - 1, SYNS_S[asked]).min(axis=1)
    return least


def _senders(seen: Observations, rows: Index) -> U64:
    table = seen.table
    columns = (table.netns, table.interface, table.remote_hi, table.remote_lo)
    return row_hash(*(column[rows] for column in columns))


def sender(seen: Observations, rows: Index) -> str:
    """The address that most of them come from; empty where there is none."""
    if not len(rows):
        return ""
    most = next(rows_by_key(rows, _senders(seen, rows)))
    return words.remote_address(seen.sample, int(most[0])) if 2 * len(most) > len(rows) else ""


def senders(seen: Observations, rows: Index) -> str:
    """17 addresses, most from 10.0.0.7; 10.0.0.7"""
    number, one = remotes(seen, rows), sender(seen, rows)
    if number == 1:
        return one
    return words.count(number, "address", "addresses") + (f" (most from {one})" if one else "")


def remotes(seen: Observations, rows: Index) -> int:
    """From how many addresses they come."""
    table = seen.table
    columns = (table.interface, table.remote_hi, table.remote_lo)
    return len(sorted_unique(row_hash(*(column[rows] for column in columns))))
