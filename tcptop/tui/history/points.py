"""Where a series lies in a grid of cells: four points a row, two a column, as in braille."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from tcptop.model.table import F64, I64
from tcptop.tui.history.series import Series

HOLE = 3  # so many times the usual interval without a look, and the curve is broken

Run = tuple[tuple[int, int], ...]  # (x, y) of the points of one unbroken curve


class Frame(NamedTuple):
    """The place of a moment and a value in the chart: two points a column, four a row."""

    columns: int
    rows: int
    future: int  # columns, of all
    span_s: float
    now: float
    top: float

    @property
    def column_s(self) -> float:
        return self.span_s / (self.columns - self.future)

    def x(self, clock: F64) -> I64:
        """Whole columns of time, so that the picture moves once a column and not once a look."""
        half = self.column_s / 2
        edge = 2 * (math.floor(self.now / self.column_s) + 1)
        past = 2 * (self.columns - self.future)
        return np.floor(clock / half).astype(np.int64) - edge + past

    def y(self, value: float) -> int:
        return round(value / self.top * (4 * self.rows - 1))


def runs(series: Series, frame: Frame) -> Iterator[Run]:
    """The unbroken parts of a curve: the highest value of each point of time that was looked at."""
    points: list[tuple[int, int]] = []
    for x, value in _points(series, frame):
        if value is not None:
            points.append((x, frame.y(value)))
        elif points:
            yield tuple(points)
            points = []
    if points:
        yield tuple(points)


def _points(series: Series, frame: Frame) -> Iterator[tuple[int, float | None]]:
    """(x, value), None where nothing is known."""
    places = frame.x(series.clock)
    within = (places >= 0) & (places < 2 * frame.columns)
    clock, values, places = series.clock[within], series.values[within], places[within]
    if not len(places):
        return
    starts = np.flatnonzero(np.diff(places, prepend=-1))
    highest = np.fmax.reduceat(values, starts)
    gaps = np.diff(clock, prepend=clock[0])
    holes = np.maximum.reduceat(gaps, starts) > HOLE * np.median(gaps[1:] if len(gaps) > 1 else 1)
    for x, value, hole in zip(places[starts].tolist(), highest, holes.tolist(), strict=True):
        if hole:
            yield x, None
        yield x, None if np.isnan(value) else float(value)


def ahead(forecast: Series, frame: Frame) -> Run:
    """The forecast as far as the axes go; a straight line between its points."""
    clock = np.arange(frame.now, frame.now + frame.future * frame.column_s, frame.column_s)
    values = np.interp(clock, forecast.clock, forecast.values, right=np.nan)
    inside = ~np.isnan(values) & (values >= 0) & (values <= frame.top)
    places = np.minimum(frame.x(clock[inside]), 2 * frame.columns - 1).tolist()
    return tuple((x, frame.y(v)) for x, v in zip(places, values[inside].tolist(), strict=True))
