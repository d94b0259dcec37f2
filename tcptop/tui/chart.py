"""Charts with axes, and small pictures in a cell, as lines of text. Time comes from the samples.

plotext draws the axes and the curves. It keeps one figure for the whole process: only one thread
may call `chart`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache

import numpy as np

from tcptop.analysis.rings import Series
from tcptop.columns import units
from tcptop.model.cells import cell_width, cut, safe
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.table import F64, I64
from tcptop.tui.widgets.layout import Line, merge

Unit = Callable[[float], str]

MARGIN = 6  # cells of the labels of the y axis, so that the curves stay where they are
LEAST_WIDTH, LEAST_HEIGHT = 24, 6  # below that there are only small pictures
SPANS = (60, 120, 300, 600, 1800, 3600, 7200, 21_600, 86_400)

# By marker as well as by colour: with NO_COLOR the marker is all there is.
CURVES = (("braille", ""), ("o", "good"), ("+", "dim"), ("x", ""))
ASCII_CURVES = (("*", ""), *CURVES[1:])
SHOWN = {"braille": "⠒"}  # in the legend
LIMIT, FORECAST = "-", "."
COLOURS = {"": "default", "warn": 1, "good": 2, "dim": 8}  # what plotext writes for a style
LABEL = {"color": COLOURS["warn"], "alignment": "left"}
STYLES = {f"38;5;{colour}": style for style, colour in COLOURS.items()}
FRAME = str.maketrans("┌┐└┘├┤┬┴┼─│–…", "+++++++++-|-~")

NOW = "now"
HOLE = 3  # so many times the usual interval without a style, and the curve is broken

Ticks = tuple[tuple[int, str], ...]
Run = tuple[tuple[int, int], ...]  # (x, y) of the points of one unbroken curve


class Limit(NamedTuple):
    """A line across the chart."""

    name: str
    value: float


class _Picture(NamedTuple):
    """All that is drawn, in whole points: equal pictures need not be drawn twice."""

    size: tuple[int, int]  # columns, rows
    curves: tuple[tuple[Run, ...], ...]
    limit: tuple[str, int] | None
    forecast: Run
    x_ticks: Ticks
    y_ticks: Ticks
    ascii_only: bool


def chart(
    series: Sequence[tuple[str, Series]],
    size: tuple[int, int],
    title: str,
    unit: Unit,
    limit: Limit | None = None,
    forecast: Series | None = None,
    ascii_only: bool = False,
    span_s: float | None = None,
    now: str = NOW,
) -> list[Line]:
    """`size` (width, height) cells of at most four series over time, the first line the legend.

    A column shows the highest of its seconds. Unknown is a gap; a series that has always been 0
    has no curve, only its number in the legend. `forecast` goes on from now, in
    the last quarter; `span_s` is otherwise chosen by how much is known. A limit of NaN is none.
    `now` is what the end is called.
    """
    width, height = size
    limit = None if limit is None or math.isnan(limit.value) else limit
    heading = _heading(series, title, unit, limit, width, ascii_only)
    heading = _ascii(heading) if ascii_only else heading
    if width < LEAST_WIDTH or height < LEAST_HEIGHT:
        small = [((units.spark(each.values, width, ascii_only), ""),) for _, each in series]
        return [heading, *small, *[()] * height][:height]
    top = _top(_highest(series, limit), unit)
    grid = _grid(series, size, forecast, span_s, top)
    picture = _Picture(
        (grid.columns, grid.rows),
        tuple(tuple(runs(each, grid)) if _moves(each) else () for _, each in series),
        (f"{safe(limit.name)} {unit(limit.value)}", grid.y(limit.value)) if limit else None,
        ahead(forecast, grid) if forecast else (),
        _x_ticks(grid),
        tuple((grid.y(top * part), unit(top * part)) for part in (0, 0.5, 1)),
        ascii_only,
    )
    *drawn, axis = _drawn(picture)
    return [heading, *drawn, axis if now == NOW else _ended(axis, now)]


def _heading(
    series: Sequence[tuple[str, Series]],
    title: str,
    unit: Unit,
    limit: Limit | None,
    width: int,
    ascii_only: bool,
) -> Line:
    """The title, and what each series is now; the markers where there are several."""
    spans = [(safe(title), "")]
    for (name, each), (marker, style) in zip(series, _curves(ascii_only), strict=False):
        mark = f"{SHOWN.get(marker, marker)} " if len(series) > 1 and _moves(each) else ""
        now = unit(float(each.values[-1])) if len(each.values) else units.UNKNOWN
        spans.append((f"  {mark}{safe(name)} {now}", style))
    if limit is not None:
        spans.append((f"  {LIMIT} {safe(limit.name)} {unit(limit.value)}", "warn"))
    return _cut(spans, width)


def _moves(series: Series) -> bool:
    """Whether it is known to have been anything but 0."""
    return bool(np.nan_to_num(series.values).any())


def _cut(spans: Sequence[tuple[str, str]], width: int) -> Line:
    kept: list[tuple[str, str]] = []
    for text, style in spans:
        kept.append((cut(text, width), style))
        width -= cell_width(kept[-1][0])
    return merge([span for span in kept if span[0]])


def _curves(ascii_only: bool) -> Sequence[tuple[str, str]]:
    return ASCII_CURVES if ascii_only else CURVES


# -- scales


def _highest(series: Sequence[tuple[str, Series]], limit: Limit | None) -> float:
    known = [float(np.fmax.reduce(each.values, initial=0.0)) for _, each in series]
    return max([0.0, *known, *([limit.value] if limit else [])])


def _top(highest: float, unit: Unit) -> float:
    """The end of the y axis: a round number whose half is one too, as `unit` shows them."""
    for top in _round_numbers(highest, binary=unit in (units.size, units.byte_rate)):
        if top >= highest and len({unit(0), unit(top / 2), unit(top)}) == 3:
            return top
    return highest


def _round_numbers(highest: float, binary: bool) -> Iterator[float]:
    power = math.floor(math.log10(max(highest, 0.01)))
    if binary:
        yield from (2.0**exponent for exponent in range(64))
    for exponent in range(power, power + 4):
        yield from (step * 10.0**exponent for step in (1, 2, 4))


def _grid(
    series: Sequence[tuple[str, Series]],
    size: tuple[int, int],
    forecast: Series | None,
    span_s: float | None,
    top: float,
) -> ChartGrid:
    columns, rows = size[0] - MARGIN - 1, size[1] - 3  # legend, axis and its labels
    ends = [each.clock[-1] for _, each in series if len(each.clock)]
    now = float(max(ends, default=0.0))
    future = columns // 4 if forecast else 0
    return ChartGrid(columns, rows, future, span_s or _span(series, now), now, top)


def _span(series: Sequence[tuple[str, Series]], now: float) -> float:
    """The shortest of the usual ones that shows all that is known."""
    known = [each.clock[~np.isnan(each.values)] for _, each in series]
    age = now - float(min([clock[0] for clock in known if len(clock)], default=now))
    return next((span for span in SPANS if span >= age), SPANS[-1])


def _x_ticks(grid: ChartGrid) -> Ticks:
    now = 2 * (grid.columns - grid.future) - 1
    past = ((0, f"-{_short(grid.span_s)}"), (now // 2, f"-{_short(grid.span_s / 2)}"))
    later = f"+{_short(grid.future * grid.column_s)}"
    end = ((2 * grid.columns - 1, later),) if grid.future else ()
    return (*past, (now, NOW), *end)


def _short(seconds: float) -> str:
    """Of a round span: 30s, 2.5m, 10m, 2h."""
    if seconds < 60:
        return f"{seconds:.0f}s"
    return f"{seconds / 60:.2g}m" if seconds < 3600 else f"{seconds / 3600:.2g}h"


# -- points: four a row, two a column, as in braille


class ChartGrid(NamedTuple):
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
        """Whole columns of time, so that the picture moves once a column and not once a style."""
        half = self.column_s / 2
        edge = 2 * (math.floor(self.now / self.column_s) + 1)
        past = 2 * (self.columns - self.future)
        return np.floor(clock / half).astype(np.int64) - edge + past

    def y(self, value: float) -> int:
        return round(value / self.top * (4 * self.rows - 1))


def runs(series: Series, grid: ChartGrid) -> Iterator[Run]:
    """The unbroken parts of a curve: the highest value of each point of time that was looked at."""
    points: list[tuple[int, int]] = []
    for x, value in _points(series, grid):
        if value is not None:
            points.append((x, grid.y(value)))
        elif points:
            yield tuple(points)
            points = []
    if points:
        yield tuple(points)


def _points(series: Series, grid: ChartGrid) -> Iterator[tuple[int, float | None]]:
    """(x, value), None where nothing is known."""
    places = grid.x(series.clock)
    within = (places >= 0) & (places < 2 * grid.columns)
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


def ahead(forecast: Series, grid: ChartGrid) -> Run:
    """The forecast as far as the axes go; a straight line between its points."""
    clock = np.arange(grid.now, grid.now + grid.future * grid.column_s, grid.column_s)
    values = np.interp(clock, forecast.clock, forecast.values, right=np.nan)
    inside = ~np.isnan(values) & (values >= 0) & (values <= grid.top)
    places = np.minimum(grid.x(clock[inside]), 2 * grid.columns - 1).tolist()
    return tuple((x, grid.y(v)) for x, v in zip(places, values[inside].tolist(), strict=True))


# -- drawing


@lru_cache(maxsize=8)
def _drawn(picture: _Picture) -> tuple[Line, ...]:
    import plotext  # 60 ms that only those pay who open a chart

    columns, rows = picture.size
    plotext.clear_figure()
    plotext.limit_size(False, False)
    plotext.theme("clear")
    plotext.plotsize(MARGIN + 1 + columns, rows + 2)
    plotext.xaxes(True, False)
    plotext.yaxes(True, False)
    plotext.xlim(0, 2 * columns - 1)
    plotext.ylim(0, 4 * rows - 1)
    plotext.xticks(*zip(*picture.x_ticks, strict=True))
    places, labels = zip(*picture.y_ticks, strict=True)
    plotext.yticks(places, [_label(label) for label in labels])
    _draw(picture)
    text = plotext.build()
    plotext.clear_figure()
    lines = [_line(line, MARGIN + 1 + columns) for line in text.splitlines()]
    return tuple(_ascii(line) if picture.ascii_only else line for line in lines)


def _ended(axis: Line, moment: str) -> Line:
    """With a time in the place of NOW, or a shorter one where there is less room: a picture is the
    same while time goes on."""
    text = "".join(part for part, _ in axis)
    at = text.rfind(NOW)
    if at < 0:
        return axis
    end = at + len(NOW)
    blank = text[:at] + " " * len(NOW) + text[end:]
    for name, begin in (
        (moment, min(at + 1 - len(moment) // 2, len(text) - len(moment))),
        *((shorter, end - len(shorter)) for shorter in (moment, moment[:-3])),
    ):
        if not blank[max(0, begin - 1) : begin + len(name) + 1].strip():
            return ((blank[:begin] + name + blank[begin + len(name) :], axis[0][1]),)
    return ((blank, axis[0][1]),)


def _label(text: str) -> str:
    """In the cells beside the y axis; 100,000 is 100000 there."""
    shown = text if len(text) <= MARGIN else text.replace(",", "")
    return shown.rjust(MARGIN)[-MARGIN:]


def _draw(picture: _Picture) -> None:
    """What comes later is above what comes before."""
    import plotext

    def plot(run: Run, marker: str, style: str) -> None:
        x, y = zip(*run, strict=True)
        plotext.plot(x, y, marker=marker, color=COLOURS[style])

    plot(((0, 0),), " ", "")  # without any curve there would be no axes
    end = 2 * picture.size[0] - 1
    if picture.limit is not None:
        plot(((0, picture.limit[1]), (end, picture.limit[1])), LIMIT, "warn")
    if picture.forecast:
        plot(picture.forecast, FORECAST, "dim")
    for parts, (marker, style) in zip(picture.curves, _curves(picture.ascii_only), strict=False):
        for run in parts:
            plot(run, marker, style)
    if picture.limit is not None:
        label = cut(picture.limit[0], picture.size[0] - 6)
        plotext.text(f" {label} ", 4, picture.limit[1], **LABEL)


def _line(text: str, width: int) -> Line:
    """A line of plotext's with its colours as looks."""
    spans, style = [], ""
    for number, part in enumerate(re.split(r"\x1b\[([0-9;]*)m", text)):
        if number % 2:
            style = STYLES.get(part, "")
        else:
            spans.append((part, style))
    return _cut([*spans, (" " * width, "")], width)


def _ascii(line: Line) -> Line:
    return tuple((text.translate(FRAME), style) for text, style in line)
