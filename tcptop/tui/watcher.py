"""The thread that watches, what it sends to the app, and what all that costs."""

from __future__ import annotations

import gc
import resource
import threading
import time
from collections import deque
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager, suppress
from functools import cache
from typing import Any, TypeVar

from textual.message import Message
from textual.message_pump import MessagePump

from tcptop.analysis.findings.settings import DEFAULTS, FindingSettings
from tcptop.analysis.recent import Recent
from tcptop.analysis.rings import Rings
from tcptop.analysis.watch import WatchLoop
from tcptop.columns import RECORDED
from tcptop.model import mistake
from tcptop.model.snapshot import Snapshot
from tcptop.model.source import NO_REQUESTS, EndOfSamples, Source
from tcptop.tui.lists import Criteria, Shown, show

CPU_S = 0.9  # shorter stretches say little of the share of a processor
STEADY_S = 5.0  # between two changes of a number
USUAL = 9  # samples, of which the middle one counts

OpenSource = Callable[[], AbstractContextManager[Source]]
T = TypeVar("T")


class SnapshotTaken(Message):
    """A new snapshot, and what the app's criteria of that moment show of it."""

    def __init__(self, snapshot: Snapshot, shown: Shown | None) -> None:
        self.snapshot = snapshot
        self.shown = shown
        super().__init__()

    def can_replace(self, message: Message) -> bool:
        """The newest wins where the loop is behind."""
        return isinstance(message, SnapshotTaken)


class SampleFailed(Message):
    """There was no sample; `final` means that no other one is tried."""

    def __init__(self, why: str, final: bool = False) -> None:
        self.why = why
        self.final = final
        super().__init__()


class Watcher:
    """Takes a sample every `interval` seconds until stopped; a slow one makes the next one later.

    What `criteria` select is evaluated here, so that the event loop only paints. `requests` are
    what is shown beside the snapshot.
    """

    def __init__(
        self,
        open_source: OpenSource,
        interval: float,
        target: MessagePump,
        settings: FindingSettings = DEFAULTS,
    ) -> None:
        self.criteria: Criteria | None = None
        self.requests = NO_REQUESTS
        self.recent = Recent()
        self.when_kept: Callable[[Snapshot], object] | None = None
        self.rings = Rings(RECORDED, lock=threading.Lock())
        self._settings = settings
        self._interval = interval
        self._open_source = open_source
        self._target = target
        self._stopped = False
        self._wake = threading.Event()
        # A daemon: quitting must not wait for a sample of 100,000 sockets.
        self._thread = threading.Thread(target=self._run, name="watcher", daemon=True)

    @property
    def interval(self) -> float:
        return self._interval

    @interval.setter
    def interval(self, seconds: float) -> None:
        self._interval = seconds
        self._wake.set()

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopped = True
        self._wake.set()

    def _run(self) -> None:
        try:
            with self._open_source() as source:
                self._watch(WatchLoop(source, self._settings))
        except EndOfSamples:
            pass
        except Exception as error:  # whatever it is, the screen must say it
            self._tell(SampleFailed(f"cannot read sockets: {one_line(error)}", final=True))

    def _watch(self, loop: WatchLoop) -> None:
        while not self._stopped:
            loop.requests = self.requests
            try:
                self._take(loop.step())
            except (OSError, ValueError) as error:
                self._tell(SampleFailed(f"sampling failed, trying again: {one_line(error)}"))
            _settle_garbage()
            self._rest(loop)

    def _take(self, snapshot: Snapshot) -> None:
        self.rings.add(snapshot)
        self.recent.add(snapshot)
        if self.when_kept is not None:
            self.when_kept(snapshot)
        criteria, shown = self.criteria, None
        if criteria is not None:
            with suppress(Exception):  # who paints meets it too, and says that it cannot be drawn
                shown = show(snapshot, criteria)
        self._tell(SnapshotTaken(snapshot, shown))

    def _rest(self, loop: WatchLoop) -> None:
        """Until the interval is over, which may be changed meanwhile."""
        woken = True
        while woken and not self._stopped:
            self._wake.clear()
            woken = not self._stopped and loop.wait(self._interval, self._wake)

    def _tell(self, message: Message) -> None:
        if not self._stopped:
            with suppress(RuntimeError):  # the loop is closed
                self._target.post_message(message)


@cache
def _settle_garbage() -> None:
    """What outlived a sample is not worth looking at again by every later collection.

    Once in a process: what is frozen is never freed where it has become garbage.
    """
    gc.freeze()
    gc.enable()  # the start was without


def one_line(error: Exception) -> str:
    return mistake.exhausted(error) or " ".join(str(error).split()) or type(error).__name__


def in_background(
    pump: MessagePump, work: Callable[[], T], done: Callable[..., Any], *more: object
) -> None:
    """Call `done(work(), *more)` on the event loop once `work` has ended in a daemon thread.

    For what may take long, such as DNS. Textual's thread workers will not do: asyncio waits for
    them at the end.
    """

    def run() -> None:
        result = work()
        with suppress(RuntimeError):  # the loop is closed: nobody wants to know any more
            pump.call_later(done, result, *more)

    threading.Thread(target=run, name="background", daemon=True).start()


class Steady:
    """A number that is shown anew only where it has changed markedly."""

    def __init__(self, least: float) -> None:
        """`least` is the smallest change that matters; it is half of what is shown, if that is
        more."""
        self.value: float | None = None
        self._least = least
        self._since = 0.0

    def show(self, value: float | None, clock: float) -> float | None:
        """What to show of a value that is known at a moment of Sample.clock."""
        before = self.value
        if before is None or value is None:
            changed = value is not None
        else:
            marked = abs(value - before) > max(self._least, before / 2)
            changed = marked and clock - self._since >= STEADY_S
        if changed:
            self.value, self._since = value, clock
        return self.value


class OwnCost:
    """What tcptop itself costs: about, so that it rarely changes, and usually: the middle of the
    last samples, as one that had to wait for a processor says nothing of tcptop."""

    def __init__(self) -> None:
        self._poll_ms, self._cpu = Steady(2.0), Steady(0.01)
        self._polls, self._shares = (deque[float](maxlen=USUAL) for _ in range(2))
        self._share: float | None = None
        self._then, self._before = time.monotonic(), _used_s()

    def shown(self, newest: Snapshot | None) -> tuple[float | None, float | None]:
        """Milliseconds of a sample and the share of a processor; with None, as they were."""
        share = self.share()
        if newest is not None:
            sample = newest.sample
            self._polls.append(sample.poll_ms)
            self._poll_ms.show(_middle(self._polls), sample.clock)
            if share is not None:
                self._shares.append(share)
                self._cpu.show(_middle(self._shares), sample.clock)
        return self._poll_ms.value, self._cpu.value

    def share(self) -> float | None:
        """The share of one processor over the last second or more; None until it is known."""
        now, used = time.monotonic(), _used_s()
        if now - self._then >= CPU_S:
            self._share = (used - self._before) / (now - self._then)
            self._then, self._before = now, used
        return self._share


def _middle(values: Collection[float]) -> float:
    return sorted(values)[len(values) // 2]


def _used_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
