"""The thread that looks: samples in, one frozen snapshot out, as a message to the app."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Protocol

from textual.message import Message
from textual.message_pump import MessagePump

from tcptop.analysis.derive import derive
from tcptop.analysis.history import History
from tcptop.model.sample import Sample
from tcptop.model.snapshot import Snapshot


class Source(Protocol):
    """Where samples come from; used by one thread only."""

    def sample(self) -> Sample: ...

    def wait(self, seconds: float, stopped: threading.Event) -> bool:
        """Until the next sample is due; True when stopped."""


OpenSource = Callable[[], AbstractContextManager[Source]]


class Looked(Message):
    """A new snapshot, and what looking cost: seconds of CPU."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        super().__init__()

    def can_replace(self, message: Message) -> bool:
        """The newest wins where the loop is behind."""
        return isinstance(message, Looked)


class LookFailed(Message):
    """A look failed; the next one is tried all the same."""

    def __init__(self, why: str) -> None:
        self.why = why
        super().__init__()


class Collector:
    """Looks every `interval` seconds until stopped; a slow look makes the next one later."""

    def __init__(self, open_source: OpenSource, interval: float, target: MessagePump) -> None:
        self.interval = interval
        self._open_source = open_source
        self._target = target
        self._stopped = threading.Event()
        # A daemon: quitting must not wait for a look at 100,000 sockets to end.
        self._thread = threading.Thread(target=self._run, name="collector", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()

    def _run(self) -> None:
        try:
            with self._open_source() as source:
                self._look_on(source)
        except Exception as error:  # whatever it is, the screen must say it
            self._tell(LookFailed(f"cannot look: {error}"))

    def _look_on(self, source: Source) -> None:
        history = History()
        while not self._stopped.is_set():
            began = time.monotonic()
            try:
                snapshot, history = derive(source.sample(), history)
                self._tell(Looked(snapshot))
            except (OSError, ValueError) as error:
                self._tell(LookFailed(f"look failed: {error}"))
            _settle_garbage()
            rest = self.interval - (time.monotonic() - began)
            try:
                if source.wait(max(rest, 0.05), self._stopped):
                    return
            except OSError as error:
                self._tell(LookFailed(f"look failed: {error}"))

    def _tell(self, message: Message) -> None:
        if not self._stopped.is_set():
            self._target.post_message(message)


def _settle_garbage() -> None:
    """What outlived a look is not worth looking at again by every later collection."""
    if gc.get_freeze_count() == 0:
        gc.collect()
        gc.freeze()
