"""More keys at once than anybody types: a held key on a slow link, or text that is pasted."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

AT_ONCE = 100.0  # keys; one may take tens of milliseconds
PER_S = 100.0  # a held key repeats 30 times a second
TOLD = "these are more keys at once than anybody types: most of them are ignored"


class KeyBudget:
    """Says which keys are taken: as many as may be typed, and always those that end tcptop.

    Only time in which no key was at work counts: of a flood the next one is there already.
    """

    def __init__(self, always: Iterable[str], clock: Callable[[], float] = time.monotonic) -> None:
        self._always = frozenset(always)
        self._clock = clock
        self._left, self._idle_since = AT_ONCE, clock()

    def lets(self, key: str) -> bool:
        """Whether a key is taken."""
        self._left = min(AT_ONCE, self._left + (self._clock() - self._idle_since) * PER_S)
        self.rest()
        if self._left < 1:
            return key in self._always
        self._left -= 1
        return True

    def rest(self) -> None:
        """What the key was for is done."""
        self._idle_since = self._clock()
