"""Where a connection's segments leave the host: route, next hop and link."""

from __future__ import annotations

from dataclasses import field

from tcptop.model import address
from tcptop.model.dataclass import dataclass
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.table import SocketTable

NO_ROUTE = "no route to it"
NOWHERE = {  # types of routes, as in ip-route(8)
    "blackhole": "a blackhole route: the kernel drops what is sent there",
    "unreachable": "an unreachable route: the kernel refuses to send there",
    "prohibit": "a prohibit route: the kernel refuses to send there",
}


class RouteKey(NamedTuple):
    """What the kernel routes by: the addresses of a connection, in one namespace.

    `interface` is the index that the socket is bound to, without which a link-local address says
    nothing; 0 is none. `mark` is the socket's (SO_MARK), 0 where it has none or it is not known.
    """

    netns: int
    local: str
    remote: str
    interface: int = 0
    mark: int = 0


def route_key(sockets: SocketTable, row: int) -> RouteKey | None:
    """The route key of a connection; None without a remote address, as of a listener."""
    if sockets.remote_port[row] == 0:
        return None
    return RouteKey(
        int(sockets.netns[row]),
        address.local_text(sockets, row),
        address.remote_text(sockets, row),
        int(sockets.interface[row]),
        int(sockets.mark[row]),
    )


@dataclass(frozen=True, slots=True)
class Link:
    """A network device. `up` is what the administrator wants, `carrier` whether it has a peer."""

    name: str
    index: int
    mtu: int | None
    up: bool
    carrier: bool
    kind: str | None  # veth, bond, wireguard...; None for most hardware

    @property
    def state(self) -> str:
        if not self.up:
            return "down"
        return "up" if self.carrier else "no carrier"


@dataclass(frozen=True, slots=True)
class Neighbour:
    """The next hop on the link. `state` is as in ip-neighbour(8); NONE: it was never asked for.

    `confirmed_s` before it was read it was last heard of, as `ip -s neigh` says; None: not known.
    An entry is REACHABLE for up to 45 s more.
    """

    address: str
    state: str
    mac: str | None
    confirmed_s: float | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Route:
    """What `ip route get` says; None is unknown, or that the route has no such thing.

    `read_at` is on the monotonic clock of samples. `why_not` is empty where segments have a way
    out; else it is a short reason. `kind` is the route's type as in ip-route(8), empty where there
    is no route.
    """

    read_at: float
    why_not: str = ""
    kind: str = ""
    prefix: str | None = None  # "10.0.0.0/8", "default"
    gateway: str | None = None  # None: the remote host is on the link
    table: str | None = None  # main, local, default, or a number
    source: str | None = (
        None  # of segments; where no device has the local address, of new connections
    )
    hops: int = 1  # of which one was chosen (multipath)
    mtu: int | None = None  # of the route: configured, or learned
    mtu_learned_s: float | None = None  # for how long the path's MTU stays learned (RFC 1191)
    link: Link | None = None
    neighbour: Neighbour | None = None  # None: the link needs none
    local_link: str | None = None  # that has the local address; "": none has it (any more)

    @property
    def this_host(self) -> bool:
        """Whether the remote address is one of the host's own."""
        return self.kind == "local"

    @property
    def nowhere(self) -> bool:
        """Whether this host itself sends nothing there."""
        return self.kind in NOWHERE or self.why_not == NO_ROUTE

    @property
    def effective_mtu(self) -> int | None:
        """Of the route, else of its link."""
        if self.mtu is None:
            return self.link.mtu if self.link else None
        return self.mtu
