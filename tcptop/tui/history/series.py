"""Series: one number over time."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tcptop.model.table import F64


class Series(NamedTuple):
    """Oldest first: `clock` (k,) in seconds of Sample.clock, `values` (k,).

    NaN where the value was unknown, or what it belongs to was not there.
    """

    clock: F64
    values: F64

    def until(self, clock: float) -> Series:
        """The part up to a moment, which is included."""
        end = int(np.searchsorted(self.clock, clock, "right"))
        return Series(self.clock[:end], self.values[:end])
