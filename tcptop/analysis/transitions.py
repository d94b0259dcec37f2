"""Arrows of the TCP state machine, and how many sockets took each between two samples.

A sample sees where a socket was and where it is. What lies between follows from the diagram
(RFC 9293 figure 5): from SYN_RECV to CLOSE_WAIT it was ESTABLISHED.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from tcptop.model import tcp
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.table import I64

CLOSED = 0


class Arrow(NamedTuple):
    start: int
    end: int


# In the order of the diagram; those into and out of CLOSED are opening and end.
ARROWS = (
    Arrow(CLOSED, tcp.LISTEN),
    Arrow(CLOSED, tcp.SYN_SENT),
    Arrow(tcp.LISTEN, tcp.SYN_RECV),
    Arrow(tcp.SYN_SENT, tcp.ESTABLISHED),
    Arrow(tcp.SYN_RECV, tcp.ESTABLISHED),
    Arrow(tcp.ESTABLISHED, tcp.FIN_WAIT1),
    Arrow(tcp.ESTABLISHED, tcp.CLOSE_WAIT),
    Arrow(tcp.FIN_WAIT1, tcp.FIN_WAIT2),
    Arrow(tcp.FIN_WAIT1, tcp.CLOSING),
    Arrow(tcp.FIN_WAIT2, tcp.TIME_WAIT),
    Arrow(tcp.CLOSING, tcp.TIME_WAIT),
    Arrow(tcp.CLOSE_WAIT, tcp.LAST_ACK),
    Arrow(tcp.LAST_ACK, CLOSED),
    Arrow(tcp.TIME_WAIT, CLOSED),
)


class Flow(NamedTuple):
    """Sockets a second: along each arrow; `appeared` and `vanished` where the way is not known."""

    arrows: Mapping[Arrow, float]
    appeared: Mapping[int, float]  # in this state, opened since the last sample
    vanished: Mapping[int, float]  # from this state


def flow(changes: I64, seconds: float) -> Flow:
    """`changes` are those of a snapshot, seen in so many seconds."""
    arrows = dict.fromkeys(ARROWS, 0.0)
    appeared: dict[int, float] = {}
    vanished: dict[int, float] = {}
    for start, end in zip(*changes.nonzero(), strict=True):
        rate = float(changes[start, end]) / seconds
        way = path(int(start), int(end))
        for arrow in way:
            arrows[arrow] += rate
        if not way and start != end:
            place, key = (appeared, int(end)) if start == CLOSED else (vanished, int(start))
            place[key] = place.get(key, 0.0) + rate
    return Flow(arrows, appeared, vanished)


@cache
def path(start: int, end: int) -> tuple[Arrow, ...]:
    """The arrows from one state to another; none where they are the same or there is no way.

    Whoever is CLOSED may have got there by a reset, and who was may have been called or have
    called: there only a single arrow is sure. CLOSING is so rare that a way does not lead
    through it.
    """
    if CLOSED in (start, end):
        start = tcp.LISTEN if end == tcp.SYN_RECV else start  # the listener stays where it is
        return tuple(arrow for arrow in ARROWS if arrow == (start, end))
    return _way(start, end)


def _way(start: int, end: int) -> tuple[Arrow, ...]:
    for arrow in ARROWS:
        if arrow == (start, end):
            return (arrow,)
        if arrow.start == start and arrow.end not in (CLOSED, tcp.CLOSING):
            rest = _way(arrow.end, end)
            if rest:
                return (arrow, *rest)
    return ()
