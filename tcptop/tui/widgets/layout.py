"""What a table shows and how its columns are laid out: plain functions over text, no widget."""

from __future__ import annotations

import sys
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Protocol, runtime_checkable

from tcptop.model.cells import CUT, cell_slice, cell_width, cut, cut_middle, ljust, rjust
from tcptop.model.named_tuple import NamedTuple

Cell = str | tuple[str, str]  # text, or (text, look)
Line = tuple[tuple[str, str], ...]  # (text, look) from left to right, neighbours differ in look


LAST = 50  # more than any priority: what grows when all columns are there that have something
WHOLE = sys.maxsize
EMPTY = 60  # added to the priority of columns without anything in them


class TableColumn(NamedTuple):
    """A column; `width` is in cells, and grows where it is `flex`."""

    key: str
    title: str
    width: int
    right: bool = False  # for numbers
    flex: bool = False
    priority: int = 0  # the highest is dropped first when the terminal is too narrow
    # Where text is cut: of "/" what follows the last one is kept; of ":", which an address has, the
    # middle is left out.
    tail: str = ""
    least: int = 0  # to which it shrinks before others are dropped; 0: it does not
    grow: int = LAST  # a flex one grows before columns of a higher priority number are shown
    most: int = 0  # cells to which it grows before all others have what they need; 0: any number


ADDRESS = ":"
ASCENDING, DESCENDING = "▲", "▼"
FULL = "#"  # a number that does not fit shows this instead of some of its digits


def lay_out(
    columns: Sequence[TableColumn],
    width: int,
    content: Callable[[str], int] | None = None,
    empty: Callable[[str], bool] = lambda key: False,
) -> tuple[list[TableColumn], list[int]]:
    """The columns that fit, and the cells of each.

    `content` says how many cells the texts of a column need; without it flex ones take all the
    room. Columns that are `empty` give way to all others. In more room nothing that was shown in
    full is cut or goes: the room is given away in one order, which ends where it does.
    """
    share = _Share(columns, width, content)
    stages = {column.key: column.priority + EMPTY * empty(column.key) for column in columns}
    for stage in sorted({*stages.values(), *(column.grow for column in columns if column.flex)}):
        share.place([column for column in columns if stages[column.key] == stage])
        share.grow([column for column in columns if column.flex and column.grow == stage])
    share.finish([column for column in columns if column.flex])
    share.fill()
    kept = [column for column in columns if column.key in share.sizes]
    return kept, [share.sizes[column.key] for column in kept]


class _Share:
    """Gives away the cells of a line; the cell after each column is its gap (and the sort
    mark's)."""

    def __init__(
        self, columns: Sequence[TableColumn], width: int, content: Callable[[str], int] | None
    ) -> None:
        self.sizes: dict[str, int] = {}
        self._columns, self._room, self._content = columns, width, content
        self._over = False  # a column had no room: those after it have none either

    def place(self, columns: Sequence[TableColumn]) -> None:
        """As many as have room, from the left, then as wide as they want to be."""
        for column in columns:
            least = self._wanted(column, column.least or column.width)
            self._over = self._over or (least + 1 > self._room and bool(self.sizes))
            if not self._over:
                self.sizes[column.key] = least
                self._room -= least + 1
        self._widen({each.key: self._wanted(each, each.width) for each in self._columns})

    def _wanted(self, column: TableColumn, cells: int) -> int:
        """Of one that shrinks no more than its title and its texts need."""
        if self._content is None or not column.least:
            return cells
        return min(cells, max(self._content(column.key), cell_width(column.title)))

    def grow(self, columns: Sequence[TableColumn]) -> None:
        """As far as their texts need it, but one long name takes no room from all others."""
        if self._content is not None:
            needs = {each.key: self._content(each.key) for each in self._shown(columns)}
            self._widen({c.key: min(needs[c.key], c.most or WHOLE) for c in self._shown(columns)})

    def finish(self, columns: Sequence[TableColumn]) -> None:
        """What nobody else needs."""
        if self._content is not None:
            self._widen({each.key: self._content(each.key) for each in self._shown(columns)})

    def _shown(self, columns: Sequence[TableColumn]) -> list[TableColumn]:
        return [column for column in columns if column.key in self.sizes]

    def fill(self) -> None:
        """Columns of which nobody knows what they need share what is left."""
        if self._content is None:
            self._over = False
            self._widen({column.key: sys.maxsize for column in self._columns if column.flex})

    def _widen(self, wanted: Mapping[str, int]) -> None:
        """A cell each in turn, so that every one of them gets its part."""
        while self._room > 0 and not self._over:
            narrow = [key for key, size in self.sizes.items() if wanted.get(key, 0) > size]
            if not narrow:
                return
            for key in narrow[: self._room]:
                self.sizes[key] += 1
                self._room -= 1


def place(text: str, column: TableColumn, width: int) -> str:
    """The text of a cell in exactly `width` cells."""
    if cell_width(text) <= width:
        return rjust(text, width) if column.right else ljust(text, width)
    if column.right:
        short = text.replace(",", "")
        return rjust(short, width) if cell_width(short) <= width else FULL * width
    if column.tail == ADDRESS:
        return cut_middle(text, width)
    head, separator, tail = text.rpartition(column.tail) if column.tail else ("", "", "")
    room = width - cell_width(separator + tail) - cell_width(CUT)
    if separator and room > 1:
        return cell_slice(head, 0, room) + CUT + separator + tail
    return cut(text, width)


