"""Calls and packets of this host that have no route: nothing leaves, and no other host is to blame.

connect() fails at once with ENETUNREACH and counts in OutNoRoutes. Of IPv6 the kernel tells where
to, of IPv4 it does not: it sets the address after it has found the route (tcp_v4_connect).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tcptop.analysis.dialing import Callee
from tcptop.analysis.findings import unanswered, words
from tcptop.analysis.findings.ended import lately
from tcptop.analysis.findings.how_ended import accepted
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.outcomes import Outcomes
from tcptop.analysis.findings.windows import mean, rates, rates_or_zero, window
from tcptop.analysis.peers import is_link_local, is_loopback
from tcptop.model import address, tcp
from tcptop.model.arrays import isin_codes
from tcptop.model.closed import Closed
from tcptop.model.finding import Finding, Subject
from tcptop.model.route import NO_ROUTE, Route, RouteKey
from tcptop.model.table import MAPPED, Bools, SocketTable

WINDOW_S = 5.0
STEADY = 0.5  # share of the intervals in which it rises: a burst is none
AS_MANY = 0.5  # go well by the other family, of those that fail by one


def of(seen: Observations, to: Callee) -> Route | None:
    """The route to a place, where it leads nowhere; asks for it."""
    there = address.text(to.remote_hi, to.remote_lo)
    own = "0.0.0.0" if unanswered.is_v4(to) else "::"  # any, as before connect()
    route = seen.route(RouteKey(to.netns, own, there, to.interface))
    return route if route and route.nowhere else None


def told(seen: Observations, found: Outcomes) -> Outcomes:
    """What failed at once, as having had no route where this host has none."""
    route = of(seen, found.callee) if found.untold else None
    if route is None:
        return found
    return found._replace(unrouted=found.untold, untold=0, no_route=route.why_not)


def spared(seen: Observations, found: Outcomes) -> bool:
    """Of a place to which there is no route, nor to any of its family."""
    if found.no_route != NO_ROUTE or found.unrouted < found.failed:
        return False
    to = found.callee
    return by_other_family(seen, to.netns, found.failed, found.seconds, unanswered.is_v4(to))


def by_other_family(
    seen: Observations, netns: int, failed: float, seconds: float, v4: bool
) -> bool:
    """Whether this host uses one family only, and `failed` were of the other: names have addresses
    of both, and programs try one after the other (RFC 8305)."""
    table, closed = seen.table, lately(seen, seconds)
    rows = _far(table) & (table.netns == netns)
    over = _far(closed) & (closed.netns == netns) & closed.opened
    unopened = isin_codes(table.state, (tcp.LISTEN, tcp.SYN_SENT, tcp.SYN_RECV, tcp.CLOSE))
    mine = np.count_nonzero(rows & ~unopened & (_v4(table) == v4))
    if mine + np.count_nonzero(over & (_v4(closed) == v4)):
        return False
    came = over & ~accepted(seen, closed) & (closed.known("data_segs_in") > 0)
    called = np.flatnonzero(rows & ~seen.accepted & (_v4(table) != v4))
    well = np.count_nonzero(came & (_v4(closed) != v4)) + len(unanswered.answered(seen, called))
    return bool(well >= AS_MANY * failed)


def _far(ends: SocketTable | Closed) -> Bools:
    """Whose other end is another host that has to be found by a route."""
    far: Bools = ~is_loopback(ends.remote_hi, ends.remote_lo) & ~is_link_local(ends.remote_hi)
    return far


def _v4(ends: SocketTable | Closed) -> Bools:
    v4: Bools = (ends.remote_hi == 0) & (ends.remote_lo >> np.uint64(32) == MAPPED >> np.uint64(32))
    return v4


def counted(id: str, seen: Observations, netns: int, least: float) -> Iterator[Finding]:
    """By the counter of IPv4, where it rises by more than `least` a second."""
    summaries = window(seen, WINDOW_S)
    rising = rates(summaries, netns, "OutNoRoutes") if summaries else None
    if rising is None or np.mean(rising > 0) < STEADY:
        return
    # Answers to SYNs count too, and the SYNs as dropped: listener-drops tells those.
    own = np.maximum(rising - rates_or_zero(summaries, netns, "ListenDrops"), 0)
    if mean(own, summaries) > least and np.mean(own > 0) >= STEADY:
        yield _finding(id, seen, netns, mean(rising, summaries))


def _finding(id: str, seen: Observations, netns: int, rate: float) -> Finding:
    seconds = min(unanswered.LATELY_S, max(seen.watched_s, WINDOW_S))
    other = by_other_family(seen, netns, rate * seconds, seconds, v4=True)
    serves = (
        "This host has no connection to another one by IPv4, and those by IPv6 go well meanwhile: "
        "programs that try one address of a name after the other continue there.",
    )
    return Finding(
        id,
        words.key(id, netns, "no-route"),
        "info" if other else "warning",
        f"This host has no route for calls or packets of its own by IPv4: {words.number(rate)}/s",
        Subject(netns),
        {"unrouted_per_s": rate},
        (
            f"IpOutNoRoutes rises by {words.number(rate)}/s: nothing of these leaves this host. A "
            'connect() to such a place fails at once with ENETUNREACH ("Network is unreachable"); '
            "UDP counts too.",
            "Where to, and whose they are, the kernel does not tell.",
            *(serves if other else ()),
        ),
        "Look for that error in the logs of the programs here, or run strace -f -e "
        "trace=connect,sendto -p PID, and then ip route get ADDRESS. Add the missing route, or "
        "start what should have made it (a VPN, a DHCP client, a routing daemon). The called host "
        "and the network are not asked.",
        "ip route; nstat -az IpOutNoRoutes",
    )
