"""The thread that looks: samples in, one frozen snapshot out, as a message to the app."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager, suppress
from typing import Protocol

from textual.message import Message
from textual.message_pump import MessagePump

from tcptop.analysis.derive import derive
from tcptop.analysis.findings.settings import DEFAULTS, Settings
from tcptop.analysis.history import History
from tcptop.analysis.recent import Recent
from tcptop.analysis.rings import Rings
from tcptop.model.route import Way
from tcptop.model.sample import Sample
from tcptop.model.snapshot import Snapshot
from tcptop.tui.viewing import Criteria, Shown, show

LEAST_REST_S = 0.05  # between looks, however long they take


class Source(Protocol):
    """Where samples come from; used by one thread only."""

    def sample(self) -> Sample: ...

    def want(self, cookies: Collection[int]) -> None:
        """The sockets whose options the next samples bring."""

    def want_routes(self, ways: Collection[Way]) -> None:
        """The ways whose routes the next samples bring."""

    def wait(self, seconds: float, stopped: threading.Event) -> bool:
        """Until the next sample is due; True when stopped."""


OpenSource = Callable[[], AbstractContextManager[Source]]


class Looked(Message):
    """A new snapshot, and what the app's criteria of that moment show of it."""

    def __init__(self, snapshot: Snapshot, shown: Shown | None) -> None:
        self.snapshot = snapshot
        self.shown = shown
        super().__init__()

    def can_replace(self, message: Message) -> bool:
        """The newest wins where the loop is behind."""
        return isinstance(message, Looked)


class LookFailed(Message):
    """A look failed; `final` means that no other one is tried."""

    def __init__(self, why: str, final: bool = False) -> None:
        self.why = why
        self.final = final
        super().__init__()


class Collector:
    """Looks every `interval` seconds until stopped; a slow look makes the next one later.

    What `criteria` select is evaluated here, so that the event loop only paints. `wanted` are the
    sockets whose options are shown; findings want more of them. `ways` are shown with their routes.
    """

    def __init__(
        self,
        open_source: OpenSource,
        interval: float,
        target: MessagePump,
        settings: Settings = DEFAULTS,
    ) -> None:
        self.criteria: Criteria | None = None
        self.wanted: frozenset[int] = frozenset()
        self.ways: frozenset[Way] = frozenset()
        self.recent = Recent()
        self.rings = Rings(lock=threading.Lock())
        self._settings = settings
        self._interval = interval
        self._open_source = open_source
        self._target = target
        self._stopped = False
        self._wake = threading.Event()
        # A daemon: quitting must not wait for a look at 100,000 sockets to end.
        self._thread = threading.Thread(target=self._run, name="collector", daemon=True)

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
                self._look_on(source)
        except Exception as error:  # whatever it is, the screen must say it
            self._tell(LookFailed(f"cannot look: {_one_line(error)}", final=True))

    def _look_on(self, source: Source) -> None:
        history, wanted = History(), frozenset[int]()
        while not self._stopped:
            began = time.monotonic()
            try:
                source.want(wanted | self.wanted)
                source.want_routes(self.ways)
                snapshot, history = derive(source.sample(), history, self._settings)
                wanted = snapshot.wanted
                self.rings.add(snapshot)
                self.recent.add(snapshot)
                self._tell(Looked(snapshot, self._shown(snapshot)))
            except (OSError, ValueError) as error:
                self._tell(LookFailed(f"look failed, trying again: {_one_line(error)}"))
            _settle_garbage()
            self._rest(source, began)

    def _shown(self, snapshot: Snapshot) -> Shown | None:
        criteria = self.criteria
        return show(snapshot, criteria) if criteria is not None else None

    def _rest(self, source: Source, began: float) -> None:
        """Until the interval is over; it may be changed meanwhile."""
        while not self._stopped:
            self._wake.clear()
            rest = max(began + self._interval - time.monotonic(), LEAST_REST_S)
            if self._stopped or not _waited(source, rest, self._wake):
                return

    def _tell(self, message: Message) -> None:
        if not self._stopped:
            with suppress(RuntimeError):  # the loop is closed
                self._target.post_message(message)


def _waited(source: Source, seconds: float, wake: threading.Event) -> bool:
    """Whether the wait was cut short. A poll of listeners that fails is told by the next look."""
    end = time.monotonic() + seconds
    try:
        return source.wait(seconds, wake)
    except OSError:
        return wake.wait(max(0.0, end - time.monotonic()))


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _settle_garbage() -> None:
    """What outlived a look is not worth looking at again by every later collection."""
    if gc.get_freeze_count() == 0:
        gc.collect()
        gc.freeze()
