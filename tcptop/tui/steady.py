"""What would change with every look and tells nothing by that, shown so that it rarely changes."""

from __future__ import annotations

from dataclasses import replace

from tcptop.columns import Column, Listing
from tcptop.columns.column import shown
from tcptop.columns.sockets import timer_texts
from tcptop.columns.units import coarse_age

LEAST_S = 5.0  # between two changes of a number
AGES = ("idle", "seen", "age")  # columns


class Steady:
    """A number that is shown anew only where it has changed markedly."""

    def __init__(self, least: float) -> None:
        """`least` is the smallest change that matters; it is half of what is shown, if that is
        more."""
        self.value: float | None = None
        self._least = least
        self._since = 0.0

    def show(self, value: float | None, clock: float) -> float | None:
        """What to show of a value that is known at a moment of Sample.clock."""
        before = self.value
        if before is None or value is None:
            changed = value is not None
        else:
            marked = abs(value - before) > max(self._least, before / 2)
            changed = marked and clock - self._since >= LEAST_S
        if changed:
            self.value, self._since = value, clock
        return self.value


def coarse(listing: Listing) -> Listing:
    """The list with ages that do not tick; the details say them exactly."""
    return replace(listing, columns=tuple(map(_coarse, listing.columns)))


def _coarse(column: Column) -> Column:
    if column.key == "timer":
        return replace(column, texts=lambda s, rows: timer_texts(s, rows, coarse_age))
    if column.key not in AGES:
        return column
    return replace(column, texts=shown(coarse_age, lambda s, rows: column.values(s, rows)))
