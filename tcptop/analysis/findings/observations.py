"""Observations: all that a rule may ask of this sample and of those before it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property, wraps
from typing import TYPE_CHECKING, Any, TypeVar

from tcptop.analysis.findings.settings import DEFAULTS, FindingSettings
from tcptop.analysis.findings.summary import SampleSummary
from tcptop.analysis.listeners import accepted
from tcptop.analysis.peers import remote_is_local
from tcptop.model.route import Route, RouteKey
from tcptop.model.sample import Process, ProcessFacts, Sample
from tcptop.model.snapshot import Snapshot
from tcptop.model.socket_id import SocketId
from tcptop.model.source import Requests
from tcptop.model.sysctls import number
from tcptop.model.table import Bools, Index, SocketTable

PATIENCE = 0.95  # samples come a little late or early: a window of 10 s may be 9.5 s long

T = TypeVar("T")

if TYPE_CHECKING:
    from tcptop.model.sockopt import SocketOptions


def once(function: Callable[[Observations], T]) -> Callable[[Observations], T]:
    """What several rules ask for is computed for the first of them."""

    @wraps(function)
    def remembered(seen: Observations) -> T:
        if function not in seen.computed:
            seen.computed[function] = function(seen)
        found: T = seen.computed[function]
        return found

    return remembered


class Observations:
    """The snapshot, and the summaries up to it, oldest first; the last one is the present."""

    def __init__(
        self,
        snapshot: Snapshot,
        summaries: Sequence[SampleSummary],
        settings: FindingSettings = DEFAULTS,
    ) -> None:
        self.snapshot = snapshot
        self.summaries = summaries
        self.settings = settings
        self.failed: dict[str, list[str]] = {}  # errors of rules, and in which they occurred
        self.computed: dict[Callable[[Observations], Any], Any] = {}  # by `once`
        self._sockets: set[SocketId] = set()  # whose options the next sample should bring
        self._pids: set[int] = set()  # whose facts
        self._routes: set[RouteKey] = set()

    @property
    def sample(self) -> Sample:
        return self.snapshot.sample

    @property
    def table(self) -> SocketTable:
        return self.snapshot.sample.sockets

    @property
    def watched_s(self) -> float:
        """How long has been watched; 0 at the first sample."""
        return self.snapshot.over_s or 0.0

    def back(self, seconds: float) -> SampleSummary | None:
        """The latest summary that long ago; None where the watch is shorter."""
        end = self.sample.clock - seconds * PATIENCE
        return next((m for m in reversed(self.summaries) if m.clock <= end), None)

    def surely_grown(self, netns: int, name: str, seconds: float) -> float:
        """By how much a counter is known to have grown: 0 where that is unknown."""
        grown = self.grown(netns, name, seconds)
        return grown[0] if grown else 0.0

    def grown(self, netns: int, name: str, seconds: float) -> tuple[float, float] | None:
        """(By how much a counter grew, in how many seconds) over such a window; None if unknown.

        Names are those of `summary.COUNTERS`.
        """
        then = self.back(seconds)
        if then is None:
            return None
        before, value = (m.counters.get(netns, {}).get(name) for m in (then, self.summaries[-1]))
        if before is None or value is None or value < before:
            return None
        return value - before, self.sample.clock - then.clock

    def rate(self, netns: int, name: str, seconds: float) -> float | None:
        """Growth of a counter a second over a window of at least that many seconds."""
        grown = self.grown(netns, name, seconds)
        return None if grown is None else grown[0] / grown[1]

    def last_rate(self, netns: int, name: str) -> float | None:
        """Growth of a counter a second since the sample before; None at the first sample."""
        sections = self.snapshot.kernel_rates.get(netns, {})
        return next((names[name] for names in sections.values() if name in names), None)

    def sysctl(self, netns: int, name: str) -> int | None:
        """A sysctl that is one number, by its full dotted name."""
        return number(self.sample.kernel_of(netns).sysctls, name)

    def holders(self, rows: Index) -> list[Process]:
        """Of any of these rows, each once."""
        held = (each for row in rows.tolist() for each in self.processes(row))
        return list({each.pid: each for each in held}.values())

    def processes(self, row: int) -> list[Process]:
        """The processes that hold a socket, or are remembered for it."""
        return [process for process, _ in self.snapshot.holders.of(row)]

    def options(self, row: int) -> SocketOptions | None:
        """A socket's options, where they were read; asks for them otherwise."""
        socket = self.table.id(row)
        self._sockets.add(socket)
        return self.sample.options.get(socket)

    def facts(self, process: Process) -> ProcessFacts | None:
        """What a process is doing, where it was read; asks for it otherwise."""
        self._pids.add(process.pid)
        return self.sample.facts.get(process.pid)

    def route(self, key: RouteKey) -> Route | None:
        """Where connections leave the host, where it was read; asks for it otherwise."""
        self._routes.add(key)
        return self.sample.routes.get(key)

    @property
    def requests(self) -> Requests:
        """What the rules would be surer with."""
        return Requests(
            frozenset(self._sockets),
            frozenset(self._routes),
            frozenset(self._pids),
        )

    @cached_property
    def accepted(self) -> Bools:
        """Rows whose local port is a listener's: the other end called us."""
        return accepted(self.table)

    @cached_property
    def remote_here(self) -> Bools:
        """Rows whose remote end is an address of this namespace: the network is not between."""
        return remote_is_local(self.table)
