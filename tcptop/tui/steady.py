"""Ages that do not tick: they change with every sample and tell nothing by that."""

from __future__ import annotations

from dataclasses import replace

from tcptop.columns import Column, Listing
from tcptop.columns.column import shown
from tcptop.columns.sockets import timer_texts
from tcptop.columns.units import coarse_age

AGES = ("idle", "seen", "age")  # columns


def coarse(listing: Listing) -> Listing:
    """The list with ages that do not tick; the details say them exactly."""
    return replace(listing, columns=tuple(map(_coarse, listing.columns)))


def _coarse(column: Column) -> Column:
    if column.key == "timer":
        return replace(column, texts=lambda s, rows: timer_texts(s, rows, coarse_age))
    if column.key not in AGES:
        return column
    return replace(column, texts=shown(coarse_age, lambda s, rows: column.values(s, rows)))
