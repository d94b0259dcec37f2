"""Many sockets of six processes in a private network namespace, for measuring at scale."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager

CLONE_NEWNET = 0x40000000
PAIRS = 3
PORT = 7000


@contextmanager
def crowd(sockets: int) -> Iterator[int]:
    """Yields the pid of a process in the namespace; gone when the context ends. Root only."""
    ready, tell = os.pipe()
    keeper = os.fork()
    if keeper == 0:
        os.close(ready)
        _keep(sockets // (2 * PAIRS), tell)
    os.close(tell)
    try:
        if os.read(ready, 1) != b"+":
            raise RuntimeError("the crowd could not be made")
        yield keeper
    finally:
        os.close(ready)
        os.killpg(keeper, signal.SIGKILL)
        os.waitpid(keeper, 0)


def _keep(pairs: int, tell: int) -> None:
    os.setpgid(0, 0)
    ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET)
    os.system("ip link set lo up")
    resource.setrlimit(resource.RLIMIT_NOFILE, (pairs + 100, pairs + 100))
    children = [_couple(PORT + index, pairs) for index in range(PAIRS)]
    for done, *_ in children:
        os.read(done, 1)
    os.write(tell, b"+")
    signal.pause()


def _couple(port: int, pairs: int) -> tuple[int, ...]:
    """A server and a client process joined by `pairs` connections."""
    listener = socket.create_server(("127.0.0.1", port), backlog=4096)
    done, tell = os.pipe()
    server = os.fork()
    if server == 0:
        kept = [listener.accept()[0] for _ in range(pairs)]
        signal.pause()
        sys.exit(len(kept))
    listener.close()
    client = os.fork()
    if client == 0:
        kept = [socket.create_connection(("127.0.0.1", port)) for _ in range(pairs)]
        os.write(tell, b"+")
        signal.pause()
        sys.exit(len(kept))
    return done, server, client
