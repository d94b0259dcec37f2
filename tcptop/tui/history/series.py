"""Series: one number over time."""

from __future__ import annotations

from typing import NamedTuple

from tcptop.model.table import F64


class Series(NamedTuple):
    """Oldest first: `clock` (k,) in seconds of Sample.clock, `values` (k,).

    NaN where the value was unknown, or what it belongs to was not there.
    """

    clock: F64
    values: F64
