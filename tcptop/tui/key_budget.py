"""More at once than anybody types or clicks: a held key on a slow link, text that is pasted, or a
program that plays with the mouse."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from textual import events

AT_ONCE = 100.0  # keys; one may take tens of milliseconds
PER_S = 100.0  # a held key repeats 30 times a second
CLICKS_AT_ONCE, CLICKS_PER_S = 10.0, 20.0  # each is a row that is chosen, or a whole list
TOLD = "these are more keys at once than anybody types: most of them are ignored"
TOO_MANY_CLICKS = "these are more clicks at once than anybody makes: most of them are ignored"


class KeyBudget:
    """Says which keys are taken: as many as may be typed, and always those that end tcptop.

    Only time in which no key was at work counts: of a flood the next one is there already.
    """

    def __init__(
        self,
        always: Iterable[str],
        clock: Callable[[], float] = time.monotonic,
        at_once: float = AT_ONCE,
        per_s: float = PER_S,
    ) -> None:
        self._always = frozenset(always)
        self._clock = clock
        self._most, self._per_s = at_once, per_s
        self._left, self._idle_since = at_once, clock()

    def lets(self, key: str) -> bool:
        """Whether a key is taken."""
        idle_s = self._clock() - self._idle_since
        self._left = min(self._most, self._left + idle_s * self._per_s)
        self.rest()
        if self._left < 1:
            return key in self._always
        self._left -= 1
        return True

    def rest(self) -> None:
        """What the key was for is done."""
        self._idle_since = self._clock()


class ClickBudget:
    """Says which reports of the mouse are taken: a press with its release, or neither; the wheel.

    Widgets are at work on them while the next ones come, and end only when they have done all.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._presses = KeyBudget((), clock, CLICKS_AT_ONCE, CLICKS_PER_S)
        self._wheel = KeyBudget((), clock)
        self._pressed = False  # by one that was taken

    def lets(self, event: events.MouseEvent) -> bool:
        """Whether it is taken."""
        if isinstance(event, events.MouseDown):
            self._pressed = self._presses.lets("press")
        elif not isinstance(event, events.MouseUp):
            return self._wheel.lets("wheel")
        return self._pressed
