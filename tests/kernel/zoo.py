"""One namespace that holds one of everything, to read and to compare with ss."""

from dataclasses import dataclass, field

from tcptop.demo import sockets, veth
from tcptop.demo.held import HeldSockets, send
from tcptop.demo.namespace import DemoNamespace
from tests.kernel import queues, states
from tests.kernel.states import SocketPair

KINDS = {  # where the server listens, what the client dials
    "v4": ("127.0.0.1", None),
    "v6": ("::1", None),
    "mapped": ("::", "127.0.0.1"),
    "both-mapped": ("::", "::ffff:127.0.0.1"),
}


@dataclass
class Zoo:
    """`namespace` is the one to look at; `pairs` and `sockets` say what is where, by name.

    TIME_WAIT, SYN_RECV and FIN_WAIT2 mini-sockets leave after a minute.
    """

    namespace: DemoNamespace
    peer: DemoNamespace
    pairs: dict[str, SocketPair] = field(default_factory=dict)
    sockets: dict[str, HeldSockets] = field(default_factory=dict)


def build(namespace: DemoNamespace, peer: DemoNamespace) -> Zoo:
    """Fill two fresh namespaces; takes about a second."""
    veth.connect(namespace, peer)
    zoo = Zoo(namespace, peer)
    for kind, (host, to) in KINDS.items():
        _each_kind(zoo, kind, host, to)
    for host, kind in (("127.0.0.1", "v4"), ("::1", "v6")):
        _closing_down(zoo, kind, host)
    _listeners(zoo)
    _over_the_link(zoo)
    return zoo


def _each_kind(zoo: Zoo, kind: str, host: str, to: str | None) -> None:
    run, pairs = zoo.namespace.run, zoo.pairs
    pairs[f"established {kind}"] = run(states.established, host, to)
    pairs[f"syn-recv {kind}"] = run(states.syn_recv, host, to)
    pairs[f"not accepted {kind}"] = run(states.not_accepted, host, to)
    pairs[f"fin-wait2 {kind}"] = run(states.fin_wait2, host, to)
    pairs[f"time-wait {kind}"] = run(states.time_wait, host, to)
    pairs[f"zero window {kind}"] = run(states.zero_window, host, to)
    pairs[f"unread {kind}"] = run(queues.unread, 1000, host, to)
    pairs[f"keepalive {kind}"] = run(queues.keepalive, 7000, 75, host, to)
    zoo.sockets[f"close-wait {kind}"] = run(states.close_wait, host, to)
    zoo.sockets[f"close-wait unread {kind}"] = run(states.close_wait, host, to, unread=10)
    zoo.sockets[f"close-wait not accepted {kind}"] = run(states.gone_before_accept, host, to)


def _closing_down(zoo: Zoo, kind: str, host: str) -> None:
    run = zoo.namespace.run
    zoo.sockets[f"syn-sent {kind}"] = run(states.syn_sent, host)
    zoo.sockets[f"bound {kind}"] = run(states.bound, host)
    zoo.sockets[f"reset {kind}"] = run(states.reset_by_peer, host)
    for orphan in (False, True):
        name = f"orphan {kind}" if orphan else kind
        zoo.pairs[f"fin-wait1 {name}"] = run(states.fin_wait1, host, orphan=orphan)
        zoo.pairs[f"closing {name}"] = run(states.closing, host, orphan=orphan)
        zoo.pairs[f"last-ack {name}"] = run(states.last_ack, host, orphan=orphan)


def _listeners(zoo: Zoo) -> None:
    run, made = zoo.namespace.run, zoo.sockets
    for host in ("127.0.0.1", "0.0.0.0", "::1", "::"):
        made[f"listen {host}"] = run(sockets.listening, host)
    made["listen v6only"] = run(sockets.listening, "::", v6only=True)
    made["listen device"] = run(sockets.listening, "127.0.0.1", device="lo")
    made["listen link-local"] = run(sockets.listening, veth.CLIENT.local)
    made["overflow"] = run(queues.accept_overflow)
    for number, held in enumerate(run(queues.reuse_port, 3)):
        made[f"reuse-port {number}"] = held


def _over_the_link(zoo: Zoo) -> None:
    """Connections to the peer, one of which goes dark with data in flight."""
    run, made = zoo.namespace.run, zoo.sockets
    server_end = veth.SERVER
    for name, host in (
        ("v4", server_end.v4),
        ("v6", server_end.v6),
        ("link-local", server_end.local),
    ):
        server = zoo.peer.run(sockets.listening, host)
        made[f"remote {name}"] = run(sockets.connected, host, server.local[1])
    made["syn-sent nobody"] = run(sockets.dialing, veth.NOBODY, 80)
    made["syn-sent nobody6"] = run(sockets.dialing, veth.NOBODY6, 80)
    made["retransmitting"] = retransmitting(zoo.namespace, zoo.peer)


def retransmitting(client: DemoNamespace, server: DemoNamespace) -> HeldSockets:
    """A client whose data nobody acknowledges, for the link to the server is dead now."""
    listener = server.run(sockets.listening, veth.SERVER.v4)
    made = client.run(sockets.connected, veth.SERVER.v4, listener.local[1])
    veth.black_hole(client, veth.SERVER)
    client.run(send, made.fd, 500)
    return made
