"""Routes of connections, their next hops and links, by rtnetlink(7) as `ip route get` asks.

pyroute2 is imported when the first route is wanted, as that takes 0.2 s. It runs an event loop of
its own in each call, so that it must not be called where one runs already.
"""

from __future__ import annotations

import errno
import math
import os
import socket
import time
from collections.abc import Collection, Mapping
from ipaddress import ip_address
from typing import Any

from tcptop.model.route import NO_ROUTE, NOWHERE, Link, Neighbour, Route, RouteKey

AT_ONCE = 4  # in one sample; one takes some 5 ms
KEPT_S = 5.0
USER_HZ = 100  # of rta_expires and ndm_confirmed, include/asm-generic/param.h

# linux/rtnetlink.h: tell the table, and the route instead of what was made of it (since 4.13).
_TABLE, _MATCHED = 0x1000, 0x2000
_KINDS = (  # linux/rtnetlink.h, RTN_*
    *("unspec", "unicast", "local", "broadcast", "anycast", "multicast"),
    *("blackhole", "unreachable", "prohibit", "throw", "nat", "xresolve"),
)
_TABLES = {253: "default", 254: "main", 255: "local"}
_NEIGHBOUR_STATES = {  # linux/neighbour.h, NUD_*
    (1 << bit) >> 1: name
    for bit, name in enumerate(
        ("NONE", "INCOMPLETE", "REACHABLE", "STALE", "DELAY", "PROBE", "FAILED", "NOARP",
         "PERMANENT")
    )
}  # fmt: skip
_UP, _LOOPBACK, _NOARP, _LOWER_UP = 0x1, 0x8, 0x80, 0x10000  # linux/if.h

# What a route of IPv4 that leads nowhere answers (fib_props in net/ipv4/fib_semantics.c).
_REFUSALS = {
    errno.EINVAL: "blackhole",
    errno.EHOSTUNREACH: "unreachable",
    errno.EACCES: "prohibit",
}


class RouteReader:
    """Reads the routes that are wanted in one namespace; keep one, as it remembers answers."""

    def __init__(self, netns: int) -> None:
        self._netns = netns
        self._wanted: tuple[RouteKey, ...] = ()
        self._known: dict[RouteKey, Route] = {}

    def request(self, route_keys: Collection[RouteKey]) -> None:
        """These ways and no others, from the next `read` on; those of other namespaces are not
        read here."""
        self._wanted = tuple(
            dict.fromkeys(route_key for route_key in route_keys if route_key.netns == self._netns)
        )

    def read(self) -> dict[RouteKey, Route]:
        """The answers for the wanted ways. The calling thread must be in the namespace.

        What was read is good for KEPT_S. AT_ONCE ways are read in a sample, those first that were
        not for longest: the rest keep their last answer, or have none yet.
        """
        known = {
            route_key: self._known[route_key]
            for route_key in self._wanted
            if route_key in self._known
        }
        due = _due(self._wanted, known, time.monotonic())[:AT_ONCE]
        if due:
            known |= _ask(due)
        self._known = known
        return dict(known)


def _due(
    wanted: tuple[RouteKey, ...], known: Mapping[RouteKey, Route], now: float
) -> list[RouteKey]:
    def read_at(route_key: RouteKey) -> float:
        return known[route_key].read_at if route_key in known else -math.inf

    return sorted(
        (route_key for route_key in wanted if now - read_at(route_key) >= KEPT_S), key=read_at
    )


def _ask(route_keys: list[RouteKey]) -> dict[RouteKey, Route]:
    """One netlink socket for all, which is closed: it would keep the namespace alive."""
    try:
        from pyroute2 import IPRoute
    except ImportError:
        return {
            route_key: Route(time.monotonic(), "pyroute2 is not installed")
            for route_key in route_keys
        }
    try:
        with IPRoute() as kernel:
            return {route_key: _route(_Asking(kernel, route_key)) for route_key in route_keys}
    except OSError as error:
        why_not = f"rtnetlink: {error.strerror or error}"
        return {route_key: Route(time.monotonic(), why_not) for route_key in route_keys}


class _Asking:
    """Questions about one way. The answer is a message, or the errno of the kernel's refusal."""

    def __init__(self, kernel: Any, route_key: RouteKey) -> None:
        self.route_key = route_key
        self._kernel = kernel

    def local(self) -> Any:
        """The route to the local address. A link-local one may be that of several devices."""
        bound = self.route_key.interface if ip_address(self.route_key.local).is_link_local else 0
        return self._route(self.route_key.local, _MATCHED, **({"oif": bound} if bound else {}))

    def remote(self, source: str | None, matched: bool = False) -> Any:
        """Where segments go, or with `matched` the route that says so."""
        chosen = {"src": source, "oif": self.route_key.interface, "mark": self.route_key.mark}
        known = {name: value for name, value in chosen.items() if value}
        return self._route(self.route_key.remote, _MATCHED if matched else 0, **known)

    def _route(self, to: str, flags: int, **more: object) -> Any:
        return self._one("route", dst=to, family=_family(to), flags=_TABLE | flags, **more)

    def link(self, route: Any) -> Any:
        """RTM_GETLINK of a route's device; None where it has none."""
        index = route.get_attr("RTA_OIF")
        found = self._one("link", index=index) if index else errno.ENODEV
        return None if isinstance(found, int) else found

    def neighbour(self, address: str, link: int) -> Neighbour | None:
        """RTM_GETNEIGH; None where the kernel cannot be asked (before 5.0)."""
        found = self._one("neigh", dst=address, ifindex=link, family=_family(address))
        if found == errno.ENOENT:
            return Neighbour(address, "NONE", None)
        if isinstance(found, int):
            return None
        state = _NEIGHBOUR_STATES.get(found["state"], str(found["state"]))
        return Neighbour(address, state, found.get_attr("NDA_LLADDR"), _confirmed_s(found))

    def _one(self, what: str, **question: object) -> Any:
        from pyroute2 import NetlinkError

        try:
            (answer,) = getattr(self._kernel, what)("get", **question)
        except NetlinkError as error:
            return int(error.code)
        return answer


