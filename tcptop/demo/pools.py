"""Many connections at once, as the pool of a program has; functions that run in its process."""

import os
import resource
import socket

from tcptop.demo import held, sockets
from tcptop.demo.held import CLOSE_WAIT, FIN_WAIT2, HeldSockets, keep_alive, until, wait_for_state

_KEEPALIVE_S = 60  # sooner than any NAT forgets


def connect(host: str, port: int, count: int, *, keepalive: bool = True) -> list[HeldSockets]:
    """`count` connections to a listener with room for them, kept alive as they should be."""
    made = [sockets.connected(host, port) for _ in range(count)]
    for each in made if keepalive else []:
        keep_alive(each.fd, _KEEPALIVE_S, 10)
    return made


def accept(listener_fd: int, count: int) -> list[HeldSockets]:
    """The next connections of a listener."""
    return [sockets.accepted(listener_fd) for _ in range(count)]


def send(fds: list[int], size: int) -> None:
    """Send `size` bytes on each."""
    for fd in fds:
        held.send(fd, size)


def read(fds: list[int]) -> None:
    """Read on each what has come, or comes soon."""
    for fd in fds:
        held.receive(fd, 65536)


def shut(fds: list[int]) -> None:
    """Half-close each, and wait until the other end's kernel has agreed."""
    for fd in fds:
        held.shut(fd)
    for fd in fds:
        wait_for_state(held.get(fd), FIN_WAIT2)


def ended(fds: list[int]) -> None:
    """Wait until the other end has closed each."""
    for fd in fds:
        wait_for_state(held.get(fd), CLOSE_WAIT)


def read_to_the_end(fds: list[int]) -> None:
    """Read each until its end of file, and keep it open."""
    for fd in fds:
        while held.receive(fd, 65536):
            pass


def hang_up(fds: list[int]) -> None:
    """Close after the other end has: no TIME_WAIT stays here."""
    read_to_the_end(fds)
    held.close(*fds)


def arrived(fds: list[int], size: int) -> None:
    """Wait until `size` unread bytes are there, on each."""
    until(lambda: all(held.unread(fd) == size for fd in fds), f"{size} bytes to arrive")


def limit_fds(most: int) -> None:
    """Let this process open no more than that (the soft limit of RLIMIT_NOFILE)."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def open_fds() -> int:
    return len(os.listdir("/proc/self/fd")) - 1  # without the one that lists them


def no_delay(fds: list[int]) -> None:
    """Switch Nagle's rule off."""
    for fd in fds:
        held.option(fd, socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
