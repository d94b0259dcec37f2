"""The thread that writes samples to a file while they are looked at."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import suppress

from textual.message import Message
from textual.message_pump import MessagePump

from tcptop.analysis.recent import Recent
from tcptop.model.archive import OpenWriter, SampleWriter
from tcptop.model.cells import safe
from tcptop.model.snapshot import Snapshot
from tcptop.tui.watcher import one_line

PATIENCE_S = 5.0  # that a slow disk may take at the end: without it the file is whole, with its log


class RecordingTold(Message):
    """It begins, or it has ended; `broken` off, where nobody asked for that."""

    def __init__(self, told: str, broken: bool = False) -> None:
        self.told = told
        self.broken = broken
        super().__init__()


class Recorder:
    """Writes the samples that are kept in `recent`, and then each that comes, until it is stopped.

    It takes them from there and keeps none: where a disk is so slow that one is gone before its
    turn, the recording lacks it and says so, and nobody waits.
    """

    def __init__(
        self, path: str, open_writer: OpenWriter, recent: Recent, target: MessagePump
    ) -> None:
        self.running = False  # the file is open
        self.told = ""  # what has become of it
        self._path = path
        self._open, self._recent, self._target = open_writer, recent, target
        self._due: deque[float] = deque()  # the clocks of what came meanwhile
        self._missed = 0
        self._end: float | None = None  # the clock of the last sample to write
        self._wake = threading.Event()
        # A daemon: a disk that hangs must not keep the process.
        self._thread = threading.Thread(target=self._run, name="recorder", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def came(self, snapshot: Snapshot) -> None:
        """One more is in `recent`. From any thread."""
        self._due.append(snapshot.sample.clock)
        self._wake.set()

    @property
    def ending(self) -> bool:
        return self._end is not None

    def stop(self) -> None:
        """With the newest sample; does not wait for it."""
        if self.ending:
            return
        newest = self._recent.newest
        self._end = newest.sample.clock if newest is not None else 0.0
        self._wake.set()

    def ended(self) -> str:
        """Wait for the end, and say what has become of it."""
        self.stop()
        self._thread.join(PATIENCE_S)
        return self.told or f"{safe(self._path)}: the disk is slow; what it has can be replayed"

    # -- the thread

    def _run(self) -> None:
        try:
            self.told, broken = self._recorded(), False
        except Exception as error:  # whatever it is, the screen must say it
            broken = self.running
            what = "The recording broke off, and keeps what it has" if broken else "not recorded"
            self.told = f"{what}: {self._why(error)}"
        self.running = False
        self._tell(RecordingTold(self.told, broken))

    def _recorded(self) -> str:
        writer = self._open(self._path)
        full = safe(os.path.abspath(self._path))
        try:
            self.running = True
            self._tell(RecordingTold(f"recording (R ends it) to {full}"))
            for snapshot in self._coming(writer):
                writer.add(snapshot.sample)
        finally:
            writer.close()
        missed = f"; {self._missed:,} came too fast for it" if self._missed else ""
        return f"{full}: {writer.told()}{missed}"

    def _coming(self, writer: SampleWriter) -> Iterator[Snapshot]:
        """All that are kept and not in the file, then those that come."""
        last = None
        while True:
            ending = self.ending
            while (snapshot := self._after(last)) is not None:
                self._count(snapshot.sample.clock)
                if not writer.has(snapshot.sample):
                    yield snapshot
                last = snapshot
            if ending:
                return
            self._wake.wait()
            self._wake.clear()

    def _after(self, last: Snapshot | None) -> Snapshot | None:
        recent, end = self._recent, self._end
        found = recent.oldest if last is None else recent.after(last)
        over = found is not None and end is not None and found.sample.clock > end
        return None if over else found

    def _count(self, clock: float) -> None:
        """What came before this one and was not written is no more."""
        while self._due and self._due[0] <= clock:
            self._missed += self._due.popleft() < clock

    def _why(self, error: Exception) -> str:
        if isinstance(error, OSError) and error.strerror:
            return f"{safe(self._path)}: {error.strerror}"
        return safe(one_line(error))

    def _tell(self, message: Message) -> None:
        with suppress(RuntimeError):  # the loop is closed
            self._target.post_message(message)
