"""The rows of a table whose cells have a text, found in blocks so that nobody waits."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from time import perf_counter

from tcptop.tui.models import ListingModel
from tcptop.tui.widgets.layout import TableColumn, TableModel
from tcptop.tui.widgets.table import Table

BLOCK = 2048  # rows: some milliseconds
SLICE_S = 0.02  # after which keys are looked at


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


class Finder:
    """Puts the cursor of a table on the nearest row that has a text, and counts all of them.

    It goes on in slices, between which keys act; the search that was begun last wins.
    """

    def __init__(
        self, table: Table, later: Callable[..., object], say: Callable[[str], object]
    ) -> None:
        """`later` calls a function with arguments after what is waiting, `say` tells the user."""
        self.wanted = ""
        self._table, self._later, self._say = table, later, say
        self._search: Search | None = None

    def begin(self, beyond: int, steps: int) -> str | None:
        """Search for what is wanted from so many rows beyond the cursor on; what to say of it."""
        model = self._table.model
        if model is None or not len(model):
            return "no rows to search"
        start = (self._table.row + beyond) % len(model)
        self._search = Search(model, self._table.columns_shown, self.wanted, start, steps)
        self._go_on(self._search)
        return None

    def _go_on(self, search: Search) -> None:
        """A slice of the search, unless a later one has taken its place."""
        end = perf_counter() + SLICE_S
        while search is self._search:
            known = search.first
            if not search.go_on():
                self._search = None
                self._say(_told(search))
            elif known is None and search.first is not None:
                self._table.go_to(search.model.key(search.first))
            if perf_counter() > end:
                self._later(self._go_on, search)
                return


def _told(search: Search) -> str:
    if search.first is None:
        return f"not found: {search.text}"
    number, count = search.rank
    return f"{number:,} of {count:,}: {search.text}"


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
