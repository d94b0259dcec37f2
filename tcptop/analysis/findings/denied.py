"""A destination that greets whoever connects, and answers no request: what comes as a connection
opens (a greeting, a login) is no answer to what waits on it.

A pooler without a free connection lets each client log in. Who is patient waits; others leave, and
that is what a long poll and a blocking command do not.
"""

from __future__ import annotations

import numpy as np

from tcptop.analysis.dialing import callee
from tcptop.analysis.findings.ended import called_there, lately
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.given_up import ANSWERED, FIRST
from tcptop.model.closed import HERE, Closed
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.table import F64, Bools, Index

LATELY_S = 30.0
BEGINS_S = 1.5  # of a connection, in which what comes may be its greeting
WAITED_S = 2.0  # by those that left
TICK_MS = 10  # of a kernel with HZ=100
LEAST = 3


class Denied(NamedTuple):
    """Those that left in the last `seconds` with their request unanswered after `waited_s`,
    sorted."""

    seconds: float
    waited_s: F64


def denied(seen: Observations, rows: Index) -> Denied | None:
    """Of the connections to one place: None where any of them was answered lately, or few left."""
    seconds = min(LATELY_S, seen.watched_s)
    closed = lately(seen, seconds)
    closed = closed.take(closed.opened & called_there(closed, callee(seen.table, int(rows[0]))))
    left = _left(closed)
    answered = (closed.known("data_segs_in") > 0) & (~left | _late(seen, closed, seconds))
    if np.count_nonzero(left) < LEAST or answered.any() or _answered(seen, rows, seconds):
        return None
    return Denied(seconds, np.sort(closed.known("last_data_sent")[left] / 1000))


def _left(closed: Closed) -> Bools:
    """Closed here for want of an answer. What came within the tick of the last request was an
    answer to the one before, where more were sent than came."""
    asked, came = (closed.known(f"data_segs_{way}") for way in ("out", "in"))
    sent_ms, heard_ms = (closed.known(f"last_data_{way}") for way in ("sent", "recv"))
    due = (came == 0) | (heard_ms > sent_ms + TICK_MS)
    due |= (heard_ms >= sent_ms - TICK_MS) & (asked > came)
    left: Bools = due & (closed.first == HERE) & (sent_ms >= 1000 * WAITED_S)
    return left & (asked > 0) & (asked <= FIRST + ANSWERED * came)


def _late(seen: Observations, closed: Closed, seconds: float) -> Bools:
    """What came last came in these seconds, and not as the connection began."""
    over_s = seen.sample.taken_at - closed.at
    open_s = np.nan_to_num(closed.life_s, nan=np.inf) + over_s
    heard_s = over_s + np.nan_to_num(closed.known("last_data_recv"), nan=np.inf) / 1000
    late: Bools = heard_s < np.minimum(seconds, open_s) - BEGINS_S
    return late


def _answered(seen: Observations, rows: Index, seconds: float) -> bool:
    """Anything that came later than a connection began."""
    table, open_s = seen.table, seen.snapshot.seen_s[rows]
    came = table.tcp_info("data_segs_in")[rows] > 0
    late = table.since_s("last_data_recv", rows) < np.minimum(seconds, open_s) - BEGINS_S
    return bool((came & late).any())
