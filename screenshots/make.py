"""Draws the live view of real sockets in trouble, headless. As root: python -m screenshots.make."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from textual.pilot import Pilot

from tcptop import options
from tcptop.commands.watching import OWNERS_BUDGET_S, source
from tcptop.demo import held, owners, queues, sockets, states
from tcptop.demo.namespace import Namespace
from tcptop.model.sample import Sample
from tcptop.sources.names import SystemNames
from tcptop.tui.app import Settings, TcptopApp
from tcptop.tui.collector import Source

HERE = Path(__file__).parent
SIZE = (100, 30)
LOOKS = 7  # until rates and trends are there
INTERVAL_S = 0.5

# What is pressed before each picture.
PICTURES = {
    "processes": "1",
    "connections": "2",
    "listeners": "3",
    "ports": "4",
    "kernel": "6",
    "connection": "2 enter",
    "help": "2 question_mark",
}


def furnish(namespace: Namespace) -> None:
    """A web server, a leaking worker, a stuck client, and a pool that runs out of ports."""
    namespace.sysctl("net.ipv4.ip_local_port_range", "40000 40063")
    web, leak, client, pool = (namespace.helper() for _ in range(4))
    for holder, name in ((web, b"nginx"), (leak, b"java"), (client, b"curl"), (pool, b"gunicorn")):
        holder.run(owners.rename, name)
    http = web.run(sockets.listening, "0.0.0.0", 8080, 128)
    for _ in range(12):
        client.run(sockets.connected, "127.0.0.1", 8080)
        web.run(sockets.accepted, http.fd)
    for _ in range(5):
        leak.run(states.close_wait, unread=300)
    client.run(states.zero_window)
    web.run(queues.accept_overflow, clients=9)
    database = leak.run(sockets.listening, "127.0.0.9", 5432, 64)
    pool.run(queues.exhaust, "127.0.0.9", database.local[1], limit=48)


def churn(namespace: Namespace) -> Callable[[], None]:
    """A connection that talks, and another one with each call: rates and changes to be seen."""
    server = namespace.helper()
    server.run(owners.rename, b"redis-server")
    listener = server.run(sockets.listening, "127.0.0.1", 6379, 128)
    talking = server.run(sockets.connected, "127.0.0.1", 6379)
    other = server.run(sockets.accepted, listener.fd)

    def once() -> None:
        server.run(held.send, talking.fd, 20_000)
        server.run(held.receive, other.fd, 20_000)
        server.run(sockets.connected, "127.0.0.1", 6379)
        server.run(sockets.accepted, listener.fd)

    return once


@dataclass
class Anonymous:
    """A source that does not tell on which machine the pictures were made."""

    real: Source

    def sample(self) -> Sample:
        sample = self.real.sample()
        people = {
            pid: replace(process, cmdline=f"/usr/bin/{process.name}")
            for pid, process in sample.owners.processes.items()
        }
        owners = replace(sample.owners, processes=people)
        host = replace(sample.host, hostname="shop-1")
        return replace(sample, host=host, owners=owners, notes=())

    def wait(self, seconds: float, stopped: threading.Event) -> bool:
        return self.real.wait(seconds, stopped)


@contextmanager
def anonymous(pid: int) -> Iterator[Source]:
    with source(options.parse(["--netns", str(pid)]), OWNERS_BUDGET_S) as real:
        yield Anonymous(real)


async def draw(pid: int, busy: Callable[[], None]) -> None:
    settings = Settings(interval=INTERVAL_S, scope="netns shop", user="root")
    app = TcptopApp(lambda: anonymous(pid), SystemNames(), settings)
    async with app.run_test(size=SIZE) as pilot:
        await looked(app, pilot, busy)
        for name, pressed in PICTURES.items():
            await pilot.press(*pressed.split())
            await pilot.pause()
            app.save_screenshot(f"{name}.svg", str(HERE))
            await pilot.press(*["escape"] * (len(pressed.split()) - 1))


async def looked(app: TcptopApp, pilot: Pilot[None], busy: Callable[[], None]) -> None:
    """Wait for some looks, with something going on between them."""
    seen = 0
    last: object = None
    while seen < LOOKS:
        newest = app.session.newest
        if newest is not last:
            last, seen = newest, seen + 1
            await asyncio.to_thread(busy)
        await pilot.pause(0.02)


def main() -> None:
    with Namespace() as namespace:
        furnish(namespace)
        asyncio.run(draw(namespace.pid, churn(namespace)))


if __name__ == "__main__":
    main()
