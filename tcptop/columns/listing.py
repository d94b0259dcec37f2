"""What a list is: its rows, their columns, and all that is asked of a row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from tcptop.columns.column import Column, Look
from tcptop.model.selection import Selection
from tcptop.model.table import U64, Index


@dataclass(frozen=True, eq=False, slots=True)
class Listing:
    """A list of the snapshot. Rows are places in it; of each there is a stable key."""

    name: str
    title: str
    short: str  # where there is no room for the title
    columns: tuple[Column, ...]
    sort_by: str
    empty: str  # why there may be no row
    rows: Callable[[Selection], Index]
    keys: Callable[[Selection, Index], U64]
    looks: Callable[[Selection, Index], Sequence[Look]]
    whole: bool = False  # a filter chooses rows; what they count is of all sockets

    def column(self, key: str) -> Column:
        return next(column for column in self.columns if column.key == key)


def plain(selection: Selection, rows: Index) -> list[Look]:
    """Looks of a list whose rows all look the same."""
    return [""] * len(rows)


def ordered(listing: Listing, selection: Selection, key: str, reverse: bool) -> Index:
    """The rows of a list sorted by a column; equal ones keep the order of the last sort.

    `reverse` turns the column's natural direction round. Unknown is last, either way.
    """
    rows = listing.rows(selection)
    column = listing.column(key)
    values = column.values(selection, rows)
    order = np.argsort(values, kind="stable")
    if column.largest_first != reverse:
        order = order[::-1]
    if values.dtype.kind == "f":
        unknown = np.isnan(values[order])
        order = np.concatenate([order[~unknown], order[unknown]])
    return rows[order]
