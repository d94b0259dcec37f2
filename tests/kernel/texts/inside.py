"""Sockets of a namespace in the hands of a test: made there, and seen as the kernel tells them."""

from __future__ import annotations

import os
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from tcptop.demo.namespace import DemoNamespace
from tcptop.sources.counters import read_kernel
from tcptop.sources.sock_diag import SockDiag

# Offsets in struct tcp_info (linux/tcp.h).
RETRANSMITS, BACKOFF, OPTIONS, SND_MSS, UNACKED, NOTSENT_BYTES = 2, 4, 5, 16, 24, 144
TIMESTAMPS, SACK, SCALED = 1, 2, 4  # bits of OPTIONS


class Ends(NamedTuple):
    """A connection: who called, and who was called."""

    client: socket.socket
    server: socket.socket


class Row(NamedTuple):
    """A socket as sock_diag shows it."""

    state: int
    recv_q: int
    send_q: int
    timer: int
    expires: int  # ms
    retrans: int


def listener(host: str, backlog: int = 16, port: int = 0, *, shared: bool = False) -> socket.socket:
    """In the namespace of the calling thread; `shared`: with SO_REUSEPORT."""
    made = socket.socket()
    if shared:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    made.bind((host, port))
    made.listen(backlog)
    return made


def connected(client: DemoNamespace, server: DemoNamespace, host: str) -> Ends:
    with server.entered():
        waiting = listener(host)
    with client.entered():
        ours = socket.create_connection(waiting.getsockname(), timeout=5)
    theirs, _ = waiting.accept()
    waiting.close()
    return Ends(ours, theirs)


def row(namespace: DemoNamespace, made: socket.socket) -> Row:
    """Raises ValueError where there is none."""
    with namespace.entered(), SockDiag(namespace.inode) as diag:
        table = diag.dump()
    (place,) = (table.inode == os.fstat(made.fileno()).st_ino).nonzero()[0].tolist()
    return Row(*(int(getattr(table, name)[place]) for name in Row._fields))


def states(namespace: DemoNamespace) -> list[int]:
    """Of every socket but the listeners."""
    with namespace.entered(), SockDiag(namespace.inode) as diag:
        found: list[int] = diag.dump().state.tolist()
    return [state for state in found if state != 10]


def info_byte(made: socket.socket, offset: int) -> int:
    return made.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)[offset]


def info_number(made: socket.socket, offset: int) -> int:
    info = made.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
    (number,) = struct.unpack_from("I", info, offset)
    return int(number)


def error(made: socket.socket) -> int:
    """What the next call would fail with; 0 for nothing. It is taken by that."""
    return made.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)


def error_within(made: socket.socket, seconds: float) -> tuple[int, float]:
    """The error that ends a connection, and after how long."""
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        if found := error(made):
            return found, time.monotonic() - began
        time.sleep(0.01)
    raise TimeoutError(f"no error within {seconds} s")


@contextmanager
def counted(namespace: DemoNamespace) -> Iterator[dict[str, int]]:
    """By how much the counters of Tcp and TcpExt rise; filled when the block ends."""
    before = _counters(namespace)
    risen: dict[str, int] = {}
    yield risen
    risen.update({name: now - before[name] for name, now in _counters(namespace).items()})


def counter(namespace: DemoNamespace, name: str) -> int:
    return _counters(namespace)[name]


def _counters(namespace: DemoNamespace) -> dict[str, int]:
    kernel = namespace.in_thread(read_kernel, namespace.inode)
    return {**kernel.counters["TcpExt"], **kernel.counters["Tcp"]}
