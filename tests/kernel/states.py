"""Connections in each TCP state, both ends in one namespace and without packet loss.

Every function runs inside a namespace and keeps what it makes (`tcptop.demo.held`). `host` is where
the server listens; `to` is what the client dials, if not the same: ("::", "127.0.0.1") is an IPv4
client of a dual-stack server.

A sender that has more to send than its peer will take never gets its FIN out. That holds
FIN_WAIT1, LAST_ACK and CLOSING for minutes, where a healthy network passes through them at once.
"""

import socket
from typing import NamedTuple

from tcptop.demo import held
from tcptop.demo.held import CLOSE_WAIT, FIN_WAIT2, HeldSockets, get, hold, wait_for_state
from tcptop.demo.sockets import LOOPBACK, accepted, connected, dialing, listening

# include/net/tcp_states.h
FIN_WAIT1, LAST_ACK, CLOSING = 4, 9, 11
_SMALL_BUFFER = 8192  # bytes: full after a few segments


class SocketPair(NamedTuple):
    """The two ends of a connection."""

    client: HeldSockets
    server: HeldSockets


def established(host: str = LOOPBACK, to: str | None = None, *, buffer: int = 0) -> SocketPair:
    """ESTABLISHED at both ends, accepted and idle; their listener is closed again."""
    listener = listening(host, receive_buffer=buffer)
    client = connected(to or host, listener.local[1], send_buffer=buffer)
    server = accepted(listener.fd)
    held.close(listener.fd)
    return SocketPair(client, server)


def syn_sent(host: str = LOOPBACK) -> HeldSockets:
    """SYN_SENT to a listener whose accept queue is full, which drops SYNs without a word."""
    listener = listening(host, backlog=0)
    connected(host, listener.local[1])
    return dialing(host, listener.local[1])


def syn_recv(host: str = LOOPBACK, to: str | None = None) -> SocketPair:
    """The client's end, and the listener with SYN_RECV: under TCP_DEFER_ACCEPT a client that sends
    nothing stays there, although it believes to be connected."""
    listener = listening(host)
    held.option(listener.fd, socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 60)
    return SocketPair(connected(to or host, listener.local[1]), listener)


def not_accepted(host: str = LOOPBACK, to: str | None = None) -> SocketPair:
    """The client's end, and the listener whose accept queue holds the other end."""
    listener = listening(host)
    return SocketPair(connected(to or host, listener.local[1]), listener)


def gone_before_accept(host: str = LOOPBACK, to: str | None = None) -> HeldSockets:
    """The listener whose accept queue holds a connection in CLOSE_WAIT."""
    client, listener = not_accepted(host, to)
    _finish(client.fd, FIN_WAIT2, orphan=True)
    return listener


def close_wait(
    host: str = LOOPBACK, to: str | None = None, *, unread: int | None = None
) -> HeldSockets:
    """CLOSE_WAIT whose owner has read to the end of file, or has left `unread` bytes.

    The client's end is left as a FIN_WAIT2 mini-socket for tcp_fin_timeout.
    """
    client, server = established(host, to)
    if unread:
        held.send(client.fd, unread)
    _finish(client.fd, FIN_WAIT2, orphan=True)
    if unread is None:
        held.receive(server.fd, 1)
    return server


def fin_wait2(host: str = LOOPBACK, to: str | None = None) -> SocketPair:
    """FIN_WAIT2 with a file descriptor, so without end; the server is in CLOSE_WAIT, Recv-Q 1."""
    pair = established(host, to)
    held.shut(pair.client.fd)
    wait_for_state(get(pair.client.fd), FIN_WAIT2)
    return pair


def time_wait(host: str = LOOPBACK, to: str | None = None) -> SocketPair:
    """TIME_WAIT at the client's end; both sockets are closed."""
    pair = established(host, to)
    held.close(pair.client.fd)
    held.receive(pair.server.fd, 1)
    held.close(pair.server.fd)
    return pair


def zero_window(host: str = LOOPBACK, to: str | None = None) -> SocketPair:
    """A client with unsent data and the persist timer, a server that does not read."""
    pair = established(host, to, buffer=_SMALL_BUFFER)
    held.fill(pair.client.fd)
    return pair


def fin_wait1(host: str = LOOPBACK, *, orphan: bool = False) -> SocketPair:
    """FIN_WAIT1 at the client's end, with its FIN behind unsent data."""
    pair = zero_window(host)
    _finish(pair.client.fd, FIN_WAIT1, orphan)
    return pair


def closing(host: str = LOOPBACK, *, orphan: bool = False) -> SocketPair:
    """CLOSING at the client's end: the server's FIN came, its own waits behind unsent data."""
    pair = fin_wait1(host)
    held.shut(pair.server.fd)
    _settle(pair.client.fd, CLOSING, orphan)
    return pair


def last_ack(host: str = LOOPBACK, *, orphan: bool = False) -> SocketPair:
    """LAST_ACK at the client's end: it closes after the server, behind unsent data."""
    pair = zero_window(host)
    held.shut(pair.server.fd)
    wait_for_state(get(pair.client.fd), CLOSE_WAIT)
    _finish(pair.client.fd, LAST_ACK, orphan)
    return pair


def reset_by_peer(host: str = LOOPBACK) -> HeldSockets:
    """An open descriptor whose socket is in no dump, for the peer has reset it."""
    client, server = established(host)
    held.reset(client.fd)
    wait_for_state(get(server.fd), 7)  # TCP_CLOSE
    return server


def _finish(fd: int, state: int, orphan: bool) -> None:
    held.shut(fd)
    _settle(fd, state, orphan)


def _settle(fd: int, state: int, orphan: bool) -> None:
    wait_for_state(get(fd), state)
    if orphan:
        held.close(fd)


def bound(host: str = LOOPBACK, port: int = 0) -> HeldSockets:
    """Bound and inactive: it holds a port and is in no state that ss shows."""
    made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    made.bind((host, port))
    return hold(made)
