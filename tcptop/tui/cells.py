"""Text as the cells of a terminal.

A cell has a text and a look. The right half of a wide character is a cell without text, and
marks without a width (accents, joiners, variation selectors) belong to the cell before them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from unicodedata import category

from rich.cells import cell_len

from tcptop.tui.sgr import Look

# With one of these the width of a text is not the sum of its characters' widths.
JOINERS = frozenset("\u200d\ufe0f")


@dataclass(slots=True)
class Cells:
    """Neighbouring cells: two lists of one length, which cost less than a list of pairs."""

    texts: list[str] = field(default_factory=list)
    looks: list[Look] = field(default_factory=list)

    def copy(self) -> Cells:
        """The same, to be changed."""
        return Cells(self.texts[:], self.looks[:])


def cells(pieces: Iterable[tuple[str, Look]]) -> Cells:
    """The cells of pieces of text in looks."""
    made = Cells()
    for text, look in pieces:
        if text.isascii() and text.isprintable():
            made.texts += text
        else:
            marks, split = _split(text)
            _add_marks(made.texts, marks)
            made.texts += split
        made.looks += [look] * (len(made.texts) - len(made.looks))
    return made


def _add_marks(texts: list[str], marks: str) -> None:
    """Marks at the start of a piece belong to the last character of the piece before."""
    for at in range(len(texts) - 1, -1, -1):
        if texts[at]:
            texts[at] += marks
            return


@lru_cache(1024)
def _split(text: str) -> tuple[str, Sequence[str]]:
    """Marks at the start, and what is in each cell then. Control characters are dropped.

    Textual's layout gives them no room, and the terminal would obey them.
    """
    marks, split = "", [""]
    base = 0  # where the last character with a width is; 0 is for those before the first one
    for char, width in _widths(text):
        if width and char != "\ufe0f":
            base = len(split)
            split.append(char)
            split += [""] * (width - 1)
        elif category(char) not in ("Cc", "Cs"):
            split[base] += char
            split += [""] * width
    marks, *rest = split
    return marks, tuple(rest)


def _widths(text: str) -> Iterator[tuple[str, int]]:
    """Each character, and how many cells it adds."""
    if JOINERS.isdisjoint(text):
        yield from ((char, cell_len(char)) for char in text)
        return
    before = 0
    for end, char in enumerate(text, 1):
        width = cell_len(text[:end])
        yield char, width - before
        before = width


def put(row: Cells, x: int, new: Cells) -> None:
    """Write cells over a row from `x` on, as far as it goes.

    As in a terminal, a wide character that loses one half leaves a blank for the other.
    """
    texts = row.texts
    room = max(0, len(texts) - x)
    written = new.texts[:room]
    if not written:
        return
    end = x + len(written)
    if not texts[x] and x:
        texts[x - 1] = " "
    if end < len(texts) and not texts[end]:
        texts[end] = " "
    if cell_len(written[-1]) > 1:
        written[-1] = " "
    texts[x:end] = written
    row.looks[x:end] = new.looks[:room]
