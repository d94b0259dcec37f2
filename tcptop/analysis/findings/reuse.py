"""Kept connections that the other end closes just as they are used again: its idle timeout, or its
host, ends each at the moment of the next request.

The kernel there acknowledges the request, and resets the connection when its program closes it
with that unread (tcp_close, net/ipv4/tcp.c). What has forgotten a connection, or has closed it
before, acknowledges nothing more.
"""

from __future__ import annotations

import numpy as np

from tcptop.analysis.findings.observations import Observations
from tcptop.model import closed as codes
from tcptop.model.arrays import sorted_unique
from tcptop.model.closed import Closed
from tcptop.model.table import F64, Bools, Index

IDLE_S = 1.0  # from which a connection was idle
SOON_S = 1.0  # after what was sent: longer, and it was read, perhaps
ALIKE = 1.1  # the longest of most pauses by the shortest: a timeout
LEFT_OUT = 0.1  # of them, at either end
LEAST = 5
OWN = ("TCPAbortOnClose", "TCPAbortOnData")  # resets of this host
FAREWELL, TWICE = 0.5, 2  # times as long; requests that were answered
HALF = 0.5  # of as many: perhaps it has reset them itself


def reused(seen: Observations, closed: Closed) -> Bools:
    """Those that were reset so, as far as each tells; none where this host resets as many."""
    sent, came = closed.known("data_segs_out") > 0, closed.known("data_segs_in") > 0
    found = closed.opened & (closed.reset == codes.YES) & (closed.first != codes.HERE)
    found &= sent & came & ~lacking(closed) & (paused_s(closed) >= IDLE_S)
    found &= closed.known("last_data_sent") <= SOON_S * 1000
    for netns in sorted_unique(closed.netns[found]).tolist():
        mine = found & (closed.netns == netns)
        if by_this_host(seen, closed, np.flatnonzero(mine)):
            found &= ~mine
    again: Bools = found
    return again


def by_timeout(closed: Closed, rows: Index) -> bool:
    """Whether one timeout has ended all of these: they had been idle for as long."""
    if len(rows) < LEAST:
        return False
    some = np.quantile(paused_s(closed)[rows], [LEFT_OUT, 1 - LEFT_OUT])
    return bool(some[1] <= ALIKE * some[0])


def as_long(closed: Closed, others: Index, sure: Index) -> Bools:
    """Fewer others there, reset after as long a pause before an acknowledgement was sent."""
    if len(sure) < LEAST or len(others) > len(sure):
        return np.zeros(len(others), bool)
    pauses = paused_s(closed)
    usual = float(np.median(pauses[sure]))
    alike: Bools = np.abs(pauses[others] - usual) <= (ALIKE - 1) * usual
    return alike & (closed.known("data_segs_in")[others] > 0)


def lacking(closed: Closed) -> Bools:
    """Less is acknowledged than was sent, besides the SYN of who called (bytes_acked counts it,
    bytes_sent not)."""
    sent = closed.known("bytes_sent") - np.nan_to_num(closed.known("bytes_retrans"))
    less: Bools = closed.known("bytes_acked") - 1 < sent
    return less


def paused_s(closed: Closed) -> F64:
    """For how long nothing had come when the last thing was sent."""
    came, asked = (closed.known(f"last_data_{way}") for way in ("recv", "sent"))
    paused: F64 = np.maximum(came - asked, 0.0) / 1000
    return paused


def requests(closed: Closed, rows: Index) -> Bools:
    """What was sent last on these was as long as what they sent before, more than once, and had
    answers to: a pool's farewell is shorter (5 bytes of PostgreSQL and MySQL, an alert of TLS)."""
    last, every = closed.sent_since[rows], closed.known("bytes_sent")[rows]
    segments, came = (closed.known(f"data_segs_{way}")[rows] for way in ("out", "in"))
    before = (every - last) / np.maximum(segments - 1, 1)
    asked: Bools = (last >= FAREWELL * before) & (segments > TWICE) & (came >= TWICE)
    return asked


def by_this_host(seen: Observations, closed: Closed, rows: Index) -> bool:
    """Whether it may have reset these itself: it has sent half as many resets meanwhile."""
    since = float(closed.at[rows].min())
    return _own(seen, int(closed.netns[rows[0]]), since) >= HALF * len(rows)


def _own(seen: Observations, netns: int, since: float) -> float:
    """Resets of this host since then; as many as can be where that is not known."""
    seconds = min(seen.sample.taken_at - since + 1, seen.watched_s)
    grown = [seen.grown(netns, name, seconds) for name in OWN]
    return sum(each[0] for each in grown if each) if all(grown) else np.inf
