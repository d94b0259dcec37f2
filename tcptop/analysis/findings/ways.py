"""Ways out of this host that are broken at its own end: a device without carrier, no route."""

from __future__ import annotations

from tcptop.analysis.findings.observations import Observations
from tcptop.model.route import Link, route_key


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
