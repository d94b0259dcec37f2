"""What a table shows: a list of the snapshot in its order, or facts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from itertools import zip_longest

import numpy as np

from tcptop.columns import Column, Listing, netns, ordered, units
from tcptop.columns.detail import Fact
from tcptop.columns.marks import KEY as MARK
from tcptop.columns.marks import trouble
from tcptop.columns.names import COLUMNS as NAMED
from tcptop.columns.names import AddressNames, named
from tcptop.columns.netns import KEY as NETNS
from tcptop.columns.trend import KEY as TREND
from tcptop.model.cells import cell_width, wrap
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.selection import Selection
from tcptop.model.table import Index
from tcptop.tui.place import Sort
from tcptop.tui.settings import Arrangement
from tcptop.tui.widgets import layout
from tcptop.tui.widgets.layout import Cell, TableColumn

BLOCK = 64  # rows made at once: about a screenful, so a column's function runs once a paint


NOTHING = {"", units.UNKNOWN, "0", "0%"}  # what a cell says where there is nothing


def column_of(column: Column) -> TableColumn:
    """A column of a list as a table lays it out."""
    return TableColumn(*(getattr(column, name) for name in TableColumn._fields))


class ListingModel:
    """A list of the snapshot, sorted; cells are made when they are looked at."""

    def __init__(self, listing: Listing, selection: Selection, sort: Sort) -> None:
        self.listing = listing
        self.selection = selection
        self._rows = ordered(listing, selection, sort.key, sort.reverse)
        self._keys = listing.keys(selection, self._rows)
        self._blocks: dict[tuple[int, str], Sequence[Cell]] = {}
        self._styles: dict[int, Sequence[str]] = {}
        self._usual = [column_of(c) for c in listing.columns if self._of_use(c)]
        self._columns: Sequence[TableColumn] = self._usual
        self._names: AddressNames | None = None

    def _of_use(self, column: Column) -> bool:
        """Marks where something is wrong, namespaces where rows are of others."""
        if column.key == MARK:
            return trouble(self.selection.snapshot)
        return column.key != NETNS or netns.elsewhere(self.listing, self.selection, self._rows)

    @property
    def columns(self) -> Sequence[TableColumn]:
        return self._columns

    def arrange(self, arrangement: Arrangement | None) -> None:
        """Have the columns as the user wants them; None: as usual."""
        self._columns = arrangement.laid_out(self._usual) if arrangement else self._usual

    def name(self, names: AddressNames | None, anew: bool = False) -> None:
        """Show names for addresses; `anew` where there are other ones now."""
        if anew or names is not self._names:
            self._names = names
            self._blocks = {at: made for at, made in self._blocks.items() if at[1] not in NAMED}

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

    def places(self, rows: range) -> Index:
        """Those of some rows."""
        return self._rows[rows.start : rows.stop]

    def cells(self, row: int, columns: Sequence[TableColumn]) -> Sequence[Cell]:
        block, within = divmod(row, BLOCK)
        return [self._column(block, column.key)[within] for column in columns]

    def content(self, key: str, rows: range) -> int:
        return max((cell_width(text) for text in self._painted(key, rows)), default=0)

    def empty(self, key: str, rows: range) -> bool:
        """Of numbers whether there is none but 0 in the whole list; of texts what is in sight.
        Small pictures are dear, and come last anyway."""
        column = self.listing.column(key) if key != TREND else None
        if column is None:
            return False
        telling = column.telling or (column.values if column.right else None)
        if telling:
            return not np.nan_to_num(telling(self.selection, self._rows)).any()
        return NOTHING.issuperset(self._painted(key, rows))

    def _painted(self, key: str, rows: range) -> list[str]:
        """The texts of a column in rows that are about to be painted."""
        blocks = range(rows.start // BLOCK, -(-rows.stop // BLOCK))
        cells = [cell for block in blocks for cell in self._column(block, key)]
        inside = cells[rows.start - blocks.start * BLOCK :][: len(rows)]
        return layout.plain(inside)

    def texts(self, key: str, rows: range) -> Sequence[str]:
        """A column of some rows, which is not kept."""
        return self._texts(key, self._rows[rows.start : rows.stop])

    def style(self, row: int) -> str:
        block, within = divmod(row, BLOCK)
        if block not in self._styles:
            self._styles[block] = self.listing.styles(self.selection, self._part(block))
        return self._styles[block][within]

    def _part(self, block: int) -> Index:
        return self._rows[block * BLOCK : (block + 1) * BLOCK]

    def _column(self, block: int, key: str) -> Sequence[Cell]:
        cells = self._blocks.get((block, key))
        if cells is None:
            cells = self._blocks[block, key] = self._cells(key, self._part(block))
        return cells

    def _cells(self, key: str, rows: Index) -> Sequence[Cell]:
        """A column of some rows."""
        column = self.listing.column(key)
        texts = self._texts(key, rows)
        styles = column.styles(self.selection, rows) if column.styles else None
        return list(zip(texts, styles, strict=True)) if styles else texts

    def _texts(self, key: str, rows: Index) -> Sequence[str]:
        texts = self.listing.column(key).texts(self.selection, rows)
        return named(texts, self._names) if key in NAMED else texts


class FactsModel:
    """Facts as rows, wrapped to `width` cells; a fact is known by its group and name."""

    def __init__(
        self,
        facts: Sequence[Fact],
        titles: tuple[str, str, str, str],
        width: int,
        style: str = "dim",  # of the meanings
    ) -> None:
        name = max(cell_width(text) for text in (titles[1], *(fact.name for fact in facts)))
        value = max(cell_width(text) for text in (titles[2], *(fact.value for fact in facts)))
        columns = (
            TableColumn("group", titles[0], 9, priority=1),
            TableColumn("name", titles[1], name),
            TableColumn("value", titles[2], min(value, max(22, width // 3))),
            TableColumn("meaning", titles[3], 12, flex=True),
        )
        # Help and findings have no values: their second title is empty.
        self._columns = [column for column in columns if column.key != "value" or titles[2]]
        kept, cells = layout.lay_out(self._columns, width)
        sizes = dict(zip((c.key for c in kept), cells, strict=True))
        self._rows = [row for fact in _grouped(facts) for row in _wrapped(fact, sizes, style)]

    @property
    def columns(self) -> Sequence[TableColumn]:
        return self._columns

    def __len__(self) -> int:
        return len(self._rows)

    def key(self, row: int) -> Hashable:
        return self._rows[row].key

    def row_of(self, key: Hashable) -> int | None:
        return next((at for at, row in enumerate(self._rows) if row.key == key), None)

    def cells(self, row: int, columns: Sequence[TableColumn]) -> Sequence[Cell]:
        return [self._rows[row].cells[column.key] for column in columns]

    def style(self, row: int) -> str:
        return ""

    def copied(self, row: int) -> str:
        """The whole fact."""
        fact = self._rows[row].fact
        return "  ".join(filter(None, (fact.name, fact.value, fact.meaning)))


class _Row(NamedTuple):
    key: Hashable
    cells: dict[str, Cell]
    fact: Fact  # of which it is a line


class _Headed(NamedTuple):
    fact: Fact
    heading: str  # to show beside it: its group, the first time
    same: Hashable  # what tells facts of one group and name apart


def _grouped(facts: Sequence[Fact]) -> Iterator[_Headed]:
    before, seen = "", Counter[tuple[str, str]]()
    for fact in facts:
        heading = fact.group if fact.group != before else ""
        # The holders of a socket come and go: a cursor on one of them stays there.
        same = fact.value if fact.name == "process" else seen[fact.group, fact.name]
        yield _Headed(fact, heading, same)
        seen[fact.group, fact.name] += 1
        before = fact.group


def _wrapped(headed: _Headed, sizes: dict[str, int], style: str) -> Iterator[_Row]:
    fact, heading, same = headed
    values = wrap(fact.value, sizes.get("value") or 1000) or [""]
    meanings = wrap(fact.meaning, sizes.get("meaning") or 1000) or [""]
    for line, (value, meaning) in enumerate(zip_longest(values, meanings, fillvalue="")):
        first = line == 0
        cells: dict[str, Cell] = {
            "group": (heading if first else "", "dim"),
            "name": fact.name if first else "",
            "value": value,
            "meaning": (meaning, style),
        }
        yield _Row((fact.group, fact.name, same, line), cells, fact)
