"""The overview as lines: pieces beside each other, some of which the cursor can stand on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache

from tcptop.model.cells import cell_width
from tcptop.model.named_tuple import NamedTuple
from tcptop.tui.widgets.layout import Line, merge, window


class Spot(NamedTuple):
    """What the cursor can stand on: a row of a view's list, or that list where `row` is None.

    `part` tells spots apart that lead to the same place.
    """

    part: str
    view: str
    row: int | None = None


class Piece(NamedTuple):
    """Cells of one line; `lit` where they look chosen when their spot is."""

    line: Line
    spot: Spot | None = None
    lit: bool = True


class Area(NamedTuple):
    """The cells of a spot; `bottom` is the line after the last."""

    left: int
    right: int
    top: int
    bottom: int


Row = Sequence[Piece]


class Board:
    """Rows of pieces that are as wide as they are drawn."""

    def __init__(self, rows: Sequence[Row] = ()) -> None:
        self._rows = rows
        self._areas: dict[Spot, Area] = {}
        for y, row in enumerate(rows):
            for spot, left, right in _placed(row):
                top = self._areas[spot].top if spot in self._areas else y
                self._areas[spot] = Area(left, right, top, y + 1)

    @property
    def spots(self) -> Sequence[Spot]:
        """Line by line."""
        return [*self._areas]

    def lines(self, chosen: Spot | None) -> list[Line]:
        """The rows, with the chosen spot in the look of the cursor."""
        return [_drawn(row, chosen) for row in self._rows]

    def top(self, spot: Spot) -> int:
        """The line that has to be in sight."""
        return self._areas[spot].top if spot in self._areas else 0

    def nearest(self, spot: Spot | None) -> Spot | None:
        """The spot itself; where it is gone another one of its part, or else the first."""
        if spot is None or spot in self._areas:
            return spot or next(iter(self._areas), None)
        same = [each for each in self._areas if each.part == spot.part]
        return same[-1] if same else next(iter(self._areas), None)

    def neighbour(self, spot: Spot, dx: int, dy: int) -> Spot:
        """The spot that an arrow key leads to; the same one at the edge."""
        here = self._areas.get(spot)
        if here is None:
            return self.nearest(spot) or spot
        beside = [
            (_distance(here, area, dy), other)
            for other, area in self._areas.items()
            if (_below(here, area, dy) if dy else _across(here, area, dx))
        ]
        return min(beside, key=lambda each: each[0])[1] if beside else spot

    def at(self, x: int, y: int) -> Spot | None:
        """The spot drawn at a cell."""
        found = (
            spot
            for spot, area in self._areas.items()
            if area.left <= x < area.right and area.top <= y < area.bottom
        )
        return next(found, None)


def _placed(row: Row) -> Iterator[tuple[Spot, int, int]]:
    left = 0
    for piece in row:
        right = left + _width(piece.line)
        if piece.spot is not None:
            yield piece.spot, left, right
        left = right


@lru_cache(512)
def _width(line: Line) -> int:
    return sum(cell_width(text) for text, _ in line)


def _below(here: Area, there: Area, dy: int) -> bool:
    """Whether it is in the same column, and on this side."""
    overlap = here.left < there.right and there.left < here.right
    return overlap and (there.top - here.top) * dy > 0


def _across(here: Area, there: Area, dx: int) -> bool:
    return there.left >= here.right if dx > 0 else there.right <= here.left


def _distance(here: Area, there: Area, dy: int) -> tuple[int, int]:
    down, across = abs(there.top - here.top), abs(there.left - here.left)
    return (down, across) if dy else (across, down)


def _drawn(row: Row, chosen: Spot | None) -> Line:
    spans: list[tuple[str, str]] = []
    for piece in row:
        if piece.lit and piece.spot is not None and piece.spot == chosen:
            spans += [(text, f"cursor {look}".rstrip()) for text, look in piece.line]
        else:
            spans += piece.line
    return merge(spans)


def padded(line: Line, width: int) -> Line:
    """The line in exactly so many cells."""
    return window((*line, ("", "")), 0, width)
