"""What a table shows and how its columns are laid out: plain functions over text, no widget."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from tcptop.model.cells import CUT, cell_slice, cell_width, cut, ljust, rjust

Cell = str | tuple[str, str]  # text, or (text, look)
Line = tuple[tuple[str, str], ...]  # (text, look) from left to right, neighbours differ in look


@dataclass(frozen=True)
class TableColumn:
    """A column; `width` is in cells, and grows where it is `flex`."""

    key: str
    title: str
    width: int
    right: bool = False  # for numbers
    flex: bool = False
    priority: int = 0  # the highest is dropped first when the terminal is too narrow
    tail: str = ""  # where text is cut, what follows the last of these is kept: ":" before a port
    least: int = 0  # to which it shrinks before one of priority 0 is dropped; 0: it does not


ASCENDING, DESCENDING = "▲", "▼"
FULL = "#"  # a number that does not fit shows this instead of some of its digits


def needed(columns: Sequence[TableColumn]) -> int:
    """The least width in cells; the cell after each column is its gap (and the sort mark's)."""
    return sum(column.width + 1 for column in columns)


def fit(columns: Sequence[TableColumn], width: int) -> list[TableColumn]:
    """The columns that fit: those of the highest priority number go first, from the right."""
    kept = list(columns)
    while len(kept) > 1 and needed(kept) > width:
        worst = max(column.priority for column in kept)
        if worst == 0 and needed(kept) - _slack(kept) <= width:
            break
        last = max(at for at, column in enumerate(kept) if column.priority == worst)
        del kept[last]
    return kept


def _slack(columns: Sequence[TableColumn]) -> int:
    """How many cells the columns that shrink can give."""
    return sum(column.width - column.least for column in columns if column.least)


def widths(columns: Sequence[TableColumn], width: int) -> list[int]:
    """The width of each column when the flex ones share the room, or shrink for want of it."""
    if needed(columns) > width:
        return _shrunk(columns, needed(columns) - width)
    room = width - needed(columns)
    flexible = sum(column.flex for column in columns)
    share, rest = divmod(room, flexible) if flexible else (0, 0)
    result = []
    for column in columns:
        extra = share + (rest > 0) if column.flex else 0
        rest -= column.flex
        result.append(column.width + extra)
    return result


def _shrunk(columns: Sequence[TableColumn], missing: int) -> list[int]:
    result = []
    for column in columns:
        less = min(missing, column.width - column.least) if column.least else 0
        missing -= less
        result.append(column.width - less)
    return result


def place(text: str, column: TableColumn, width: int) -> str:
    """The text of a cell in exactly `width` cells."""
    if cell_width(text) <= width:
        return rjust(text, width) if column.right else ljust(text, width)
    if column.right:
        return FULL * width
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


def header_line(
    columns: Sequence[TableColumn], sizes: Sequence[int], sort: str | None, reverse: bool
) -> str:
    """The titles; the mark of the sort column is before that of numbers, behind that of text.

    The gap that it stands in is between two titles, and has to say which of them it belongs to.
    """
    line = ""
    for column, size in zip(columns, sizes, strict=True):
        title = column.title[:size]
        title = title.rjust(size) if column.right else title.ljust(size)
        start = len(line)
        line += title + " "
        if column.key == sort:
            before = start + size - len(column.title[:size]) - 1
            at = before if column.right and before >= 0 else start + len(column.title[:size])
            line = line[:at] + (DESCENDING if reverse else ASCENDING) + line[at + 1 :]
    return line


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
class DrawnModel(Protocol):
    """A model whose rows are lines already, and no cells."""

    def line(self, row: int) -> Line:
        """The row from left to right, in looks."""


def model_line(
    model: TableModel, row: int, columns: Sequence[TableColumn], sizes: Sequence[int]
) -> Line:
    """A row, of columns that are so wide."""
    if isinstance(model, DrawnModel):
        return model.line(row)
    return row_line(model.cells(row, columns), columns, sizes, model.style(row))
