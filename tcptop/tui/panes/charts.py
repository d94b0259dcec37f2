"""Charts beside each other, as rows that are drawn only when they are looked at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property, partial

import numpy as np

from tcptop.analysis.rings import Series
from tcptop.model.named_tuple import NamedTuple
from tcptop.tui.chart import Limit, Unit, chart
from tcptop.tui.panes.rows import PaneRow, Room, Scene, beside, columns
from tcptop.tui.widgets.layout import Line

GAP = 1
LEAST, MOST = 8, 12  # lines of a chart


class Drawing(NamedTuple):
    """One chart; see `charts.chart`."""

    title: str
    unit: Unit
    series: Sequence[tuple[str, Series]]
    limit: Limit | None = None
    forecast: Series | None = None
    span_s: float | None = None

    @property
    def known(self) -> bool:
        """Whether there is anything to draw."""
        return any(not np.isnan(each.values).all() for _, each in self.series)

    @property
    def flat(self) -> bool:
        """Whether it has always been 0: that the facts say, too."""
        return not any(np.nan_to_num(each.values).any() for _, each in self.series)


def recorded(
    scene: Scene,
    subject: tuple[str, int],
    title: str,
    unit: Unit,
    metrics: Mapping[str, str],
    limit: Limit | None = None,
) -> Drawing:
    """A chart of what the rings know of a subject (kind, key); `metrics` are names and metrics."""
    series = [(name, scene.series(*subject, metric)) for name, metric in metrics.items()]
    return Drawing(title, unit, series, limit)


class Band:
    """As many charts as there is room for, beside each other."""

    def __init__(self, drawings: Sequence[Drawing], room: Room) -> None:
        self._drawings = drawings
        self._room = room
        self.height = min(max(LEAST, room.height // 3), MOST)

    def line(self, at: int) -> Line:
        return self._lines[at]

    @cached_property
    def _lines(self) -> list[Line]:
        number = columns(self._room.width)
        each = (self._room.width - GAP * (number - 1)) // number
        charts = [self._chart(drawing, each) for drawing in self._drawings]
        return [beside(lines, each, GAP) for lines in zip(*charts, strict=True)]

    def _chart(self, drawing: Drawing, width: int) -> list[Line]:
        return chart(
            drawing.series,
            (width, self.height),
            drawing.title,
            drawing.unit,
            drawing.limit,
            drawing.forecast,
            self._room.ascii_only,
            drawing.span_s,
            self._room.now,
        )


def bands(room: Room, drawings: Sequence[Drawing]) -> list[list[PaneRow]]:
    """The rows of each band of charts; what is not recorded has none. The first chart stays where
    it is, the others come with their first value above 0."""
    kept = [each for at, each in enumerate(drawings) if each.known and not (at and each.flat)]
    number = columns(room.width)
    parts = [kept[at : at + number] for at in range(0, len(kept), number)]
    return [_rows(part, room) for part in parts]


def _rows(drawings: Sequence[Drawing], room: Room) -> list[PaneRow]:
    band, name = Band(drawings, room), drawings[0].title
    return [PaneRow(("chart", name, at), partial(band.line, at)) for at in range(band.height)]
