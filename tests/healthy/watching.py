"""Loads run side by side, and tcptop looks at each of them as `tcptop check` does."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from tcptop.model import tcp
from tcptop.model.finding import Finding
from tcptop.model.snapshot import Snapshot
from tests.healthy.load import Load, place
from tests.kernel.snapshots import Watch

INTERVAL_S, LISTENERS_S = 1.0, 0.2


@dataclass
class Watched:
    """One side of a load under watch. `looks` are oldest first."""

    load: Load
    side: str
    watch: Watch
    began: float = 0.0
    first: Snapshot | None = None
    last: Snapshot | None = None
    found: list[tuple[float, Finding]] = field(default_factory=list)  # seconds since the start

    def snapshot(self) -> None:
        self.last = self.watch.snapshot()
        self.watch.source.request(self.last.requests)
        clock = self.last.sample.clock
        if self.first is None:
            self.first, self.began = self.last, clock
        self.found += [(clock - self.began, finding) for finding in self.last.findings]


def watch(loads: Iterable[Load], seconds: float) -> list[Watched]:
    """Run all loads at once and look every second. Raises RuntimeError if one did not run."""
    with ExitStack() as stack:
        sides = [side for load in loads for side in stack.enter_context(_running(load))]
        for side in sides:
            side.snapshot()
        end = time.monotonic() + seconds
        due = time.monotonic() + INTERVAL_S
        while time.monotonic() < end:
            _poll_listeners(sides, due)
            due += INTERVAL_S
            for side in sides:
                side.snapshot()
    for side in sides:
        _prove(side)
    return sides


@contextmanager
def _running(load: Load) -> Iterator[list[Watched]]:
    with place(load.link) as where, load.run(where), ExitStack() as stack:
        yield [
            Watched(load, side, stack.enter_context(Watch(namespace)))
            for side, namespace in where.sides.items()
            if side != "client" or not load.server_only
        ]


def _poll_listeners(sides: list[Watched], until: float) -> None:
    while (left := until - time.monotonic()) > 0:
        time.sleep(min(left, LISTENERS_S))
        for side in sides:
            side.watch.poll_listeners()


def _prove(side: Watched) -> None:
    """The kernel counted what the load is known for."""
    proof, last = side.load.proof, side.last
    if side.side == "client" or last is None:
        return
    seen = {
        "segments": _per_second(side, "InSegs") + _per_second(side, "OutSegs"),
        "opens": _per_second(side, "PassiveOpens"),
        "established": last.trend.by_state[:, tcp.ESTABLISHED].max(),
        "time_wait": last.trend.by_state[:, tcp.TIME_WAIT].max(),
    }
    short = {name: have for name, have in seen.items() if have < getattr(proof, name)}
    if short:
        raise RuntimeError(f"{side.load.name} did not run: {short}, not {proof}")


def _per_second(side: Watched, name: str) -> float:
    """How fast a counter of /proc/net/snmp's Tcp line rose under watch."""
    if side.first is None or side.last is None:
        return 0.0
    ((before,), (after,)) = side.first.sample.kernel, side.last.sample.kernel
    grown = after.counters["Tcp"][name] - before.counters["Tcp"][name]
    return grown / max(side.last.sample.clock - side.began, INTERVAL_S)
