"""Facts of a socket that are known only where somebody asked for them: options and route."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tcptop.columns import units
from tcptop.columns.detail import Fact
from tcptop.model.route import Link, Neighbour, Route, route_key
from tcptop.tui.panes.row import Scene

# As in ip-neighbour(8).
NEIGHBOUR_MEANINGS = {
    "REACHABLE": "it was heard of lately",
    "STALE": "known; it is asked again when something is sent",
    "DELAY": "something was sent; it is asked if nothing comes back",
    "PROBE": "it is being asked",
    "INCOMPLETE": "asked for the first time; no answer yet",
    "FAILED": "nobody on the link answers: nothing can be sent",
    "PERMANENT": "set by hand, never asked",
    "NOARP": "the link needs no such thing",
    "NONE": "it was never asked for",
}


def option_facts(scene: Scene, row: int, every: Sequence[Fact]) -> list[Fact]:
    """Those of all facts that are options, or why there are none."""
    known = [fact for fact in every if fact.group == "options"]
    if known or not scene.table.inode[row]:  # nobody has a descriptor to read them from
        return known
    return [Fact("options", "options", units.UNKNOWN, "not read yet: they come with the next look")]


def route_facts(scene: Scene, row: int) -> list[Fact]:
    """Where the segments of a connection leave the host."""
    where = route_key(scene.table, row)
    if where is None:
        return []
    route = scene.snapshot.sample.routes.get(where)
    if route is None:
        return [_fact("route", units.UNKNOWN, "not read yet: it comes with the next look")]
    if route.why_not:
        return [_fact("route", units.UNKNOWN, route.why_not)]
    return [*_route(route, scene.snapshot.sample.clock)]


def _fact(name: str, value: str, meaning: str = "") -> Fact:
    return Fact("route", name, units.safe(value), units.safe(meaning))


def _route(route: Route, clock: float) -> Iterator[Fact]:
    if route.this_host:
        yield _fact("route", "local", "the peer is this host: no network is between")
    else:
        table = f"table {route.table}" if route.table else ""
        yield _fact("route", route.prefix or route.kind or units.UNKNOWN, table)
        yield _fact(
            "gateway", route.gateway or "none", "" if route.gateway else "the peer is on the link"
        )
    if route.hops > 1:
        yield _fact("next hops", str(route.hops), "one of them was chosen (multipath)")
    if route.mtu is not None:
        yield _fact("route MTU", f"{route.mtu} B", _learned(route.mtu_learned_s))
    if route.link is not None:
        yield from _link(route.link)
    if route.neighbour is not None:
        yield from _neighbour(route.neighbour)
    yield from _source(route)
    yield _fact("read", f"{units.duration(max(0.0, clock - route.read_at))} ago", "by rtnetlink")


def _learned(seconds: float | None) -> str:
    if seconds is None:
        return "set on the route"
    return f"learned from the path; forgotten in {units.duration(seconds)}"


def _link(link: Link) -> Iterator[Fact]:
    yield _fact("device", link.name, " ".join(filter(None, (link.kind, link.state))))
    if link.mtu is not None:
        yield _fact("device MTU", f"{link.mtu} B", "largest packet that the device takes")


def _neighbour(neighbour: Neighbour) -> Iterator[Fact]:
    mac = f"; {neighbour.mac}" if neighbour.mac else ""
    yield _fact("neighbour", neighbour.address, f"the next hop on the link{mac}")
    yield _fact("neighbour state", neighbour.state, NEIGHBOUR_MEANINGS.get(neighbour.state, ""))


def _source(route: Route) -> Iterator[Fact]:
    """Whether the local address is still the host's own."""
    if route.local_link == "":
        yield _fact("local address", "gone", "no device has it any more: answers cannot arrive")
    elif route.local_link and route.link and route.local_link != route.link.name:
        yield _fact("local address", f"on {route.local_link}", "another device than the route's")
