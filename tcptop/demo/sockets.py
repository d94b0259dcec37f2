"""The steps of a TCP connection, one function each, for a process that holds sockets.

Every function runs inside a namespace and keeps what it makes (see `held`). Addresses are numeric;
"fe80::1%v0" has a scope.
"""

import socket
from typing import Any

from tcptop.demo.held import HeldSockets, get, hold

LOOPBACK = "127.0.0.1"


def listening(
    host: str = LOOPBACK,
    port: int = 0,
    backlog: int = 16,
    *,
    v6only: bool | None = None,
    reuse_port: bool = False,
    device: str | None = None,
    receive_buffer: int = 0,
) -> HeldSockets:
    """LISTEN; `device` is for SO_BINDTODEVICE; `receive_buffer` is what connections inherit."""
    made = _new_socket(host)
    if receive_buffer:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if v6only is not None:
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, v6only)
    if reuse_port:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    if device:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
    made.bind(_resolve(host, port))
    made.listen(backlog)
    return hold(made)


def connected(
    host: str, port: int, source: str | None = None, *, send_buffer: int = 0
) -> HeldSockets:
    """The client's end, once the handshake is done."""
    made = _new_socket(host)
    if send_buffer:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer)
    made.settimeout(5)
    if source:
        made.bind(_resolve(source, 0))
    made.connect(_resolve(host, port))
    return hold(made)


def dialing(host: str, port: int) -> HeldSockets:
    """A connect() that is not waited for: SYN_SENT while nobody answers."""
    made = _new_socket(host)
    made.setblocking(False)
    made.connect_ex(_resolve(host, port))
    return hold(made)


def accepted(listener_fd: int) -> HeldSockets:
    """The next connection of a listener that this process holds."""
    get(listener_fd).settimeout(5)
    return hold(get(listener_fd).accept()[0])


def _new_socket(host: str) -> socket.socket:
    """A TCP socket of the address's family."""
    return socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)


def _resolve(host: str, port: int) -> tuple[Any, ...]:
    """The address that bind() and connect() want, with the scope id of a link-local one."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    return found[0][4]
