"""Which parts have room, and where: parts give way in turn, and none of their numbers is cut."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import zip_longest

from tcptop.analysis.findings.settings import FindingSettings
from tcptop.tui.overview.board import Board, Piece, Row, padded
from tcptop.tui.overview.charts import CHARTS, charts
from tcptop.tui.overview.part import OverviewPart, drawn
from tcptop.tui.overview.parts import (
    destinations,
    findings,
    listeners,
    queues,
    rates,
    state_counts,
    top_processes,
)
from tcptop.tui.panes.rows import Scene

LEAST = (60, 15)  # columns and rows of the terminal; with fewer there is a list
THREE = 150  # columns from which three parts are beside each other
ROOMY = 17  # lines from which a blank one is between parts
CHARTED = (45, 40)  # columns of a part and lines from which there are charts
CHART_LINES = (7, 18)  # of one, least and most
GAP = 2

Maker = Callable[[Scene], OverviewPart]
# Below each other in columns, by their number; in a column the first ones get room first.
COLUMNS: Mapping[int, Sequence[Sequence[Maker]]] = {
    2: ((rates, top_processes), (listeners, destinations, queues, state_counts)),
    3: ((rates, state_counts), (listeners, destinations), (queues, top_processes)),
}
BELOW_CHARTS: Mapping[int, Sequence[Sequence[Maker]]] = {
    2: ((state_counts, top_processes), (listeners, destinations, queues)),
    3: ((state_counts, top_processes), (listeners, destinations), (queues,)),
}


def board(scene: Scene, settings: FindingSettings) -> Board:
    """The overview in exactly the room of the scene."""
    width, height = scene.room[:2]
    number = 3 if width >= THREE else 2
    each = (width - GAP * (number - 1)) // number
    roomy = height >= ROOMY
    rows: list[Row] = _findings(scene, settings)
    rows += [[]] * roomy
    charted = each >= CHARTED[0] and height >= CHARTED[1]
    columns = (BELOW_CHARTS if charted else COLUMNS)[number]
    listed = [[make(scene) for make in makers] for makers in columns]
    if charted:
        rows += _charts(scene, number, each, height - len(rows) - max(map(_lines, listed)))
    room = height - len(rows)
    rows += _beside([_column(below, each, room, roomy) for below in listed], each)
    return Board(rows[:height])


def _lines(listed: Sequence[OverviewPart]) -> int:
    """Lines of parts below each other that have all the room they want."""
    return sum(2 + len(part.rows) for part in listed)


def _findings(scene: Scene, settings: FindingSettings) -> list[Row]:
    width, height = scene.room[:2]
    part = findings(scene, settings)
    return [[piece] for piece in drawn(part, width, max(2, height // 5))]


def _charts(scene: Scene, number: int, width: int, room: int) -> list[Row]:
    """As high as the lists leave them room."""
    bands = -(-len(CHARTS) // number)
    least, most = CHART_LINES
    lines = max(least, min(room // bands - 1, most))
    rows: list[Row] = []
    for band in charts(scene, number, width, lines):
        rows += [*_beside(band, width), []]
    return rows


def _column(listed: Sequence[OverviewPart], width: int, room: int, roomy: bool) -> list[Piece]:
    """The parts below each other; those that have no room are left out."""
    pieces: list[Piece] = []
    blank = Piece(padded((), width))
    for part, rows in _shares(listed, room, int(roomy)):
        pieces += [blank] * bool(pieces and roomy)
        pieces += drawn(part, width, rows)
    return pieces


def _shares(
    listed: Sequence[OverviewPart], room: int, blank: int
) -> list[tuple[OverviewPart, int]]:
    """How many rows each part has: the least, and then in turns as many as fit."""
    given: dict[int, int] = {}
    for at, part in enumerate(listed):
        least = min(part.least, len(part.rows), max(1, room - 1))
        needed = 1 + least + (blank if given else 0)
        if needed <= room:
            given[at] = least
            room -= needed
    while room and any(rows < len(listed[at].rows) for at, rows in given.items()):
        for at, rows in given.items():
            if room and rows < len(listed[at].rows):
                given[at] += 1
                room -= 1
    return [(listed[at], rows) for at, rows in given.items()]


def _beside(columns: Sequence[Sequence[Piece]], width: int) -> list[Row]:
    empty, gap = Piece(padded((), width)), Piece(((" " * GAP, ""),))
    lines = zip_longest(*columns, fillvalue=empty)
    return [[piece for each in line for piece in (each, gap)][:-1] for line in lines]
