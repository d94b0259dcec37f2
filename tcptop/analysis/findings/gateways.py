"""Destinations that nobody answers, all of them through one gateway, where nothing else that goes
through it is answered."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tcptop.analysis.findings.lost import JUST_S
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.unheard import Silent
from tcptop.analysis.peers import is_link_local, is_loopback
from tcptop.model import address, tcp
from tcptop.model.arrays import isin_codes
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.route import Route, route_key
from tcptop.model.table import Index

HOSTS = 3  # from which a gateway in common is no chance
ASKED = 20  # other hosts whose routes are asked for


class Gateway(NamedTuple):
    """`gone`: nobody answers for its address on the link; `heard`: it answers there, or by TCP."""

    address: str
    device: str
    gone: bool
    heard: bool


def behind(seen: Observations, every: Sequence[Silent]) -> dict[Gateway, list[Silent]]:
    """The gateways of which nothing comes back, each with what was called through it."""
    groups: dict[tuple[int, str, str], list[Silent]] = {}
    for told in every:
        route = seen.route(told.case.way) if told.case.way else None
        if route and route.gateway and route.link and not told.opened:
            place = told.case.callee.netns, route.gateway, route.link.name
            groups.setdefault(place, []).append(told)
    found = {}
    for (netns, whom, device), group in groups.items():
        hosts = {(told.case.callee.remote_hi, told.case.callee.remote_lo) for told in group}
        since = max(max(told.case.since_s, told.case.longest_s) for told in group)
        if len(hosts) >= HOSTS and _silent(seen, netns, whom, device, since):
            found[_gateway(seen, netns, whom, device, since, group)] = group
    return found


def shared(seen: Observations, group: Sequence[Silent]) -> Route | None:
    """The way that all of several hosts have in common, where each answers a part of the calls."""
    hosts = {(told.case.callee.remote_hi, told.case.callee.remote_lo) for told in group}
    routes = [seen.route(told.case.way) if told.case.way else None for told in group]
    first = routes[0]
    if len(hosts) < HOSTS or first is None or not first.gateway or first.link is None:
        return None
    device = first.link.name
    alike = all(route and leads(route, first.gateway, device) for route in routes)
    return first if alike and all(told.at_times for told in group) else None


def _gateway(
    seen: Observations, netns: int, whom: str, device: str, since: float, group: Sequence[Silent]
) -> Gateway:
    rows = _heard(seen, netns, since)
    itself = any(address.remote_text(seen.table, row) == whom for row in rows.tolist())
    gone = all(told.hop.gone for told in group)
    return Gateway(whom, device, gone, itself or any(told.hop.answers for told in group))


def _silent(seen: Observations, netns: int, whom: str, device: str, since: float) -> bool:
    """Whether none of those that were heard of since leads through it, as far as routes tell."""
    ways = {address.remote_text(seen.table, row): row for row in _heard(seen, netns, since)}
    if len(ways) > ASKED:
        return False
    keys = [route_key(seen.table, row) for row in ways.values()]
    routes = [seen.route(key) if key else None for key in keys]
    return all(route is not None and not leads(route, whom, device) for route in routes)


def leads(route: Route, whom: str, device: str) -> bool:
    return route.gateway == whom and route.link is not None and route.link.name == device


def _heard(seen: Observations, netns: int, since: float) -> Index:
    """Connections with other hosts of which something has come since, and not just then."""
    table = seen.table
    far = ~is_loopback(table.remote_hi, table.remote_lo) & ~is_link_local(table.remote_hi)
    unopened = isin_codes(table.state, (tcp.LISTEN, tcp.SYN_SENT, tcp.SYN_RECV, tcp.CLOSE))
    rows = np.flatnonzero(far & ~unopened & (table.netns == netns) & ~seen.remote_here)
    heard = np.fmin(*(table.since_s(f"last_{what}_recv", rows) for what in ("ack", "data")))
    closed = table.state[rows] == tcp.TIME_WAIT
    ended_s = (tcp.TIMEWAIT_MS - table.expires[rows].astype(np.int64)) / 1000
    heard = np.where(closed, ended_s, heard)
    some: Index = rows[heard < since - JUST_S]
    return some


def told(gateway: Gateway) -> str:
    """A sentence."""
    itself = ""
    if gateway.gone:
        itself = f" {gateway.address} itself does not answer on the link (ip neigh)."
    elif gateway.heard:
        itself = f" {gateway.address} itself does answer."
    return (
        f"All of them are behind the gateway {gateway.address} on {gateway.device} (ip route get), "
        f"and nothing else that is behind it was heard of meanwhile.{itself}"
    )


def in_common(way: Route) -> str:
    """A sentence."""
    device = way.link.name if way.link else "?"
    return (
        f"All of them are behind the gateway {way.gateway} on {device} (ip route get), and each "
        "answers a part of the connects: of several links or ways behind it one may be lost."
    )


def advice_in_common(way: Route) -> str:
    return (
        f"Look at what they have in common before the called hosts: behind {way.gateway}, one "
        "member of a link aggregation, one of several equal routes (ECMP), one of a pair of "
        "firewalls, or loss. Which connects are lost depends on their ports then: tracepath or mtr "
        "by TCP from one source port after another tells."
    )


def advice(gateway: Gateway) -> str:
    if gateway.gone:
        return (
            f"Find out what has become of {gateway.address}: a router that is down, an address "
            "that has moved without being announced (VRRP), a cable or VLAN; or set another route. "
            "The called hosts are not asked."
        )
    return (
        f"Look at {gateway.address} before the called hosts: whether it passes on what it gets "
        "(net.ipv4.ip_forward, its filter), whether its own way on and the way back are up, and "
        "after a failover (VRRP) whether the one that has its address now is the right one."
    )
