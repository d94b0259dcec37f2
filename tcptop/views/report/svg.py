"""One chart as inline SVG: lines whose width and colour the page decides, without any text.

It is stretched to the width it has; names and numbers are text of the page, which is not.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from tcptop.views.report.course import COLUMNS, ColumnBand, Course

HEIGHT = 100


def nice(value: float) -> float:
    """The next of 1, 2, 4, 5, 10, 20 …, of which the half is a short number too."""
    if not value > 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(power * step for step in (1, 2, 4, 5, 10) if power * step >= value * 0.999)


def drawn(course: Course, bands: Sequence[ColumnBand], top: float, limit: float | None,
          spans: Sequence[tuple[float, float]]) -> str:  # fmt: skip
    """The lines of some bands, up to `top`, over the spans of time that are marked."""
    marks = "".join(_mark(course, begin, end) for begin, end in spans)
    lines = "".join(
        f'<path class="s{number}" d="{path(course, band, top)}"/>'
        for number, band in reversed([*enumerate(bands)])
    )
    limits = "" if limit is None else _limit(limit, top)
    gaps = "".join(_mark(course, begin, end, "gap") for begin, end in course.wide_gaps)
    boots = "".join(
        f'<path class="boot" d="M{share(course, at) * COLUMNS:.1f} 0V{HEIGHT}"/>'
        for at in course.booted
    )
    return (
        f'<svg viewBox="0 0 {COLUMNS} {HEIGHT}" preserveAspectRatio="none" aria-hidden="true">'
        f'{gaps}{marks}<path class="grid" d="M0 50H{COLUMNS}M0 0H{COLUMNS}M0 {HEIGHT}H{COLUMNS}"/>'
        f"{boots}{limits}{lines}</svg>"
    )


def share(course: Course, at: float) -> float:
    """How far into the time that is shown, 0 to 1."""
    span = course.end - course.begin
    return min(max((at - course.begin) / span, 0.0), 1.0) if span > 0 else 0.0


def _mark(course: Course, begin: float, end: float, kind: str = "mark") -> str:
    left, right = (share(course, at) * COLUMNS for at in (begin, end))
    width = max(right - left, 1.0)
    return f'<rect class="{kind}" x="{left:.1f}" y="0" width="{width:.1f}" height="{HEIGHT}"/>'


def _limit(limit: float, top: float) -> str:
    return f'<path class="limit" d="M0 {_y(limit, top)}H{COLUMNS}"/>'


def _y(value: float, top: float) -> str:
    return f"{HEIGHT - min(value / top, 1.0) * HEIGHT:.1f}"


def path(course: Course, band: ColumnBand, top: float) -> str:
    """A line through the least and the most of each column, interrupted where nothing is known."""
    told: list[str] = []
    before = math.nan
    for column in np.flatnonzero(~np.isnan(band.high)).tolist():
        first, last = float(course.first_at[column]), float(course.last_at[column])
        ends = [_y(float(band.high[column]), top)]
        if band.low[column] != band.high[column]:
            ends.append(_y(float(band.low[column]), top))
        joined = first - before <= course.gap_s
        told += [f"{'L' if joined or n else 'M'}{column} {y}" for n, y in enumerate(ends)]
        if not joined and len(ends) == 1:
            told.append("h.1")  # a point, should it stay alone
        before = last
    return "".join(told)
