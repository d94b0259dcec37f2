"""A screenful as it is wanted and as the terminal has it, and the bytes between the two.

A cell has a text and a style. The right half of a wide character is a cell without text, and
marks without a width (accents, joiners, variation selectors) belong to the cell before them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import compress, count
from operator import ne, or_
from unicodedata import category

from rich.cells import cell_len

from tcptop.tui.terminal.sgr import PLAIN, UNKNOWN, CellStyle, change

GAP = 4  # cells: written again, so many cost no more than moving over them

# With one of these the width of a text is not the sum of its characters' widths.
JOINERS = frozenset("\u200d\ufe0f")

CursorColumn = int | None  # None: the cursor is in the line, but who knows where


class Frame:
    """`width` by `height` cells."""

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self.wanted = self._filled(PLAIN)
        self._sent = self._filled(UNKNOWN)
        self._cursor = (0, 0)

    def _filled(self, style: CellStyle) -> list[Cells]:
        return [Cells([" "] * self.width, [style] * self.width) for _ in range(self.height)]

    def forget(self) -> None:
        """The terminal may show anything."""
        self._sent = self._filled(UNKNOWN)

    def put(self, x: int, y: int, new: Cells) -> None:
        """Want these cells from (x, y) on; what is outside is dropped."""
        if y < self.height:
            put(self.wanted[y], x, new)

    def changes(self, cursor: tuple[int, int] = (0, 0)) -> str:
        """What makes the terminal show what is wanted, its cursor at (column, line).

        Starts from any position and look, and ends with the default look, so that what others
        write to the terminal spoils no more than the cells it covers. Empty if nothing changed.
        """
        parts: list[str] = []
        at: tuple[CursorColumn, int] | None = None
        style = UNKNOWN
        for _, end, y, start in self._runs():
            row = self.wanted[y]
            parts.append(move(at, start, y))
            for text, own in zip(row.texts[start:end], row.styles[start:end], strict=True):
                if own is not style:
                    parts.append(change(style, own))
                    style = own
                parts.append(text)
            at = _after(row.texts, end), y
        if parts:
            parts.append(change(style, PLAIN))
        if parts or cursor != self._cursor:
            parts.append(move(at, *cursor))
            self._cursor = cursor
        return "".join(parts)

    def _runs(self) -> list[tuple[CellStyle, int, int, int]]:
        """(look, end, line, start) of what is to be written, in that order; takes it as sent.

        Colours are the longest sequences, hence few changes of style; and in a table the numbers
        of a column end below each other, hence short moves.
        """
        found = []
        for y, (sent, wanted) in enumerate(zip(self._sent, self.wanted, strict=True)):
            if sent != wanted:
                found += [(wanted.styles[x], end, y, x) for x, end in runs(sent, wanted)]
                self._sent[y] = wanted.copy()
        return sorted(found)


def runs(sent: Cells, wanted: Cells) -> Iterator[tuple[int, int]]:
    """The (start, end) of what is to be written; characters are never divided."""
    start = end = 0
    for x in _changed(sent, wanted):
        if x < end:
            continue
        if end and _worth_bridging(wanted, end, x):
            end = _whole(wanted.texts, x)[1]
            continue
        if end:
            yield start, end
        start, end = _whole(wanted.texts, x)
    if end:
        yield start, end


def _changed(sent: Cells, wanted: Cells) -> Iterable[int]:
    """The columns whose cells differ."""
    differ: Iterable[bool] = map(ne, sent.texts, wanted.texts)
    if sent.styles != wanted.styles:
        differ = map(or_, differ, map(ne, sent.styles, wanted.styles))
    return compress(count(), differ)


def _whole(texts: Sequence[str], x: int) -> tuple[int, int]:
    """Where the character at `x` starts and ends."""
    start, end = x, x + 1
    while start and not texts[start]:
        start -= 1
    while end < len(texts) and not texts[end]:
        end += 1
    return start, end


def _worth_bridging(row: Cells, end: int, x: int) -> bool:
    """Whether to write on from `end` to `x` instead of moving there."""
    if x - end > GAP or _after(row.texts, end) is None:
        return False
    styles = (row.styles[end - 1], row.styles[x])
    texts = row.texts[end:x]
    return all(len(text) == 1 for text in texts) and all(x in styles for x in row.styles[end:x])


def _after(texts: Sequence[str], end: int) -> CursorColumn:
    """The cursor's column after writing up to `end`.

    Unknown at the right margin, where terminals differ, and after a character with marks, to
    which not every terminal gives the same width.
    """
    start, _ = _whole(texts, end - 1)
    return None if end == len(texts) or len(texts[start]) > 1 else end


@lru_cache(4096)
def move(at: tuple[CursorColumn, int] | None, x: int, y: int) -> str:
    """The shortest sequence that moves the cursor from `at` (None: unknown) to (x, y)."""
    if at == (x, y):
        return ""
    line = f"{y + 1}" if x or y else ""
    column = f";{x + 1}" if x else ""
    ways = [f"\x1b[{line}{column}H"]
    if at is not None:
        down = y - at[1]
        ways.append("\r" + _steps(down, "\n" * down, "A", "B") + _steps(x, "", "D", "C"))
        if at[0] is not None:
            across = x - at[0]
            back = _steps(across, "\b" * -across, "D", "C")
            ways.append(_steps(down, "", "A", "B") + back)
    return min(ways, key=len)


def _steps(count: int, plain: str, back: str, forth: str) -> str:
    """`count` steps (negative: back) as the shorter of control characters and a sequence."""
    if not count:
        return ""
    number = f"{abs(count)}" if abs(count) > 1 else ""
    sequence = f"\x1b[{number}{forth if count > 0 else back}"
    return plain if plain and len(plain) < len(sequence) else sequence


# -- cells


@dataclass(slots=True)
class Cells:
    """Neighbouring cells: two lists of one length, which cost less than a list of pairs."""

    texts: list[str] = field(default_factory=list)
    styles: list[CellStyle] = field(default_factory=list)

    def copy(self) -> Cells:
        """The same, to be changed."""
        return Cells(self.texts[:], self.styles[:])


def cells(pieces: Iterable[tuple[str, CellStyle]]) -> Cells:
    """The cells of pieces of text in looks."""
    made = Cells()
    for text, style in pieces:
        if text.isascii() and text.isprintable():
            made.texts += text
        else:
            marks, split = _split(text)
            _add_marks(made.texts, marks)
            made.texts += split
        made.styles += [style] * (len(made.texts) - len(made.styles))
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
    row.styles[x:end] = new.styles[:room]
