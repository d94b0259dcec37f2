"""The host's numbers as charts with axes, where there is room for them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from tcptop.analysis.recorded import STATES as RECORDED_STATES
from tcptop.analysis.rings import HOST, Series
from tcptop.columns import OVERVIEW, STATES, units
from tcptop.columns.overview import share
from tcptop.model import tcp
from tcptop.model.arrays import sorted_unique
from tcptop.model.named_tuple import NamedTuple
from tcptop.tui.chart import Unit, chart
from tcptop.tui.overview.board import Piece, Spot, padded
from tcptop.tui.panes.rows import Scene

SPAN_S = 300.0
STATES_SHOWN = (tcp.ESTABLISHED, tcp.TIME_WAIT, tcp.CLOSE_WAIT)


class HostChart(NamedTuple):
    """`series` are names and metrics; `row` is the place of the measure that it leads to, None for
    the states."""

    title: str
    unit: Unit
    series: dict[str, str]
    row: int | None


CHARTS = (
    HostChart(
        "Sockets", units.count,
        {tcp.SS_STATES[state]: RECORDED_STATES[state - 1] for state in STATES_SHOWN}, None,
    ),
    HostChart(
        "Connections a second", units.rate,
        {"opened": "opens_per_s", "closed": "closes_per_s"}, 0,
    ),
    HostChart("Segments a second", units.rate, {"": "segments_sent_per_s"}, 2),
    HostChart("Retransmitted", share, {"": "retransmitted_share"}, 3),
    HostChart(
        "Drops at listeners a second", units.rate,
        {"all": "listen_drops_per_s", "overflows": "listen_overflows_per_s"}, 4,
    ),
    HostChart(
        "Bytes a second", units.byte_rate,
        {"sent": "bytes_sent_per_s", "received": "bytes_received_per_s"}, 6,
    ),
)  # fmt: skip


def charts(scene: Scene, number: int, width: int, height: int) -> Iterator[list[list[Piece]]]:
    """Bands of at most `number` charts, each of so many cells, as lines of pieces."""
    every = [_pieces(scene, each, width, height) for each in CHARTS]
    for start in range(0, len(every), number):
        yield every[start : start + number]


def _pieces(scene: Scene, drawn: HostChart, width: int, height: int) -> list[Piece]:
    series = _moving([(name, _series(scene, metric)) for name, metric in drawn.series.items()])
    size, (_, _, ascii_only, now) = (width, height), scene.room
    lines = chart(series, size, drawn.title, drawn.unit, None, None, ascii_only, SPAN_S, now)
    spot = _spot(scene, drawn)
    return [Piece(padded(line, width), spot, lit=not at) for at, line in enumerate(lines)]


def _spot(scene: Scene, drawn: HostChart) -> Spot:
    if drawn.row is None:
        return Spot("charts", STATES.name)
    (key,) = OVERVIEW.keys(scene.selection, np.array([drawn.row])).tolist()
    return Spot("charts", OVERVIEW.name, key)


def _series(scene: Scene, metric: str) -> Series:
    return scene.series("host", HOST, metric)


def _moving(series: Sequence[tuple[str, Series]]) -> Sequence[tuple[str, Series]]:
    """Only what they are now where none has ever changed: a line that grows would tell nothing."""
    if any(len(sorted_unique(each.values[~np.isnan(each.values)])) > 1 for _, each in series):
        return series
    last = (each.values[-1:] for _, each in series)
    # At a moment that is the same each time, or the point would move by halves of a cell.
    return [
        (name, Series(np.zeros(len(now)), now)) for (name, _), now in zip(series, last, strict=True)
    ]
