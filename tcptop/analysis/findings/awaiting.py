"""Connections on which an answer is due: the other end's kernel has what was sent last, and nothing
has come since.

Whether its program owes an answer is not known: a long poll, a blocking command and an
acknowledgement that ends an exchange look the same.
"""

from __future__ import annotations

import numpy as np

from tcptop.analysis import stalls
from tcptop.analysis.findings.ended import lately
from tcptop.analysis.findings.observations import Observations, once
from tcptop.analysis.given_up import ANSWERED, FIRST
from tcptop.model import tcp
from tcptop.model.arrays import isin_codes, row_hash
from tcptop.model.table import F64, U64, Bools, Index, SocketTable

IN_FLIGHT_S = 1.0  # for so long any request may be under way
IDLE_S = 600.0  # who waits for longer is idle, more likely, and nobody waits for that answer
ENDED_S = 60.0  # for so long what came on those that have ended counts
PLACE = ("netns", "interface", "remote_hi", "remote_lo", "remote_port")
ALIKE = 5  # requests, from which it is hardly chance that the segments of the answers fit
# A kernel whose program does not answer at once acknowledges alone, after 40 ms to 200 ms
# (TCP_DELACK_MIN, TCP_DELACK_MAX, include/net/tcp.h).
ALONE_MS = (20, 300)


@once
def calls_awaiting(seen: Observations) -> tuple[Index, F64]:
    """Connections that we opened and on which we wait, and for how long."""
    return awaiting(seen, called=True)


@once
def destinations(seen: Observations) -> tuple[Index, U64]:
    """Connections that we opened, and for each a key of the address and port that it leads to."""
    table = seen.table
    rows = np.flatnonzero(isin_codes(table.state, stalls.TALKING) & ~seen.accepted)
    return rows, row_hash(*(getattr(table, name)[rows] for name in PLACE))


def heard_s(seen: Observations, rows: Index) -> float:
    """Since data came on any of these connections, which lead to one destination, or on those
    there that have ended; infinite where none ever has."""
    came = rows[seen.table.info_of("bytes_received", rows) > 0]
    last = float(seen.table.since_s("last_data_recv", came).min(initial=np.inf))
    keys, ago_s = _heard_of_ended(seen)
    place = row_hash(*(getattr(seen.table, name)[rows[:1]] for name in PLACE))
    return min(last, float(ago_s[keys == place].min(initial=np.inf)))


def ended_unwatched_s(seen: Observations, row: int) -> F64:
    """Since when the TIME-WAITs that lead where this row does have been so, of those that were so
    before the first sample: whether they brought an answer is not known, but both ends closed."""
    table = seen.table
    there = table.state == tcp.TIME_WAIT
    for name in PLACE if there.any() else ():
        there &= getattr(table, name) == getattr(table, name)[row]
    ago_s = table.time_wait_ms()[there] / 1000
    before: F64 = ago_s[ago_s >= seen.watched_s]
    return before


@once
def _heard_of_ended(seen: Observations) -> tuple[U64, F64]:
    """Of each connection that ended of late and brought data the key of its destination, and since
    when nothing has come on it."""
    closed = lately(seen, ENDED_S)
    closed = closed.take(closed.opened & (closed.known("bytes_received") > 0))
    before_s = np.nan_to_num(closed.known("last_data_recv")) / 1000
    keys = row_hash(*(getattr(closed, name) for name in PLACE))
    return keys, seen.sample.taken_at - closed.at + before_s


def awaiting(
    seen: Observations, called: bool, least_s: float = IN_FLIGHT_S, alike: bool = False
) -> tuple[Index, F64]:
    """Rows on which we wait (`called`: we opened them) or the other end does, and for how long.

    `alike`: each request there is one segment, as in the protocols of databases.
    """
    table = seen.table
    asking, answering = (
        ("last_data_sent", "last_data_recv") if called else ("last_data_recv", "last_data_sent")
    )
    asked_ms, answered_ms = table.tcp_info(asking), table.tcp_info(answering)
    due = (asked_ms <= answered_ms) & (asked_ms >= least_s * 1000) & (asked_ms <= IDLE_S * 1000)
    due &= table.state == tcp.ESTABLISHED
    due &= table.tcp_info(f"data_segs_{'out' if called else 'in'}") > 0
    rows = np.flatnonzero(due)
    if len(rows):
        rows = rows[seen.accepted[rows] != called]
    if not len(rows):
        return rows, asked_ms[rows] / 1000
    quiet = (table.send_q[rows] == 0) & (table.recv_q[rows] == 0) & (table.inode[rows] != 0)
    rows = rows[quiet & table.tcp_info_known("data_segs_in")[rows]]
    asked_ms, answered_ms = asked_ms[rows], answered_ms[rows]
    unsure = (asked_ms == answered_ms) & (not alike)
    if called:
        alone_ms = answered_ms - table.tcp_info("last_ack_recv")[rows].astype(np.int64)
        unsure &= (alone_ms < ALONE_MS[0]) | (alone_ms > ALONE_MS[1])
    due = _due(table, rows, called, asked_ms == answered_ms, unsure)
    return rows[due], asked_ms[due] / 1000


def _due(table: SocketTable, rows: Index, called: bool, same_tick: Bools, unsure: Bools) -> Bools:
    """What is asked there is answered (nobody answers a log, a metric), and it is not yet.

    Within one tick of the kernel's clock an answer came and was followed by a request, or a request
    by its answer: a request more than answers, by their segments, where all are alike and no
    greeting came first (MySQL, SMTP). Of few requests (`unsure`) that would be chance: one may have
    been sent in two segments, a header and a body.
    """
    ways = ("out", "in") if called else ("in", "out")
    asked, answered = (table.tcp_info(f"data_segs_{way}")[rows].astype(np.int64) for way in ways)
    converse = (asked > 0) & (asked <= FIRST + ANSWERED * answered)
    each = np.maximum(asked, 1)
    even = (answered > 0) & (answered % each == 0)
    greeted = (answered > 1) & ((answered - 1) % each == 0)
    one_less = answered % np.maximum(asked - 1, 1) == 0
    sure = ~unsure | (asked >= ALIKE) | (answered == 0)
    due: Bools = converse & (~same_tick | (one_less & ~even & ~greeted & sure))
    return due
