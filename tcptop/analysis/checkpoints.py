"""Checkpoints: what was known after some samples, in memory alone, so that what follows one can be
understood without reading all that is before it.

They never come from a file, so pickle is safe here.
"""

from __future__ import annotations

import pickle
import zlib
from bisect import bisect_left
from dataclasses import replace
from typing import Any

from tcptop.analysis.rings import SLOTS, Rings, RingsPart
from tcptop.analysis.watch import Known
from tcptop.model.named_tuple import NamedTuple

LEVEL = 1  # of zlib
BUDGET = 256 << 20


class Checkpoint(NamedTuple):
    """After the sample of that number."""

    number: int
    known: Known
    rings: list[RingsPart]


class Checkpoints:
    """In order. Where they take more than `budget` bytes, every other one goes."""

    def __init__(self, budget: int = BUDGET) -> None:
        self.thinned = 1  # only every so many that are offered are kept
        self._budget = budget
        self._numbers: list[int] = []
        self._known: list[tuple[bytes, int]] = []  # and how many parts of the rings belong to it
        self._parts: list[tuple[int, int, bytes]] = []  # first, end
        self._offered = 0

    @property
    def nbytes(self) -> int:
        return sum(len(each[0]) for each in self._known) + sum(len(p[-1]) for p in self._parts)

    def add(self, number: int, known: Known, rings: Rings) -> None:
        last = self._parts[-1][1] if self._parts else 0
        first = last if last <= rings.added else 0  # less: another boot, and other rings
        self._parts.append((first, rings.added, _packed(rings.part(first))))
        self._offered += 1
        if self._offered % self.thinned:
            return
        self._numbers.append(number)
        known = known._replace(history=replace(known.history, ports=None))  # they are found anew
        self._known.append((_packed(known), len(self._parts)))
        if self.nbytes > self._budget and len(self._numbers) > 2:
            self._numbers, self._known = self._numbers[1::2], self._known[1::2]
            self.thinned *= 2

    def before(self, number: int) -> int | None:
        """The number of the last one before that sample."""
        place = bisect_left(self._numbers, number)
        return self._numbers[place - 1] if place else None

    def at(self, number: int) -> Checkpoint:
        """The one of that number."""
        packed, many = self._known[self._numbers.index(number)]
        parts: list[RingsPart] = []
        end = self._parts[many - 1][1]
        for first, _, part in reversed(self._parts[:many]):
            parts.insert(0, _unpacked(part))
            if first == 0 or end - first >= SLOTS:
                break
        return Checkpoint(number, _unpacked(packed), parts)


def _packed(value: object) -> bytes:
    return zlib.compress(pickle.dumps(value, pickle.HIGHEST_PROTOCOL), LEVEL)


def _unpacked(packed: bytes) -> Any:
    return pickle.loads(zlib.decompress(packed))
