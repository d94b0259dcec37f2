"""Bytes that a terminal sends -> messages; bytes in, values out.

Textual's parser takes 20 to 40 µs a character and makes a message of each. Text that comes in one
piece, which is a paste without brackets or a key that is held on a slow link, is one message.
"""

from __future__ import annotations

import re
from codecs import getincrementaldecoder
from collections.abc import Iterator

from textual import constants, events
from textual._xterm_parser import XTermParser
from textual.keys import KEY_NAME_REPLACEMENTS, _character_to_key
from textual.message import Message
from textual.messages import InBandWindowResize

ESC = "\x1b"
PASTE, PASTED = "\x1b[200~", "\x1b[201~"
PASTE_PAUSE_MS = 1000.0  # a paste whose end does not come, as of a cut link, has ended
ENDS = re.compile(rb"[\x03\x11]+|\x1b\[21~")  # ^C, ^Q, F10: alone, they are typed and not pasted
MOST = 4096  # characters of one paste; what more there is has no use here
_LAST = re.compile(r"(?:[\x03\x11]+|\x1b\[21~)\Z")  # the same, last in a paste without its end
_PIECES = re.compile(r"([^\x00-\x1f\x7f-\x9f]{8,})")  # printable, and more than one types at once


class Typed(Message):
    """Printable text that came in one piece."""

    def __init__(self, text: str) -> None:
        self.text = text
        super().__init__()


class Keyboard:
    """Keeps what is left of a character or of an escape sequence until the rest comes."""

    def __init__(self, debug: bool = False) -> None:
        self._parser = XTermParser(debug)
        self._decoder = getincrementaldecoder("utf-8")("replace")
        self._sequence = ""  # from the last ESC on
        self._recent = ""  # the last that came
        self._pasted: int | None = None  # characters of the paste that comes

    @property
    def waiting(self) -> bool:
        """Whether there is half an escape sequence, or the key Escape: `late` tells."""
        return self._parser._timeout_time is not None

    @property
    def patience_ms(self) -> float | None:
        """How long without a byte until `late` has something to tell; None: for ever."""
        if self.waiting:
            return constants.ESCAPE_DELAY * 1000 + 5
        return PASTE_PAUSE_MS if self._pasted is not None else None

    def feed(self, data: bytes) -> Iterator[Message]:
        if self._pasted is not None and ENDS.fullmatch(data):
            yield from self._each(PASTED)
        for place, piece in enumerate(_PIECES.split(self._decoder.decode(data))):
            yield from self._text(piece) if place % 2 else self._each(piece)

    def late(self) -> Iterator[Message]:
        """Nothing has come for `patience_ms`: what waited for more was all."""
        if self.waiting:
            yield from self._parser.tick()
        elif self._pasted is not None:
            last = _LAST.search(self._recent)
            yield from self._each(PASTED + (last[0] if last else ""))

    def _text(self, text: str) -> Iterator[Message]:
        while text and self.waiting:
            yield from self._each(text[0])
            text = text[1:]
        if self._pasted is not None:
            yield from self._each(text)
        elif text:
            yield Typed(text)

    def _each(self, text: str) -> Iterator[Message]:
        for character in text:
            if self._pasted is None or self._pasted < MOST or self.waiting or character == ESC:
                yield from self._parsed(character)
            self._note(character)

    def _parsed(self, character: str) -> Iterator[Message]:
        """Without reports of sizes, which we ask no terminal for: the kernel tells the size, and
        Textual's parser divides by what they say."""
        for message in self._parser.feed(character):
            if not isinstance(message, events.Resize | InBandWindowResize):
                yield message
        self._parser.mouse_pixels = False

    def _note(self, character: str) -> None:
        self._recent = (self._recent + character)[-8:]
        self._sequence = character if character == ESC else (self._sequence + character)[:8]
        if self._sequence == PASTE:
            self._pasted = 0
        elif self._sequence == PASTED:
            self._pasted = None
        elif self._pasted is not None:
            self._pasted += 1


def key(character: str) -> events.Key:
    """The key that types a printable character."""
    name = character if character.isalnum() else _character_to_key(character)
    return events.Key(KEY_NAME_REPLACEMENTS.get(name, name), character)
