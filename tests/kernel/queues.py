"""Queues that fill up and ports that run out; every function runs inside a namespace."""

import errno

from tcptop.demo import held, syn
from tcptop.demo.held import HeldSockets
from tcptop.demo.sockets import LOOPBACK, connected, dialing, listening
from tests.kernel.states import SocketPair, established


def accept_overflow(host: str = LOOPBACK, backlog: int = 5, clients: int = 12) -> HeldSockets:
    """A listener that never accepts; backlog + 1 clients are queued, the rest stay in SYN_SENT."""
    listener = listening(host, backlog=backlog)
    for _ in range(clients):
        dialing(host, listener.local[1])
    return listener


def unread(size: int, host: str = LOOPBACK, to: str | None = None) -> SocketPair:
    """A server with `size` bytes that it does not read."""
    pair = established(host, to)
    held.send(pair.client.fd, size)
    held.until(lambda: held.unread(pair.server.fd) == size, f"{size} bytes to arrive")
    return pair


def keepalive(idle: int, interval: int, host: str = LOOPBACK, to: str | None = None) -> SocketPair:
    """A client with the keepalive timer, its server without; `idle` and `interval` in seconds."""
    pair = established(host, to)
    held.keep_alive(pair.client.fd, idle, interval)
    return pair


def reuse_port(count: int, host: str = LOOPBACK) -> list[HeldSockets]:
    """Several listeners on one port (SO_REUSEPORT)."""
    first = listening(host, reuse_port=True)
    rest = [listening(host, first.local[1], reuse_port=True) for _ in range(count - 1)]
    return [first, *rest]


def exhaust(
    host: str, port: int, *, bind_to: str | None = None, limit: int = 100
) -> list[HeldSockets]:
    """Connect to a listener until the kernel has no port left, or `limit` connections exist.

    With `bind_to` each socket is bound to port 0 first, which takes a port from all destinations.
    """
    made: list[HeldSockets] = []
    while len(made) < limit:
        try:
            made.append(connected(host, port, bind_to))
        except OSError as error:
            if error.errno not in (errno.EADDRNOTAVAIL, errno.EADDRINUSE):
                raise
            break
    return made


def send_syns(destination: str, port: int, count: int) -> None:
    """Send SYNs from `count` addresses of `veth.SPOOFED`.

    The answers are routed to a neighbour that is not there, so the half-open connections stay.
    """
    for number in range(count):
        syn.send_one(destination, port, number, count)
