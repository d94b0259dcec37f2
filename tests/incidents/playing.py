"""Constructions are played side by side, and tcptop looks at each as `tcptop check` does."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from tcptop.model.finding import Finding
from tcptop.model.snapshot import Snapshot
from tests.incidents.incident import Play
from tests.incidents.lab import Lab
from tests.kernel.findings.limits import SetWatch

INTERVAL_S, LISTENERS_S = 1.0, 0.2
LONGEST_S = 160.0  # for one construction, from its beginning to its last look
Satisfied = Callable[["Played"], bool]


@dataclass
class Played:
    """A construction and what was seen of it: by host, the oldest snapshot first."""

    play: Play
    lab: Lab
    looks: dict[str, list[Snapshot]] = field(default_factory=dict)
    failure: BaseException | None = None
    early: list[str] = field(default_factory=list)  # what programs said that ended too early
    seen: threading.Event = field(default_factory=threading.Event)

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

    def run(self, over: threading.Event, satisfied: Satisfied) -> None:
        """Make it, look, and keep it until the end: in a thread of its own."""
        try:
            self.play.make(self.lab)
            self._look(satisfied)
        except BaseException as error:
            self.failure = error
        self.seen.set()
        over.wait()

    def _look(self, satisfied: Satisfied) -> None:
        with ExitStack() as stack:
            limits, hosts = self.play.settings.limits, self.lab.hosts
            watches = {
                name: stack.enter_context(SetWatch(hosts[name].namespace, limits))
                for name in self.play.hosts
            }
            due = time.monotonic()
            while True:
                for name, watch in watches.items():
                    self.looks.setdefault(name, []).append(_looked(watch))
                if self.watched_s >= self.play.over_s and satisfied(self):
                    return
                due = max(due + INTERVAL_S, time.monotonic())
                _poll(watches.values(), due)


def _looked(watch: SetWatch) -> Snapshot:
    snapshot = watch.snapshot()
    watch.source.request(snapshot.requests)
    return snapshot


def _poll(watches: Iterable[SetWatch], until: float) -> None:
    """Between two looks the accept queues are polled."""
    while (left := until - time.monotonic()) > 0:
        time.sleep(min(left, LISTENERS_S))
        for watch in watches:
            watch.poll_listeners()


@contextmanager
def playing(
    plays: Sequence[Play], satisfied: Callable[[Played], bool] = lambda _: True
) -> Iterator[list[Played]]:
    """All at once; entered when each has been looked at for long enough and is `satisfied`.

    Call it in the main thread.
    """
    over = threading.Event()
    played: list[Played] = []
    threads: list[threading.Thread] = []
    try:
        for play in plays:  # before there are threads, which a fork would copy halfway
            played.append(Played(play, Lab(play.routed)))
        for each in played:
            thread = threading.Thread(target=each.run, args=(over, satisfied), daemon=True)
            thread.start()
            threads.append(thread)
        end = time.monotonic() + LONGEST_S
        for each in played:
            if not each.seen.wait(max(0.0, end - time.monotonic())):
                each.failure = TimeoutError(f"{each.play.name} takes too long")
        yield played
    finally:
        for each in played:
            each.early = each.lab.close()
        over.set()
        for thread in threads:
            thread.join(5)
