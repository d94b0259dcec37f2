"""Signals that let a command finish what it does, instead of ending it at once."""

from __future__ import annotations

import os
import select
import signal
from types import FrameType

from tcptop import ending
from tcptop.commands.errors import DONE


class SignalStop:
    """A Stop of model/source.py that signals set; their second time changes nothing.

    By a pipe: a signal handler may run while the same thread holds the lock of a threading.Event.
    """

    def __init__(self) -> None:
        self._signal: int | None = None
        self._read, self._write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        for number in ending.SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._on_signal)

    def is_set(self) -> bool:
        return self._signal is not None

    def wait(self, timeout: float) -> bool:
        if not self.is_set():
            select.select([self._read], [], [], timeout)
        return self.is_set()

    @property
    def code(self) -> int:
        """The exit code. SIGTERM is how a service is told to end well, and it has."""
        if self._signal in (None, signal.SIGTERM):
            return DONE
        return ending.status[self._signal]

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self._signal is None:
            self._signal = number
            os.write(self._write, b"!")
