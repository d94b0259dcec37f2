"""What tests of ports, rates and limits do inside a namespace, and how they look at it."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress

from tcptop.analysis.derive import derive
from tcptop.analysis.findings.settings import FindingSettings
from tcptop.demo import held, sockets
from tcptop.demo.held import HeldSockets
from tcptop.demo.namespace import DemoNamespace
from tcptop.model.finding import Finding
from tcptop.model.sample import Sample
from tcptop.model.snapshot import Snapshot
from tests.kernel import states
from tests.kernel.snapshots import Watch

PATIENCE_S = 40.0
STEP_S = 0.5


class SetWatch(Watch):
    """A watch with thresholds of its own."""

    def __init__(self, namespace: DemoNamespace, limits: Mapping[str, Mapping[str, float]]) -> None:
        super().__init__(namespace)
        self.settings = FindingSettings(limits)

    def __enter__(self) -> SetWatch:
        return self

    def feed(self, sample: Sample) -> Snapshot:
        snapshot, self.history = derive(sample, self.history, self.settings)
        return snapshot

    def findings(self) -> dict[str, Finding]:
        """By id, the worst of each."""
        return {finding.id: finding for finding in reversed(self.snapshot().findings)}

    def until(self, seen: Callable[[dict[str, Finding]], bool], what: str) -> dict[str, Finding]:
        """Look until the findings are so. Raises TimeoutError."""
        deadline = time.monotonic() + PATIENCE_S
        while not seen(found := self.findings()):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{what}: {sorted(found)}")
            time.sleep(STEP_S)
        return found

    def during(self, seconds: float) -> set[str]:
        """The ids of all that is found in that time."""
        deadline, ids = time.monotonic() + seconds, set[str]()
        while time.monotonic() < deadline:
            ids |= set(self.findings())
            time.sleep(STEP_S)
        return ids


def hang_up_first(fd: int) -> None:
    """A server that answers nothing and closes each connection at once, in a thread."""
    listener = held.get(fd)
    listener.settimeout(None)

    def work() -> None:
        while True:
            listener.accept()[0].close()

    threading.Thread(target=work, daemon=True).start()


def call(host: str, port: int, per_s: float, *, linger: bool = True) -> None:
    """A client with a new connection each time, for the other end to close first, in a thread.

    Without `linger` it resets each one at once instead, as a health check does.
    """

    def work() -> None:
        while True:
            with suppress(OSError):
                made = sockets.connected(host, port)
                if linger:
                    held.receive(made.fd, 1)
                    held.close(made.fd)
                else:
                    held.reset(made.fd)
            time.sleep(1 / per_s)

    threading.Thread(target=work, daemon=True).start()


def churned(host: str, port: int, listener_fd: int, count: int) -> None:
    """Connections that this process opened, closed first, and that the server closed then."""
    for _ in range(count):
        client = sockets.connected(host, port)
        server = sockets.accepted(listener_fd)
        held.close(client.fd)
        held.receive(server.fd, 1)
        held.close(server.fd)


def bound_and_connected(source: str, host: str, port: int, count: int) -> list[HeldSockets]:
    return [sockets.connected(host, port, source) for _ in range(count)]


def connected(host: str, port: int, count: int) -> list[HeldSockets]:
    return [sockets.connected(host, port) for _ in range(count)]


def bound(host: str, count: int) -> list[HeldSockets]:
    return [states.bound(host) for _ in range(count)]


def reset_all(fds: list[int]) -> None:
    held.reset(*fds)


def stream(fds: list[int], per_s: float) -> None:
    """Small writes on each connection, in a thread; whoever is at the other end need not read."""

    def work() -> None:
        while True:
            for fd in fds:
                with suppress(BlockingIOError):
                    held.send(fd, 100)
            time.sleep(1 / per_s)

    for fd in fds:
        held.get(fd).setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    threading.Thread(target=work, daemon=True).start()
