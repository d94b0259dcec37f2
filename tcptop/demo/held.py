"""The sockets that a process keeps open, by file descriptor, and what to do to them later.

All of it runs inside a holder: `namespace.run(held.close, made.fd)`.
"""

import fcntl
import os
import signal
import socket
import struct
import sys
import termios
import time
from collections.abc import Callable
from dataclasses import dataclass

from tcptop.demo import linux

HeldEnd = tuple[str, int]

FIN_WAIT2, CLOSE_WAIT = 5, 8  # include/net/tcp_states.h
_UNACKED, _NOTSENT_BYTES = 24, 144  # offsets in struct tcp_info (linux/tcp.h)

_sockets: dict[int, socket.socket] = {}


@dataclass(frozen=True)
class HeldSockets:
    """A socket held open, as ss and /proc show it. `fd` is the handle for the functions here."""

    pid: int
    fd: int
    inode: int
    local: HeldEnd
    remote: HeldEnd | None


def hold(made: socket.socket) -> HeldSockets:
    """Keep a socket open until `close`, or until the process ends."""
    _sockets[made.fileno()] = made
    return _describe(made)


def get(fd: int) -> socket.socket:
    """A socket that this process holds. Raises KeyError."""
    return _sockets[fd]


def close(*fds: int) -> None:
    """Close sockets in the ordinary way."""
    for fd in fds:
        _sockets.pop(fd).close()


def close_all() -> None:
    """Close whatever this process holds."""
    close(*_sockets)


def leave_to_a_child(name: bytes, fds: list[int]) -> int:
    """Fork a job that keeps what this process has open and sleeps, and close these here."""
    parent = os.getpid()
    child = os.fork()
    if child == 0:
        try:
            linux.die_with_parent()
            linux.set_name(name)
            while os.getppid() == parent:
                time.sleep(60)
        finally:
            os._exit(0)
    close(*fds)
    return child


def end(child: int) -> None:
    """Kill a job of this process."""
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def reset(*fds: int) -> None:
    """Close sockets with a RST (SO_LINGER 0): neither end lingers in any state."""
    for fd in fds:
        linger = struct.pack("ii", 1, 0)
        get(fd).setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        close(fd)


def shut(fd: int) -> None:
    """Send a FIN and keep the socket: shutdown(SHUT_WR)."""
    get(fd).shutdown(socket.SHUT_WR)


def send(fd: int, size: int) -> int:
    """Send up to `size` bytes without waiting; how many the kernel took."""
    get(fd).setblocking(False)
    return get(fd).send(bytes(size))


def fill(fd: int) -> None:
    """Send until no more is taken and all that the peer would take is acknowledged."""
    sender = get(fd)
    sender.setblocking(False)
    try:
        while True:
            sender.send(bytes(65536))
    except BlockingIOError:
        until(lambda: _stuck(sender), "a closed window")


def _stuck(sender: socket.socket) -> bool:
    info = tcp_info(sender)
    (unacked,) = struct.unpack_from("I", info, _UNACKED)
    (unsent,) = struct.unpack_from("I", info, _NOTSENT_BYTES)
    return bool(unacked == 0 and unsent)


def receive(fd: int, size: int) -> int:
    """Read up to `size` bytes; 0 is the end of file."""
    get(fd).settimeout(5)
    return len(get(fd).recv(size))


def unread(fd: int) -> int:
    """How many bytes wait to be read (FIONREAD)."""
    answer = fcntl.ioctl(fd, termios.FIONREAD, bytes(4))
    return int.from_bytes(answer, sys.byteorder)


def option(fd: int, level: int, name: int, value: int) -> None:
    """Set a socket option."""
    get(fd).setsockopt(level, name, value)


def keep_alive(fd: int, idle: int, interval: int) -> None:
    """Switch keepalive on for a held socket; the times in seconds."""
    option(fd, socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, idle)
    option(fd, socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, interval)
    option(fd, socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)


def tcp_info(made: socket.socket) -> bytes:
    """struct tcp_info (linux/tcp.h)."""
    return made.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)


def wait_for_state(made: socket.socket, state: int) -> None:
    """Wait until a socket has reached a state, by the kernel's number. Raises TimeoutError."""
    until(lambda: tcp_info(made)[0] == state, f"TCP state {state}")


def until(condition: Callable[[], bool], what: str, timeout: float = 20.0) -> None:
    """Poll a condition. Raises TimeoutError that says what did not happen."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {timeout} s: {what}")
        time.sleep(0.005)


def _describe(made: socket.socket) -> HeldSockets:
    fd = made.fileno()
    try:
        remote = _address(made.getpeername())
    except OSError:
        remote = None
    return HeldSockets(os.getpid(), fd, os.fstat(fd).st_ino, _address(made.getsockname()), remote)


def _address(name: tuple[str, int]) -> HeldEnd:
    return name[0], name[1]
