"""What tests of listeners in trouble do inside a namespace, and how they look at it."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from contextlib import suppress

from tcptop.demo import held, sockets
from tcptop.demo.held import HeldSockets
from tcptop.model.finding import Finding
from tests.kernel.snapshots import Watch

PATIENCE_S = 40.0
STEP_S = 0.5


def deferring(port: int, backlog: int) -> HeldSockets:
    """A listener that wants a request before it takes a connection (TCP_DEFER_ACCEPT)."""
    made = sockets.listening("127.0.0.1", port, backlog)
    held.option(made.fd, socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 10)
    return made


def shrink(fd: int, backlog: int) -> None:
    """listen() again, with less."""
    held.get(fd).listen(backlog)


def dial(host: str, port: int, count: int) -> list[HeldSockets]:
    return [sockets.dialing(host, port) for _ in range(count)]


def send(fds: list[int], size: int) -> None:
    for fd in fds:
        held.send(fd, size)


def drain(fd: int) -> int:
    """Accept all that wait, and hang up; how many there were."""
    listener, count = held.get(fd), 0
    listener.setblocking(False)
    with suppress(BlockingIOError):
        while True:
            listener.accept()[0].close()
            count += 1
    return count


def until(
    watch: Watch, seen: Callable[[dict[str, Finding]], bool], what: str
) -> dict[str, Finding]:
    """Look every half second until the findings, by id, are so. Raises TimeoutError."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        found = {finding.id: finding for finding in watch.snapshot().findings}
        if seen(found):
            return found
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}; there is {[f.title for f in found.values()]}")
        time.sleep(STEP_S)


def during(watch: Watch, times: int) -> set[str]:
    """Ids that were found in that many looks."""
    found: set[str] = set()
    for _ in range(times):
        found |= {finding.id for finding in watch.snapshot().findings}
        time.sleep(STEP_S)
    return found
