"""Constructions are played side by side, and tcptop looks at each as `tcptop check` does."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Protocol, Self

from tcptop.demo.namespace import DemoNamespace
from tcptop.model.finding import Finding
from tcptop.model.snapshot import Snapshot
from tests.incidents.incident import Play
from tests.incidents.lab import Lab
from tests.kernel.findings.limits import SetWatch
from tests.kernel.recount.recount import recount

INTERVAL_S, LISTENERS_S = 1.0, 0.2
AT_ONCE = 9  # all of a class on two cores are looked at too late, and wait for each other
LONGEST_S = 160.0  # for one construction, from its beginning to its last look
ALL_S = 900.0  # for all that are played for one class of tests
Satisfied = Callable[["Played"], bool]


class Watching(Protocol):
    """Looks at one namespace, whatever else it sees."""

    def __enter__(self) -> Self: ...
    def __exit__(self, *_: object) -> None: ...
    def look(self) -> Snapshot: ...
    def poll_listeners(self) -> None: ...


Watcher = Callable[[DemoNamespace, Mapping[str, Mapping[str, float]]], Watching]


class Inside(SetWatch):
    """As tcptop that runs in the namespace."""

    def __enter__(self) -> Self:
        return self

    def look(self) -> Snapshot:
        snapshot = self.snapshot()
        self.source.request(snapshot.requests)
        return snapshot


@dataclass
class Played:
    """A construction and what was seen of it: by host, the oldest snapshot first."""

    play: Play
    lab: Lab
    looks: dict[str, list[Snapshot]] = field(default_factory=dict)
    failure: BaseException | None = None
    early: list[str] = field(default_factory=list)  # what programs said that ended too early
    miscounted: list[str] = field(default_factory=list)  # numbers that nothing bears out

    def last(self, host: str) -> Snapshot:
        self.check()
        return self.looks[host][-1]

    def found(self, host: str) -> tuple[Finding, ...]:
        """What is found at the last look, which is what `tcptop check` tells."""
        return self.last(host).findings

    @property
    def watched_s(self) -> float:
        """From the first look to the last one, of the host that was watched the shortest."""
        every = self.looks.values()
        return min(looks[-1].sample.clock - looks[0].sample.clock for looks in every)

    @property
    def enough(self) -> bool:
        """Whether it was looked at nearly as often as on a machine that is not busy."""
        return all(len(looks) >= self.play.over_s / 2 for looks in self.looks.values())

    def check(self) -> None:
        """Raises what went wrong in the construction itself."""
        if self.failure is not None:
            raise RuntimeError(f"{self.play.name} could not be made") from self.failure

    def run(self, turns: threading.Semaphore, satisfied: Satisfied, watcher: Watcher) -> None:
        """Make it when it is its turn, look, count again while its programs live, and end it: in a
        thread of its own."""
        with turns:
            try:
                self.play.make(self.lab)
                self._look(satisfied, watcher, time.monotonic() + LONGEST_S)
                self.miscounted = [each for host in self.looks for each in self._recounted(host)]
            except BaseException as error:
                self.failure = error
            self.early = self.lab.close()

    def _recounted(self, host: str) -> Iterator[str]:
        """Numbers of whatever is said at the last look."""
        for finding in self.found(host):
            yield from recount(finding, self.looks[host], tuple(self.play.limits.values()))

    def _look(self, satisfied: Satisfied, watcher: Watcher, end: float) -> None:
        with ExitStack() as stack:
            limits, hosts = self.play.settings.limits, self.lab.hosts
            watches = {
                name: stack.enter_context(watcher(hosts[name].namespace, limits))
                for name in self.play.hosts
            }
            due = time.monotonic()
            while True:
                for name, watch in watches.items():
                    self.looks.setdefault(name, []).append(watch.look())
                if self.watched_s >= self.play.over_s and satisfied(self):
                    return
                if time.monotonic() > end:
                    raise TimeoutError(f"{self.play.name} takes too long")
                due = max(due + INTERVAL_S, time.monotonic())
                _poll(watches.values(), due)


def _poll(watches: Iterable[Watching], until: float) -> None:
    """Between two looks the accept queues are polled."""
    while (left := until - time.monotonic()) > 0:
        time.sleep(min(left, LISTENERS_S))
        for watch in watches:
            watch.poll_listeners()


def played(
    plays: Sequence[Play], satisfied: Satisfied = lambda _: True, watcher: Watcher = Inside
) -> list[Played]:
    """Some at a time, each until it has been looked at for long enough and is `satisfied`.

    Call it in the main thread.
    """
    every = [Played(play, Lab(play.routed)) for play in plays]  # forks: before there are threads
    turns = threading.Semaphore(AT_ONCE)
    threads = [
        threading.Thread(target=each.run, args=(turns, satisfied, watcher)) for each in every
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return every
