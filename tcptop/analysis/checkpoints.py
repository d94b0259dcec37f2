"""Checkpoints: what was known after some samples, in memory alone, so that what follows one can be
understood without reading all that is before it.

They never come from a file, so pickle is safe here.
"""

from __future__ import annotations

import pickle
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from tcptop.analysis.findings.summary import SampleSummary
from tcptop.analysis.rings import SLOTS, Rings, RingsPart
from tcptop.analysis.watch import Known
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.zstd import zstd

LEVEL = 1
BUDGET = 256 << 20


class Checkpoint(NamedTuple):
    """After the sample of that number."""

    number: int
    known: Known
    rings: list[RingsPart]


class _Kept(NamedTuple):
    """`parts`: how many of the rings belong to it; `summaries`: where each of its own is."""

    known: bytes
    parts: int
    summaries: tuple[int, ...]


class _Summaries:
    """Those of all checkpoints, each once: one has nearly all that the one before had, and they are
    most of what is known that is no column."""

    def __init__(self) -> None:
        self.nbytes = 0
        self._blocks: list[bytes] = []
        self._block_of: list[tuple[int, int]] = []  # and the place in it
        self._last: dict[int, tuple[SampleSummary, int]] = {}  # of the last checkpoint, by id

    def add(self, summaries: Sequence[SampleSummary]) -> tuple[int, ...]:
        """The number of each."""
        new = [each for each in summaries if id(each) not in self._last]
        if new:
            first, block = len(self._block_of), len(self._blocks)
            self._blocks.append(_packed(new))
            self.nbytes += len(self._blocks[-1])
            self._block_of += [(block, place) for place in range(len(new))]
            self._last |= {id(each): (each, first + n) for n, each in enumerate(new)}
        self._last = {id(each): self._last[id(each)] for each in summaries}
        return tuple(number for _, number in self._last.values())

    def at(self, numbers: Sequence[int]) -> tuple[SampleSummary, ...]:
        places = [self._block_of[number] for number in numbers]
        blocks = {block: _unpacked(self._blocks[block]) for block in {each[0] for each in places}}
        return tuple(blocks[block][place] for block, place in places)


class Checkpoints:
    """In order. Where they take more than `budget` bytes, every other one goes."""

    def __init__(self, budget: int = BUDGET) -> None:
        self.thinned = 1  # only every so many that are offered are kept
        self._budget = budget
        self._numbers: list[int] = []
        self._kept: list[_Kept] = []
        self._parts: list[tuple[int, int, bytes]] = []  # first, end
        self._summaries = _Summaries()
        self._offered = 0

    @property
    def nbytes(self) -> int:
        kept = sum(len(each.known) for each in self._kept)
        return kept + sum(len(p[-1]) for p in self._parts) + self._summaries.nbytes

    def add(self, number: int, known: Known, rings: Rings) -> None:
        last = self._parts[-1][1] if self._parts else 0
        first = last if last <= rings.added else 0  # less: another boot, and other rings
        self._parts.append((first, rings.added, _packed(rings.part(first))))
        self._offered += 1
        if self._offered % self.thinned:
            return
        self._numbers.append(number)
        summaries = self._summaries.add(known.history.summaries)
        # Ports are found anew.
        known = known._replace(history=replace(known.history, ports=None, summaries=()))
        self._kept.append(_Kept(_packed(known), len(self._parts), summaries))
        if self.nbytes > self._budget and len(self._numbers) > 2:
            self._numbers, self._kept = self._numbers[1::2], self._kept[1::2]
            self.thinned *= 2

    def before(self, number: int) -> int | None:
        """The number of the last one before that sample."""
        place = bisect_left(self._numbers, number)
        return self._numbers[place - 1] if place else None

    def at(self, number: int) -> Checkpoint:
        """The one of that number."""
        packed, many, summaries = self._kept[self._numbers.index(number)]
        parts: list[RingsPart] = []
        end = self._parts[many - 1][1]
        for first, _, part in reversed(self._parts[:many]):
            parts.insert(0, _unpacked(part))
            if first == 0 or end - first >= SLOTS:
                break
        known: Known = _unpacked(packed)
        history = replace(known.history, summaries=self._summaries.at(summaries))
        return Checkpoint(number, known._replace(history=history), parts)


def _packed(value: object) -> bytes:
    packed: bytes = zstd.compress(pickle.dumps(value, pickle.HIGHEST_PROTOCOL), LEVEL)
    return packed


def _unpacked(packed: bytes) -> Any:
    return pickle.loads(zstd.decompress(packed))
