"""Links between namespaces, and links that lead nowhere."""

from tcptop.demo.namespace import Namespace

DEVICE = "v0"  # in both namespaces of a pair
CLIENT, SERVER = "10.78.0.1", "10.78.0.2"
CLIENT6, SERVER6 = "fd78::1", "fd78::2"
NOBODY, NOBODY6 = "10.78.0.9", "fd78::9"  # on the link, and answered by no one
SPOOFED = "10.77.0.0/16"  # routed to NOBODY: a network of senders that never see an answer
_DEAD_MAC = "02:00:00:00:00:99"


def connect(client: Namespace, server: Namespace) -> None:
    """Join two namespaces by a veth pair with IPv4, IPv6 and link-local addresses."""
    pair = f"link add {DEVICE} type veth peer name {DEVICE} netns {server.pid}"
    client.command(["ip", *pair.split()])
    for namespace, address, address6 in (
        (client, CLIENT, CLIENT6),
        (server, SERVER, SERVER6),
    ):
        _ip(namespace, f"addr add {address}/24 dev {DEVICE}")
        _ip(namespace, f"addr add {address6}/64 dev {DEVICE} nodad")
        _ip(namespace, f"link set {DEVICE} up")
    for namespace in (client, server):
        _lead_nowhere(namespace)


def _lead_nowhere(namespace: Namespace) -> None:
    black_hole(namespace, NOBODY)
    black_hole(namespace, NOBODY6)
    _ip(namespace, f"route add {SPOOFED} via {NOBODY}")


def black_hole(namespace: Namespace, address: str) -> None:
    """Send what goes to a neighbour to a MAC address that nobody owns."""
    _ip(namespace, f"neigh replace {address} lladdr {_DEAD_MAC} dev {DEVICE} nud permanent")


def heal(namespace: Namespace, address: str) -> None:
    """Undo `black_hole`: the neighbour is asked for its address again."""
    _ip(namespace, f"neigh del {address} dev {DEVICE}")


def link_local(namespace: Namespace) -> str:
    """The namespace's fe80:: address on the link, with its scope: "fe80::1%v0"."""
    shown = namespace.command(["ip", "-6", "-br", "addr", "show", "dev", DEVICE, "scope", "link"])
    return f"{shown.split()[2].partition('/')[0]}%{DEVICE}"


def _ip(namespace: Namespace, words: str) -> None:
    namespace.command(["ip", *words.split()])
