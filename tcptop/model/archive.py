"""Archive: samples that are over, to be read from any of them on, and what is known of each
without reading it; and how they are added to one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

import numpy as np

from tcptop.model.named_tuple import NamedTuple
from tcptop.model.sample import Sample
from tcptop.model.table import F64, I64, Bools


class Numbered(NamedTuple):
    """The number of a sample is its own for ever, and larger than those of all before it."""

    number: int
    sample: Sample


class SampleIndex(NamedTuple):
    """A row a sample, in the order in which they were taken, whatever the clock of the host did."""

    number: I64
    taken_at: F64
    clock: F64
    by_state: I64  # (n, 12), indexed by the kernel's number
    boot: I64  # equal for samples of one host since one boot

    def __len__(self) -> int:
        return len(self.number)

    @property
    def extent(self) -> tuple[float, float]:
        """The earliest and the latest time: where the clock was set, not of the first and last."""
        return float(self.taken_at.min()), float(self.taken_at.max())

    def without(self, gone: Bools) -> SampleIndex:
        kept = ~gone
        number, taken_at, clock = self.number[kept], self.taken_at[kept], self.clock[kept]
        return SampleIndex(number, taken_at, clock, self.by_state[kept], self.boot[kept])

    def place(self, number: int) -> int:
        """Of the last sample up to a number, or else the first."""
        return max(0, int(np.searchsorted(self.number, number, "right")) - 1)

    def at(self, taken_at: float) -> int:
        """The place of the last one taken until then, or else the first; where the clock was set
        back, the later one of two."""
        begun = np.flatnonzero(self.taken_at <= taken_at)
        return int(begun[-1]) if len(begun) else 0


class Archive(Protocol):
    """Used by one thread. What goes wrong is an OSError or a ValueError."""

    def index(self) -> SampleIndex:
        """Of all samples that there are by now."""

    def samples(self, number: int) -> Iterator[Numbered]:
        """Those from that number on; what cannot be read is left out, and a note of the next."""


class SampleWriter(Protocol):
    """Used by one thread. What goes wrong is an OSError or a ValueError, and then the file is as it
    was after the last sample. Close it."""

    def has(self, sample: Sample) -> bool:
        """Whether it was there already when the file was opened."""

    def add(self, sample: Sample) -> None:
        """It is on disk when this returns."""

    def told(self) -> str:
        """What has become of it, for people."""

    def close(self) -> None: ...


OpenWriter = Callable[[str], SampleWriter]
