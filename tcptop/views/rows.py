"""Lists of a snapshot as columns of JSON values: what every machine-readable form is made of.

A column is a list of values, None where unknown, or a dict of columns for a nested object; such
an object is unknown as a whole where all of its columns are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tcptop.model import tcp
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.selection import Selection
from tcptop.model.table import F64, I64, Bools, Index

Columns: TypeAlias = Mapping[str, "list[Any] | Columns"]

CHUNK = 1024  # rows that are text at the same time: about 1 MB of sockets


class JsonList(NamedTuple):
    """One list: what a row of it is called, its rows as places in order, what they hold, and
    whether it is known at all."""

    type: str
    order: Callable[[Selection], Index]
    columns: Callable[[Selection, Index], Columns]
    told: Callable[[Selection], bool] = lambda selection: True

    def chunks(self, selection: Selection, limit: int | None) -> Iterator[Columns]:
        """The first `limit` rows, some at a time."""
        places = self.order(selection)[:limit]
        for start in range(0, len(places), CHUNK):
            yield self.columns(selection, places[start : start + CHUNK])


def known(values: NDArray[Any], where: Bools) -> list[Any]:
    """Python values, None where the mask is false."""
    cells: list[Any] = values.tolist()
    for place in np.flatnonzero(~where).tolist():
        cells[place] = None
    return cells


def measured(values: F64, digits: int = 3) -> list[float | None]:
    """Rounded numbers, None where NaN or infinite: JSON has neither."""
    return known(np.round(values, digits), np.isfinite(values))


def integers(values: F64) -> list[int | None]:
    """Whole numbers, None where NaN."""
    some = ~np.isnan(values)
    return known(np.where(some, values, 0).astype(np.int64), some)


def named(names: Sequence[str] | Mapping[int, str], numbers: NDArray[Any]) -> list[str]:
    """The name of each number."""
    return [names[number] for number in numbers.tolist()]


def by_state(counts: I64) -> Columns:
    """(n, 12) counts as one column for each state."""
    return {state: counts[:, number].tolist() for number, state in enumerate(tcp.STATES) if state}


def rounded(number: float | None, digits: int = 3) -> float | None:
    return None if number is None or number != number else round(number, digits)


def rfc3339(unix_time: float) -> str:
    """UTC with milliseconds, as in 2026-01-31T23:59:59.500Z (RFC 3339)."""
    moment = datetime.fromtimestamp(unix_time, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