def row_line(
    cells: Sequence[Cell], columns: Sequence[TableColumn], sizes: Sequence[int], style: str
) -> Line:
    """A row; a cell's own look wins over that of its row."""
    spans: list[tuple[str, str]] = []
    for cell, column, size in zip(cells, columns, sizes, strict=True):
        text, own = (cell, "") if isinstance(cell, str) else cell
        spans.append((place(text, column, size), own or style))
        spans.append((" ", style))
    return merge(spans)


def titles(columns: Sequence[TableColumn], sizes: Sequence[int]) -> str:
    """The titles above their columns."""
    shown = [(column, _title(column, size)) for column, size in zip(columns, sizes, strict=True)]
    placed = [
        title.rjust(size) if column.right else title.ljust(size)
        for (column, title), size in zip(shown, sizes, strict=True)
    ]
    return "".join(f"{title} " for title in placed)


def _title(column: TableColumn, size: int) -> str:
    """As many of its words as fit."""
    words = column.title.split(" ")
    while len(words) > 1 and cell_width(" ".join(words)) > size:
        words.pop()
    return " ".join(words)[:size]


def header_line(
    columns: Sequence[TableColumn], sizes: Sequence[int], sort: str | None, reverse: bool
) -> Line:
    """The titles; that of the sort column is in a look of its own, with a mark before that of
    numbers, behind that of text."""
    line, marked = titles(columns, sizes), range(0)
    for column, size in zip(columns, sizes, strict=True):
        if column.key != sort:
            continue
        start, title = span(columns, sizes, column.key).start, _title(column, size)
        before = start + size - len(title) - 1
        ahead = column.right and before >= 0
        at = before if ahead else start + len(title)
        line = line[:at] + (DESCENDING if reverse else ASCENDING) + line[at + 1 :]
        marked = range(at, start + size) if ahead else range(start, at + 1)
    parts = (line[: marked.start], line[marked.start : marked.stop], line[marked.stop :])
    return merge([(parts[0], "header"), (parts[1], "sorted header"), (parts[2], "header")])


def plain(cells: Sequence[Cell]) -> list[str]:
    """Their texts."""
    return [cell if isinstance(cell, str) else cell[0] for cell in cells]


def merge(spans: Sequence[tuple[str, str]]) -> Line:
    """The same text with neighbours of one style joined: each span costs an escape sequence."""
    joined: list[tuple[str, str]] = []
    for text, style in spans:
        if joined and joined[-1][1] == style:
            joined[-1] = (joined[-1][0] + text, style)
        elif text:
            joined.append((text, style))
    return tuple(joined)


def window(line: Line, first: int, width: int, gutter: int = 0) -> Line:
    """The `width` cells from `first` on, blank in the last style where the line has ended.

    The `gutter` after them, where a scroll bar may come, is blank too.
    """
    style = line[-1][1] if line else ""
    shown: list[tuple[str, str]] = []
    room = width
    for text, own in line:
        seen = cell_slice(text, first, room)
        first = max(0, first - cell_width(text))
        room -= cell_width(seen)
        shown.append((seen, own))
    return merge([*(span for span in shown if span[0]), (" " * (room + gutter), style)])


def span(columns: Sequence[TableColumn], sizes: Sequence[int], key: str) -> range:
    """The cells of a column, its gap included; none where it is not there."""
    start = 0
    for column, size in zip(columns, sizes, strict=True):
        if column.key == key:
            return range(start, start + size + 1)
        start += size + 1
    return range(0)


def column_at(columns: Sequence[TableColumn], sizes: Sequence[int], x: int) -> TableColumn | None:
    """The column drawn at cell `x`, its gap included."""
    for column, size in zip(columns, sizes, strict=True):
        x -= size + 1
        if x < 0:
            return column
    return None


# -- what a table shows


class TableModel(Protocol):
    """Rows in their order; asked for visible rows only, on the event loop."""

    @property
    def columns(self) -> Sequence[TableColumn]:
        """All columns, from left to right."""

    def __len__(self) -> int: ...

    def key(self, row: int) -> Hashable:
        """What identifies the row when rows move."""

    def row_of(self, key: Hashable) -> int | None:
        """Where the row is now, None when it is gone."""

    def cells(self, row: int, columns: Sequence[TableColumn]) -> Sequence[Cell]:
        """Text, or (text, look), per column."""

    def style(self, row: int) -> str:
        """One of "", "dim", "warn", "bad", "good"."""


@runtime_checkable
class MeasuredModel(Protocol):
    """A model that knows what its columns need."""

    def content(self, key: str, rows: range) -> int:
        """The cells that the texts of a column need in some rows."""

    def empty(self, key: str, rows: range) -> bool:
        """Whether a column has nothing but zeros and what is not known there."""


@runtime_checkable
class DrawnModel(Protocol):
    """A model whose rows are lines already, and no cells."""

    def line(self, row: int) -> Line:
        """The row from left to right, in looks."""


@runtime_checkable
class CopiedModel(Protocol):
    """A model whose rows are parts of what is longer than a line."""

    def copied(self, row: int) -> str:
        """All of what the row is a part of."""


def model_line(
    model: TableModel, row: int, columns: Sequence[TableColumn], sizes: Sequence[int]
) -> Line:
    """A row, of columns that are so wide."""
    if isinstance(model, DrawnModel):
        return model.line(row)
    return row_line(model.cells(row, columns), columns, sizes, model.style(row))
