"""Table models: a list of the snapshot in its order, one socket's facts, the keys."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np

from tcptop.columns import Listing, ordered
from tcptop.columns.detail import Fact
from tcptop.model.selection import Selection
from tcptop.tui.place import Sort
from tcptop.tui.widgets.layout import Cell, Column

BLOCK = 64  # rows made at once: about a screenful, so a column's function runs once a paint


class ListingModel:
    """A list of the snapshot, sorted; cells are made when they are looked at."""

    def __init__(self, listing: Listing, selection: Selection, sort: Sort) -> None:
        self.listing = listing
        self.selection = selection
        self._rows = ordered(listing, selection, sort.key, sort.reverse)
        self._keys = listing.keys(selection, self._rows)
        self._blocks: dict[tuple[int, str], Sequence[Cell]] = {}
        self._looks: dict[int, Sequence[str]] = {}
        self._columns = [
            Column(c.key, c.title, c.width, c.right, c.flex, c.priority) for c in listing.columns
        ]

    @property
    def columns(self) -> Sequence[Column]:
        return self._columns

    def __len__(self) -> int:
        return len(self._rows)

    def key(self, row: int) -> Hashable:
        return int(self._keys[row])

    def row_of(self, key: Hashable) -> int | None:
        if not isinstance(key, int):
            return None
        places = np.flatnonzero(self._keys == np.uint64(key))
        return int(places[0]) if len(places) else None

    def place(self, key: Hashable) -> int | None:
        """The row's place in the snapshot's list."""
        row = self.row_of(key)
        return None if row is None else int(self._rows[row])

    def cells(self, row: int, columns: Sequence[Column]) -> Sequence[Cell]:
        block, within = divmod(row, BLOCK)
        return [self._column(block, column.key)[within] for column in columns]

    def look(self, row: int) -> str:
        block, within = divmod(row, BLOCK)
        if block not in self._looks:
            self._looks[block] = self.listing.looks(self.selection, self._part(block))
        return self._looks[block][within]

    def _part(self, block: int) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
        return self._rows[block * BLOCK : (block + 1) * BLOCK]

    def _column(self, block: int, key: str) -> Sequence[Cell]:
        cells = self._blocks.get((block, key))
        if cells is None:
            column, rows = self.listing.column(key), self._part(block)
            texts = column.texts(self.selection, rows)
            looks = column.looks(self.selection, rows) if column.looks else None
            cells = list(zip(texts, looks, strict=True)) if looks else texts
            self._blocks[block, key] = cells
        return cells


class FactsModel:
    """Rows of (group, what, value, meaning); a fact is known by its group and name."""

    def __init__(self, facts: Sequence[Fact], titles: tuple[str, str, str, str]) -> None:
        self._facts = facts
        widest = max([len(fact.name) for fact in facts], default=8)
        value = min(40, max([len(fact.value) for fact in facts], default=8))
        columns = (
            Column("group", titles[0], 9, priority=1),
            Column("name", titles[1], max(len(titles[1]), widest)),
            Column("value", titles[2], max(len(titles[2]), value)),
            Column("meaning", titles[3], 20, flex=True),
        )
        # Help has no values: its second title is empty.
        self._columns = [column for column in columns if column.key != "value" or titles[2]]

    @property
    def columns(self) -> Sequence[Column]:
        return self._columns

    def __len__(self) -> int:
        return len(self._facts)

    def key(self, row: int) -> Hashable:
        fact = self._facts[row]
        return (fact.group, fact.name, fact.value if fact.name == "process" else "")

    def row_of(self, key: Hashable) -> int | None:
        return next((row for row in range(len(self)) if self.key(row) == key), None)

    def cells(self, row: int, columns: Sequence[Column]) -> Sequence[Cell]:
        fact = self._facts[row]
        first = row == 0 or self._facts[row - 1].group != fact.group
        texts: dict[str, Cell] = {
            "group": (fact.group if first else "", "dim"),
            "name": fact.name,
            "value": fact.value,
            "meaning": (fact.meaning, "dim"),
        }
        return [texts[column.key] for column in columns]

    def look(self, row: int) -> str:
        return ""
