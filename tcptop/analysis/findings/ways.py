"""Ways out of this host that are broken at its own end: a device without carrier, no route."""

from __future__ import annotations

import numpy as np

from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.stalls import unsent
from tcptop.model.route import Link, Route, route_key
from tcptop.model.table import Index

LEFT_NOTHING = "nothing is unacknowledged and the window is open, so that no segment has left"
FIND_OUT = (
    "Find out what of this host itself takes its packets: a filter in OUTPUT (nft list ruleset, "
    "iptables-save -c), the route (ip route get {to}), or the queue of its device (tc -s qdisc). "
    "The called host and the network are not asked."
)
SET_ROUTE = (
    "Set the route of this host right: ip route get {to} tells the present one. A VPN that is down "
    "often leaves such a route. The called host and the network are not asked."
)


def nowhere(seen: Observations, rows: Index) -> Route | None:
    """The route of connections to one address, where it leads nowhere; asks for it."""
    key = route_key(seen.table, int(rows[0]))
    hosts = zip(
        seen.table.remote_hi[rows].tolist(), seen.table.remote_lo[rows].tolist(), strict=True
    )
    if len(set(hosts)) > 1:
        return None
    route = seen.route(key) if key else None
    return route if route and route.nowhere else None


def shut(seen: Observations, rows: Index) -> bool:
    """Whether this host itself sends nothing of what these connections wait to send."""
    kept = bool(np.isin(rows, unsent(seen.table)).all())
    return nowhere(seen, rows) is not None or kept


def why_shut(seen: Observations, rows: Index) -> str:
    """A sentence."""
    route = nowhere(seen, rows)
    if route is None:
        return f"What waits in Send-Q stays on this host: {LEFT_NOTHING}."
    return f"What waits in Send-Q stays, as this host has {route.why_not}."


def open_up(seen: Observations, rows: Index, to: str) -> str:
    return (SET_ROUTE if nowhere(seen, rows) else FIND_OUT).format(to=to)


def broken_link(seen: Observations, row: int) -> Link | None:
    """The device that a connection's segments leave by, where it is down or has no carrier; asks
    for it."""
    key = route_key(seen.table, row)
    route = seen.route(key) if key else None
    link = route.link if route else None
    return link if link and not (link.up and link.carrier) else None


def told(link: Link) -> str:
    if not link.up:
        return f"{link.name}, the device on the path to it, is down."
    return (
        f"{link.name}, the device on the path to it, has no carrier: its cable or the other end of "
        "its link is gone or down."
    )


def mend(link: Link) -> str:
    if not link.up:
        return f"Set {link.name} up again: ip link set {link.name} up."
    return (
        f"Check the other end of {link.name}: its cable, the switch port, or the peer of a veth "
        f"(ip -d link show {link.name})."
    )