def _confirmed_s(entry: Any) -> float | None:
    """Nobody confirms what is set by hand, and nobody has what fails (neigh_fill_info)."""
    ticks = (entry.get_attr("NDA_CACHEINFO") or {}).get("ndm_confirmed")
    asked = _NEIGHBOUR_STATES.get(entry["state"]) in ("REACHABLE", "STALE", "DELAY", "PROBE")
    return ticks / USER_HZ if asked and ticks is not None else None


def _route(asking: _Asking) -> Route:
    route_key, now = asking.route_key, time.monotonic()
    own = asking.local()
    held = not isinstance(own, int) and _kind(own) == "local"
    local_link = _name(asking.link(own)) if held else ""
    # For a source that is not its own, IPv4 has no route at all (EINVAL, ip_route_output_key).
    source = route_key.local if held else None
    flow = asking.remote(source)
    if isinstance(flow, int):
        return Route(now, _refusal(flow), _REFUSALS.get(flow, ""), local_link=local_link)
    facts = _flow(asking, flow) | _matched(asking.remote(source, matched=True))
    facts["source"] = flow.get_attr("RTA_PREFSRC") or source
    return Route(now, NOWHERE.get(facts["kind"], ""), local_link=local_link, **facts)


def _refusal(number: int) -> str:
    if number == errno.ENETUNREACH:
        return NO_ROUTE
    return NOWHERE.get(_REFUSALS.get(number, ""), os.strerror(number))


def _flow(asking: _Asking, flow: Any) -> dict[str, Any]:
    """What is known of where segments go."""
    kind = _kind(flow)
    link, gateway = asking.link(flow), _gateway(flow)
    asked_for = link is not None and not link["flags"] & (_LOOPBACK | _NOARP)
    return {
        "kind": kind,
        "gateway": gateway,
        **_mtu(flow),
        "link": None if link is None else _link(link),
        "neighbour": (
            asking.neighbour(gateway or asking.route_key.remote, link["index"])
            if asked_for and kind == "unicast"
            else None
        ),
    }


def _matched(route: Any) -> dict[str, Any]:
    if isinstance(route, int):
        return {}
    return {
        "prefix": _prefix(route),
        "table": _table(route),
        "hops": len(route.get_attr("RTA_MULTIPATH") or "1"),
    }


def _kind(route: Any) -> str:
    number = route["type"]
    return _KINDS[number] if number < len(_KINDS) else str(number)


def _table(route: Any) -> str | None:
    """None where the kernel does not tell: until there are rules, `local` is a part of `main`
    (fib_trie_unmerge in net/ipv4/fib_trie.c).
    """
    number = route.get_attr("RTA_TABLE") or route["table"]
    name = _TABLES.get(number, str(number))
    return None if (_kind(route), name) == ("local", "main") else name


def _prefix(route: Any) -> str:
    """As ip-route(8) writes it."""
    address, length = route.get_attr("RTA_DST"), route["dst_len"]
    if address is None or length == 0:
        return "default"
    whole = 128 if ":" in address else 32
    return str(address) if length == whole else f"{address}/{length}"


def _gateway(flow: Any) -> str | None:
    """RTA_VIA is one of the other family (RFC 5549)."""
    via = flow.get_attr("RTA_VIA")
    found = flow.get_attr("RTA_GATEWAY") or (via or {}).get("addr")
    return None if found is None else str(found)


def _mtu(flow: Any) -> dict[str, Any]:
    metrics = flow.get_attr("RTA_METRICS")
    mtu = metrics.get_attr("RTAX_MTU") if metrics is not None else None
    expires = (flow.get_attr("RTA_CACHEINFO") or {}).get("rta_expires", 0)
    learned = expires / USER_HZ if mtu and expires > 0 else None
    return {"mtu": mtu, "mtu_learned_s": learned}


def _link(message: Any) -> Link:
    info = message.get_attr("IFLA_LINKINFO")
    return Link(
        name=str(message.get_attr("IFLA_IFNAME")),
        index=message["index"],
        mtu=message.get_attr("IFLA_MTU"),
        up=bool(message["flags"] & _UP),
        carrier=bool(message["flags"] & _LOWER_UP),
        kind=info.get_attr("IFLA_INFO_KIND") if info is not None else None,
    )


def _name(link: Any) -> str | None:
    return None if link is None else _link(link).name


def _family(address: str) -> int:
    return socket.AF_INET6 if ":" in address else socket.AF_INET
