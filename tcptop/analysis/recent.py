"""Recent: whole samples to go back to, as many as fit a budget of memory."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from operator import attrgetter
from sys import getsizeof
from typing import Any

import numpy as np

from tcptop.model.sample import Process
from tcptop.model.snapshot import Snapshot
from tcptop.model.table import COLUMNS, SocketTable

BUDGET = 64 << 20
SPAN_S = 600.0

NUMBERS = frozenset({int, float, bool, type(None), *np.sctypeDict.values()})
_kind: Callable[[object], Any] = type  # mypy does not know that classes can be hashed
NUMBER = 32  # bytes of a Python number, more or less
PROCESS = 400  # of a Process with its few words; there may be thousands
TABLE = 120 * len(COLUMNS)  # of a SocketTable without its rows


class Recent:
    """Looks of the last `span_s` seconds. One thread adds, others read.

    Where they do not fit `budget` bytes the older ones become sparser, so that there is always
    something from minutes ago. The newest is kept however large it is: it is on the screen.
    What is read is one tuple, replaced as a whole: a reader needs no lock.
    """

    def __init__(self, budget: int = BUDGET, span_s: float = SPAN_S) -> None:
        self._budget = budget
        self._span_s = span_s
        self._kept: tuple[Snapshot, ...] = ()
        self._uses: dict[int, tuple[int, int]] = {}  # id of what snapshots hold -> how many, bytes
        self._parts: dict[int, array[int]] = {}  # id of a snapshot -> ids of what it holds
        self._nbytes = 0

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def nbytes(self) -> int:
        """Bytes of what the samples hold; what they share counts once."""
        return self._nbytes

    @property
    def newest(self) -> Snapshot | None:
        kept = self._kept
        return kept[-1] if kept else None

    @property
    def oldest(self) -> Snapshot | None:
        kept = self._kept
        return kept[0] if kept else None

    @property
    def span_s(self) -> float:
        """From the oldest to the newest."""
        kept = self._kept
        return kept[-1].sample.clock - kept[0].sample.clock if kept else 0.0

    def add(self, snapshot: Snapshot) -> None:
        """The newest sample; one that is not newer than the last is left out."""
        clock = snapshot.sample.clock
        if self._kept and clock <= self._kept[-1].sample.clock:
            return
        kept = [*self._kept, snapshot]
        self._hold(snapshot)
        while clock - kept[0].sample.clock > self._span_s:
            self._drop(kept.pop(0))
        while self._nbytes > self._budget and len(kept) > 1:
            self._drop(kept.pop(_least_missed(kept)))
        self._kept = tuple(kept)

    def before(self, snapshot: Snapshot) -> Snapshot | None:
        """The sample before this one, which need not be kept any more; None at the oldest."""
        kept = self._kept
        place = bisect_left(kept, snapshot.sample.clock, key=_clock)
        return kept[place - 1] if place else None

    def after(self, snapshot: Snapshot) -> Snapshot | None:
        """The sample after this one; None at the newest."""
        kept = self._kept
        place = bisect_right(kept, snapshot.sample.clock, key=_clock)
        return kept[place] if place < len(kept) else None

    def at(self, clock: float) -> Snapshot | None:
        """The last look up to a moment, or the oldest; None before the first one."""
        kept = self._kept
        place = bisect_right(kept, clock, key=_clock)
        return kept[max(0, place - 1)] if kept else None

    def _hold(self, snapshot: Snapshot) -> None:
        held = parts(snapshot)
        self._parts[id(snapshot)] = array("Q", held)
        for part, size in held.items():
            uses, size = self._uses.get(part, (0, size))
            self._uses[part] = uses + 1, size
            self._nbytes += 0 if uses else size

    def _drop(self, snapshot: Snapshot) -> None:
        for part in self._parts.pop(id(snapshot)):
            uses, size = self._uses.pop(part)
            if uses > 1:
                self._uses[part] = uses - 1, size
            else:
                self._nbytes -= size


def _clock(snapshot: Snapshot) -> float:
    return snapshot.sample.clock


def _least_missed(kept: list[Snapshot]) -> int:
    """The place of the sample whose loss leaves the smallest gap for its age."""
    clocks = [_clock(each) for each in kept]
    inner = range(1, len(kept) - 1)

    def gap(place: int) -> float:
        return (clocks[place + 1] - clocks[place - 1]) / (clocks[-1] - clocks[place])

    return min(inner, key=gap, default=0)


def parts(root: object) -> dict[int, int]:
    """id -> bytes of all that an object of dataclasses, containers, arrays and text holds.

    Numbers count where they are held. An array that is a part of another one holds all of that.
    Names (keys of mappings) are shared by all and do not count.
    """
    sizes: dict[int, int] = {}
    stack: list[Any] = [root]
    while stack:
        thing = stack.pop()
        if id(thing) in sizes:
            continue
        kind = _kind(thing)
        if kind is np.ndarray:  # most of them
            sizes[id(thing)] = getsizeof(thing)
            stack += () if thing.base is None else (thing.base,)
        elif kind is SocketTable:
            sizes[id(thing)] = TABLE + thing.nbytes
        elif kind is Process:
            sizes[id(thing)] = PROCESS
        else:
            held = _holding(kind)(thing)
            numbers = NUMBERS.issuperset(map(_kind, held))  # most mappings hold nothing else
            more = [] if numbers else [each for each in held if type(each) not in NUMBERS]
            sizes[id(thing)] = getsizeof(thing) + NUMBER * (len(held) - len(more))
            stack += more
    return sizes


@cache
def _holding(kind: type) -> Callable[[Any], Collection[Any]]:
    """How to get at what an object of this type holds; types are few, objects thousands."""
    if issubclass(kind, str | bytes | bytearray):
        return _nothing
    if issubclass(kind, memoryview):
        return lambda view: (view.obj,)
    if issubclass(kind, Mapping):
        return lambda mapping: mapping.values()
    if issubclass(kind, tuple | list | frozenset | set):
        return lambda several: several
    if is_dataclass(kind):
        names = [field.name for field in fields(kind)]
        return attrgetter(*names) if len(names) > 1 else _values(names)
    return _nothing


def _values(names: Collection[str]) -> Callable[[Any], Collection[Any]]:
    return lambda record: [getattr(record, name) for name in names]


def _nothing(_: object) -> tuple[object, ...]:
    return ()
