"""Small pictures of the last minute, as a column of the live view."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tcptop.analysis.rings import Rings, Series
from tcptop.columns.column import Column
from tcptop.columns.listing import Listing, Sparkline
from tcptop.columns.units import spark
from tcptop.model.selection import Selection
from tcptop.model.table import F64, Index

KEY, CELLS, CELL_S = "trend", 12, 5.0  # a cell shows the highest of its seconds
PRIORITY = 20  # goes before all others where there is no room


def with_trend(listing: Listing, rings: Rings) -> Listing:
    """The list with a last column of small pictures, where something is recorded of its rows."""
    if listing.sparkline is None:
        return listing
    return replace(listing, columns=(*listing.columns, _column(listing, listing.sparkline, rings)))


def _column(listing: Listing, sparkline: Sparkline, rings: Rings) -> Column:
    metric, what = sparkline

    def series(selection: Selection, rows: Index) -> list[F64]:
        clock = selection.snapshot.sample.clock
        keys = listing.keys(selection, rows).tolist()
        return [per_cell(rings.series(listing.name, key, metric), clock) for key in keys]

    def texts(selection: Selection, rows: Index) -> list[str]:
        return [spark(values, CELLS) for values in series(selection, rows)]

    def values(selection: Selection, rows: Index) -> F64:
        """By how much it has changed: what moves comes first."""
        return np.array([_change(each) for each in series(selection, rows)], np.float64)

    meaning = f"The last minute of {what}, {CELL_S:g} s a cell; sorted: what rose most first."
    return Column(KEY, "Minute", CELLS, meaning, values, texts, priority=PRIORITY)


def per_cell(series: Series, now: float, cells: int = CELLS) -> F64:
    """The highest value of each cell up to now, NaN where none is known; of several metrics
    (cells, metrics). Cells begin at whole multiples of their time, so that the picture moves once
    a cell."""
    place = np.floor(series.clock / CELL_S).astype(np.int64) - int(now // CELL_S) + cells - 1
    within = (place >= 0) & (place < cells)
    values = series.values[within]
    highest = np.full((cells, *values.shape[1:]), -np.inf)
    np.maximum.at(highest, place[within], np.where(np.isnan(values), -np.inf, values))
    return np.where(np.isinf(highest), np.nan, highest)


def _change(values: F64) -> float:
    known = values[~np.isnan(values)]
    return float(known[-1] - known[0]) if len(known) else np.nan
