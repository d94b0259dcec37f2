"""A part of the overview: what it is made of, how it is drawn, and rows of it that lists have."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

from tcptop.columns import Listing, netns
from tcptop.model.cells import cell_slice, cell_width, cut
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.table import Index
from tcptop.tui.overview.board import Piece, Spot, padded
from tcptop.tui.panes.rows import Scene
from tcptop.tui.widgets import layout
from tcptop.tui.widgets.layout import Cell, Line, TableColumn

LINES = 64  # that are remembered of a part, as most are as they were a sample ago

Made = Cell | Callable[[int], Cell]  # as it is, or for so many cells


class PartRow(NamedTuple):
    """A row; cells by the keys of its part's columns."""

    spot: Spot
    cells: Mapping[str, Made]


class OverviewPart(NamedTuple):
    """`spot` is that of the title, which leads to the list; `more` stands beside the title.
    `least` is how many rows belong together."""

    title: str
    spot: Spot
    columns: Sequence[TableColumn]
    rows: Sequence[PartRow]
    more: str = ""
    least: int = 1


class _Layout:
    """The columns that have room in a width, and lines that were drawn in them."""

    def __init__(self, columns: Sequence[TableColumn], width: int) -> None:
        self.kept, self.sizes = layout.lay_out(columns, width)
        self.titles = layout.titles(self.kept, self.sizes)
        self._width = width
        self._lines: dict[tuple[Cell, ...], Line] = {}

    def line(self, row: PartRow) -> Line:
        values = (row.cells.get(column.key, "") for column in self.kept)
        sized = zip(values, self.sizes, strict=True)
        cells = tuple(value(size) if callable(value) else value for value, size in sized)
        if cells not in self._lines:
            if len(self._lines) > LINES:
                self._lines.clear()
            line = layout.row_line(cells, self.kept, self.sizes, "")
            self._lines[cells] = padded(line, self._width)
        return self._lines[cells]


_laid_out = lru_cache(64)(_Layout)


def drawn(part: OverviewPart, width: int, rows: int) -> list[Piece]:
    """The title and so many rows, each in `width` cells; columns that have no room are left out."""
    laid = _laid_out(tuple(part.columns), width)
    heading = Piece(_heading(part.title, part.more, laid.titles, width), part.spot)
    return [heading, *(Piece(laid.line(row), row.spot) for row in part.rows[:rows])]


@lru_cache(64)
def _heading(title: str, more: str, titles: str, width: int) -> Line:
    """The part's title, before those of its columns, which give way to what there is to say."""
    shown = cut(title, width)
    room = width - cell_width(shown)
    after = (
        cut(f"  {_told(more, room - 2)}", room)
        if more
        else cell_slice(titles, cell_width(shown), room)
    )
    return padded(((shown, "good"), (after, "dim")), width)


def _told(more: str, room: int) -> str:
    """As many of its clauses as have room."""
    while cell_width(more) > room and ", " in more:
        more = more.rpartition(", ")[0]
    return more


# -- rows of lists


def most(scene: Scene) -> int:
    """Rows of a part that may have room."""
    return max(3, scene.room.height // 3)


def title_spot(listing: Listing) -> Spot:
    return Spot(listing.name, listing.name)


def listed(
    scene: Scene, listing: Listing, places: Index, columns: Sequence[str], part: str = ""
) -> list[PartRow]:
    """Rows of a list with the cells of some of its columns, and of namespaces where they are of
    others than the reader's own."""
    if not len(places):
        return []
    if netns.elsewhere(listing, scene.selection, places):
        listing, columns = netns.told(listing), (*columns, netns.KEY)
    keys = listing.keys(scene.selection, places).tolist()
    cells = [_cells(scene, listing, key, places) for key in columns]
    rows = zip(keys, *cells, strict=True)
    return [
        PartRow(
            Spot(part or listing.name, listing.name, key), dict(zip(columns, values, strict=True))
        )
        for key, *values in rows
    ]


def _cells(scene: Scene, listing: Listing, key: str, places: Index) -> Sequence[Cell]:
    column = listing.column(key)
    texts = column.texts(scene.selection, places)
    styles = column.styles(scene.selection, places) if column.styles else None
    return list(zip(texts, styles, strict=True)) if styles else texts


def spaces(rows: Sequence[PartRow]) -> list[TableColumn]:
    """The column of namespaces, where it is told."""
    told = any(netns.KEY in row.cells for row in rows)
    return [TableColumn(netns.KEY, "", 8, flex=True, priority=3, least=4, tail="/")] if told else []


def texts(scene: Scene, listing: Listing, key: str, places: Index) -> Sequence[str]:
    return listing.column(key).texts(scene.selection, places)


def with_cells(rows: Sequence[PartRow], **columns: Sequence[Made]) -> list[PartRow]:
    """The rows with more cells."""
    return [
        PartRow(row.spot, {**row.cells, **{key: made[at] for key, made in columns.items()}})
        for at, row in enumerate(rows)
    ]
