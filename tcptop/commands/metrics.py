"""`tcptop metrics`: samples for Prometheus, over HTTP or in a file for node_exporter."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from tcptop.commands.errors import DONE, one_line, tell
from tcptop.commands.filter import selected
from tcptop.commands.source import OWNERS_BUDGET_S, check_via, home, source
from tcptop.commands.stopping import SignalStop
from tcptop.options import MetricsOptions

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry
    from prometheus_client.core import Metric

    from tcptop.analysis.watch import WatchLoop
    from tcptop.commands.metrics_server import MetricsServer
    from tcptop.model.snapshot import Snapshot

LISTEN = ("127.0.0.1", 9817)
NODE_EXPORTER = 0o644  # it is another user, who has to read the file


class Exposition:
    """What is served: made by the thread that samples, encoded by those that are asked."""

    def __init__(self) -> None:
        from tcptop.views.metrics.scrape import Scrape

        self._scrape = Scrape()
        self._served: list[Metric] = []

    def understand(self, snapshot: Snapshot) -> None:
        self._served = self._scrape.understood(selected(snapshot, None))

    def failed(self) -> None:
        """What was known before stays, with the time of that sample."""
        self._scrape.failures += 1

    def collect(self) -> list[Metric]:
        """For prometheus_client's registry."""
        return self._served + self._scrape.counted()


def run(chosen: MetricsOptions) -> int:
    """Until a signal; with --once a single sample."""
    from tcptop.analysis.watch import WatchLoop
    from tcptop.commands.effective import decided

    check_via(chosen)
    user = decided(chosen, home=home(chosen))
    exposition = Exposition()
    registry = _registry(exposition)
    if chosen.once:
        with source(chosen) as live_source:
            loop = WatchLoop(live_source, user.findings)
            exposition.understand(loop.completed(loop.step()))
        _write(registry, chosen.textfile)
        return DONE
    with _server(chosen) as server, source(chosen, OWNERS_BUDGET_S) as live_source:
        stop = SignalStop()
        loop = WatchLoop(live_source, user.findings)
        exposition.understand(loop.step())
        if server is not None:
            tell(f"http://{server.start(registry)}/metrics; Ctrl-C ends it")
        _go_on(loop, user.interval, stop, exposition, _writer(registry, chosen))
    return stop.code


def _registry(exposition: Exposition) -> CollectorRegistry:
    """With what this process itself takes."""
    from prometheus_client import CollectorRegistry, ProcessCollector

    registry = CollectorRegistry(auto_describe=False)
    registry.register(exposition)
    ProcessCollector(registry=registry)
    return registry


def _go_on(
    loop: WatchLoop,
    interval: float,
    stop: SignalStop,
    exposition: Exposition,
    write: Callable[[], None],
) -> None:
    """A sample that fails, or a file that cannot be written, is told once and tried again."""
    said = ""
    while True:
        try:
            write()
            if loop.wait(interval, stop):
                return
            exposition.understand(loop.step())
            said = ""
        except (OSError, ValueError) as error:
            exposition.failed()
            if said != one_line(error):
                said = one_line(error)
                tell(f"trying again: {said}")
            if loop.wait(interval, stop):
                return


def _writer(registry: CollectorRegistry, chosen: MetricsOptions) -> Callable[[], None]:
    if chosen.textfile is None:
        return lambda: None
    return lambda: _write(registry, chosen.textfile)


def _write(registry: CollectorRegistry, path: str | None) -> None:
    """The whole file, or nothing of it."""
    from prometheus_client import generate_latest

    from tcptop.views import output

    with output.opened(path) as out:
        out.write(generate_latest(registry).decode())
    if path is not None:
        with suppress(OSError):
            os.chmod(path, NODE_EXPORTER)


@contextmanager
def _server(chosen: MetricsOptions) -> Iterator[MetricsServer | None]:
    """In the shell's namespace, whatever is looked at; None where a file alone is asked for."""
    if chosen.listen is None and chosen.textfile is not None:
        yield None
        return
    from tcptop.commands.metrics_server import bound

    with bound(*(chosen.listen or LISTEN)) as server:
        yield server
