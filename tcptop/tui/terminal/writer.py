"""Output to the terminal from a thread, so that a stalled link never stops the event loop."""

from __future__ import annotations

import os
import select
from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread


class Writer(Thread):
    """Writes text to a terminal in order; `lost` is called once when the terminal is gone."""

    def __init__(self, fileno: int, lost: Callable[[], None]) -> None:
        super().__init__(name="terminal-output", daemon=True)
        self._fileno = fileno
        self._lost = lost
        self._queue: SimpleQueue[str | None] = SimpleQueue()
        self._queued = 0  # counted by the event loop only
        self._written = 0  # counted by this thread only
        self._gone = False

    @property
    def idle(self) -> bool:
        """Whether the kernel has taken everything: if not, a new frame would only pile up."""
        return self._queued == self._written

    def write(self, text: str) -> None:
        """Queue text; nothing happens once the terminal is gone."""
        if not self._gone:
            self._queued += 1
            self._queue.put(text)

    def run(self) -> None:
        """Write until `stop`."""
        while (text := self._queue.get()) is not None:
            try:
                write_all(self._fileno, text.encode("utf-8", "replace"))
            except OSError:
                self._gone = True
                self._lost()
                return
            self._written += 1

    def stop(self, patience: float) -> None:
        """Write what is queued and end; a link that stays stalled for `patience` s is left."""
        self._queue.put(None)
        self.join(patience)


def write_all(fileno: int, data: bytes) -> None:
    """Write every byte, even if another program left the terminal in non-blocking mode."""
    left = memoryview(data)
    while left:
        try:
            left = left[os.write(fileno, left) :]
        except BlockingIOError:
            waiter = select.poll()
            waiter.register(fileno, select.POLLOUT)
            waiter.poll()
