"""How far a command has come that takes long: one line on stderr, where that is a terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from tcptop import ending
from tcptop.columns.units import long_duration

FIRST_S, EVERY_S = 1.0, 0.5
WIDTH = 79


class Progress:
    """Nothing is said of what is soon done, nor where nobody reads it."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._began = time.monotonic()
        self._due = self._began + FIRST_S
        self._said = False

    def told(self, share: float) -> None:
        """How much is done, 0 to 1."""
        now = time.monotonic()
        if now >= self._due and sys.stderr.isatty():
            self._due = now + EVERY_S
            self._write(f"{self._what} {share:.0%}{self._left(now, share)}"[:WIDTH])

    def _left(self, now: float, share: float) -> str:
        if not 0.02 < share < 1:
            return ""
        return f", about {long_duration((now - self._began) / share * (1 - share))} left"

    def done(self) -> None:
        """The line is empty again."""
        if self._said:
            self._write("")

    def _write(self, line: str) -> None:
        with suppress(OSError, ValueError):
            sys.stderr.write(f"\r{line.ljust(WIDTH)}\r{line}")
            sys.stderr.flush()
            self._said = True


@contextmanager
def progress(what: str) -> Iterator[Progress]:
    shown = Progress(what)
    ending.before_the_end.append(shown.done)
    try:
        yield shown
    finally:
        shown.done()
        ending.before_the_end.remove(shown.done)
