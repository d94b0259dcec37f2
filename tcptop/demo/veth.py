"""Links between namespaces, and links that lead nowhere."""

from dataclasses import dataclass

from tcptop.demo.held import until
from tcptop.demo.namespace import DemoNamespace

DEVICE = "v0"  # in both namespaces of a pair
NOBODY, NOBODY6 = "10.78.0.9", "fd78::9"  # on the link, and answered by no one
SPOOFED = "10.77.0.0/16"  # routed to NOBODY: a network of senders that never see an answer
UNROUTED = "192.0.2.0/24"  # neither end has a route to it (RFC 5737)
_DEAD_MAC = "02:00:00:00:00:99"


@dataclass(frozen=True)
class End:
    """The addresses of one end of a pair; `local` follows from `mac` (RFC 4291, appendix A)."""

    mac: str
    v4: str
    v6: str
    local: str


CLIENT = End("02:00:00:00:00:01", "10.78.0.1", "fd78::1", f"fe80::ff:fe00:1%{DEVICE}")
SERVER = End("02:00:00:00:00:02", "10.78.0.2", "fd78::2", f"fe80::ff:fe00:2%{DEVICE}")


def connect(client: DemoNamespace, server: DemoNamespace) -> None:
    """Join two namespaces by a veth pair with IPv4, IPv6 and link-local addresses."""
    peer = f"peer name {DEVICE} address {SERVER.mac} netns {server.pid}"
    _ip(client, f"link add {DEVICE} address {CLIENT.mac} type veth {peer}")
    _set_up(client, CLIENT)
    _set_up(server, SERVER)
    _learn(client, SERVER)
    _learn(server, CLIENT)


def _set_up(namespace: DemoNamespace, own: End) -> None:
    _ip(namespace, f"addr add {own.v4}/24 dev {DEVICE}")
    _ip(namespace, f"addr add {own.v6}/64 dev {DEVICE}")
    _ip(namespace, f"link set {DEVICE} up")


def _learn(namespace: DemoNamespace, other: End) -> None:
    """Neighbours are told, not asked for: a lost question costs a second."""
    until(lambda: " UP " in _ip(namespace, f"-br link show {DEVICE}"), f"{DEVICE} up")
    heal(namespace, other)
    for nobody in (NOBODY, NOBODY6):
        lose(namespace, nobody)
    _ip(namespace, f"route add {SPOOFED} via {NOBODY}")


def add(namespace: DemoNamespace, address: str) -> None:
    """One more IPv4 address at this end."""
    _ip(namespace, f"addr add {address}/24 dev {DEVICE}")


def set_mtu(namespace: DemoNamespace, mtu: int) -> None:
    """Of this end: what is larger and comes from the other end is lost, and nobody is told."""
    _ip(namespace, f"link set {DEVICE} mtu {mtu}")


def no_offload(namespace: DemoNamespace) -> None:
    """Connections made from now on send packets as they are on a wire: a veth pair carries larger
    ones whatever its MTU."""
    _ip(namespace, f"link set {DEVICE} gso_max_segs 1")


def lose(namespace: DemoNamespace, address: str) -> None:
    """Lose all that this namespace sends to an address."""
    _neighbour(namespace, address, _DEAD_MAC)


def find(namespace: DemoNamespace, address: str, other: End) -> None:
    """Send what is for an address to the other end."""
    _neighbour(namespace, address, other.mac)


def black_hole(namespace: DemoNamespace, other: End) -> None:
    """Lose all that this namespace sends to the other end."""
    for address in (other.v4, other.v6, other.local):
        lose(namespace, address)


def heal(namespace: DemoNamespace, other: End) -> None:
    """Undo `black_hole`."""
    for address in (other.v4, other.v6, other.local):
        find(namespace, address, other)


def _neighbour(namespace: DemoNamespace, address: str, mac: str) -> None:
    plain = address.partition("%")[0]
    _ip(namespace, f"neigh replace {plain} lladdr {mac} dev {DEVICE} nud permanent")


def _ip(namespace: DemoNamespace, words: str) -> str:
    return namespace.command(["ip", *words.split()])
