"""Search: the rows of a table whose cells have a text, found in blocks so that nobody waits."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence

from tcptop.tui.models import ListingModel
from tcptop.tui.widgets.layout import TableColumn
from tcptop.tui.widgets.model import TableModel

BLOCK = 2048  # rows: some milliseconds


class Search:
    """Goes over all rows once, from one of them in a direction. Whatever their case."""

    def __init__(
        self, model: TableModel, columns: Sequence[TableColumn], text: str, start: int, steps: int
    ) -> None:
        """`start` is the first row to look at; `steps` is 1 or -1."""
        self.model, self.text = model, text
        self.first: int | None = None  # the nearest row in this direction
        self._columns, self._wanted, self._steps = columns, text.lower(), steps
        self._hits: list[int] = []
        self._blocks = _blocks(len(model), start, steps)

    def go_on(self) -> bool:
        """Look at one more block; False once there is none."""
        block = next(self._blocks, None)
        if block is None:
            return False
        found = [*_matches(self.model, self._columns, self._wanted, block)]
        if found and self.first is None:
            self.first = found[0] if self._steps > 0 else found[-1]
        self._hits += found
        return True

    @property
    def rank(self) -> tuple[int, int]:
        """The number of the first one among all that were found so far, and how many these are."""
        hits = sorted(self._hits)
        return bisect_left(hits, self.first or 0) + 1, len(hits)


def _blocks(rows: int, start: int, steps: int) -> Iterator[range]:
    """All rows in blocks: up to the end in this direction, then those on the other side."""
    if steps > 0:
        yield from _parts(start, rows)
        yield from _parts(0, start)
    else:
        yield from reversed([*_parts(0, start + 1)])
        yield from reversed([*_parts(start + 1, rows)])


def _parts(start: int, end: int) -> Iterator[range]:
    for at in range(start, end, BLOCK):
        yield range(at, min(at + BLOCK, end))


def _matches(
    model: TableModel, columns: Sequence[TableColumn], wanted: str, rows: range
) -> Iterator[int]:
    """A plain list's texts are made for the search alone, and not kept: there may be millions."""
    if type(model) is not ListingModel:
        for row in rows:
            cells = model.cells(row, columns)
            if any(wanted in _text(cell).lower() for cell in cells):
                yield row
        return
    found: set[int] = set()
    for column in columns:
        # A number has no letters that anybody would look for.
        if not column.right or any(c.isdigit() for c in wanted):
            texts = model.texts(column.key, rows)
            if wanted in "\n".join(texts).lower():
                found |= {
                    row for row, text in zip(rows, texts, strict=True) if wanted in text.lower()
                }
    yield from sorted(found)


def _text(cell: str | tuple[str, str]) -> str:
    return cell if isinstance(cell, str) else cell[0]
