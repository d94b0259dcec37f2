"""Keys that were read and have not acted yet.

The terminal is read on while the app is at work, so that nothing typed ahead keeps the keys that
end it waiting: a flood is ignored at once, and what comes before an end has a moment to act.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator

from textual import events
from textual.message import Message

from tcptop.model.named_tuple import NamedTuple
from tcptop.tui.terminal.keyboard import Typed, key

MOST = 100  # keys; nobody types as many while one is at work
TEXT = 50  # letters that count as one key: into a prompt they go in one piece
PATIENCE_S = 0.3  # that keys before one that ends the app may take


class Flooded(Message):
    """More keys have come than anybody types; most of them are ignored."""


class Load(NamedTuple):
    messages: int
    keys: int

    def plus(self, more: Load) -> Load:
        return Load(self.messages + more.messages, self.keys + more.keys)


class Typeahead:
    """Says which keys are taken; one thread reads them, another has the app take them."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.ends: Collection[str] = ()  # keys that end the app wherever they are typed
        self.kept: Collection[str] = ()  # keys that are taken even of a flood
        self._clock = clock
        # Messages and keys since the beginning; each is written by one thread.
        self._passed = self._taken = Load(0, 0)
        self._flooded = False
        self._patient_until: float | None = None

    @property
    def full(self) -> bool:
        """Whether the app has so much to do that nothing should be read."""
        return self._passed.messages - self._taken.messages > MOST

    def read(self, came: Iterable[Message]) -> tuple[list[Message], Load]:
        """What the app is to have, and how much that is, for `taken`."""
        messages = list(came)
        waiting = self._passed.keys - self._taken.keys
        flooded = waiting + load(messages).keys > MOST
        told = [Flooded()] if flooded and not self._flooded else []
        self._flooded = flooded or (self._flooded and waiting > 0)
        if not waiting:
            self._patient_until = None
        self._note_end(messages)
        kept = list(self._of_flood(messages)) if self._flooded else messages
        passed = load(kept)
        self._passed = self._passed.plus(passed)
        return [*told, *kept], passed

    def taken(self, passed: Load) -> None:
        """The app has done with it."""
        self._taken = self._taken.plus(passed)

    def ignores(self, name: str) -> bool:
        """Whether a key that was passed on is ignored after all."""
        until = self._patient_until
        late = until is not None and self._clock() > until
        return (late or self._flooded) and name not in self.kept

    def _note_end(self, messages: Iterable[Message]) -> None:
        ends = (each for each in messages if isinstance(each, events.Key) and each.key in self.ends)
        if self._patient_until is None and any(not each.is_printable for each in ends):
            self._patient_until = self._clock() + PATIENCE_S

    def _of_flood(self, messages: Iterable[Message]) -> Iterator[Message]:
        """All but its keys; `q` may be the last letter of what came in one piece."""
        for each in messages:
            message = key(each.text[-1]) if isinstance(each, Typed) else each
            if not isinstance(message, events.Key) or message.key in self.kept:
                yield message


def load(messages: Collection[Message]) -> Load:
    """Reports of the mouse are no keys; text counts as few."""
    texts = (1 + len(each.text) // TEXT for each in messages if isinstance(each, Typed))
    return Load(len(messages), sum(texts) + sum(isinstance(m, events.Key) for m in messages))
