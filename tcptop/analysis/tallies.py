"""Counters for whoever asks now and then: they only rise, whatever has closed meanwhile.

Used by one thread; `copy` is for another one.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Generic, TypeVar

Name = TypeVar("Name", bound=Hashable)


class Tallies(Generic[Name]):
    """What sockets count, added up by name: the counts of one that has closed stay.

    The first `seats` names have a total of their own, for as long as this lives; `other` has those
    that come later.
    """

    def __init__(self, seats: int, other: Name) -> None:
        self._seats, self._other = seats, other
        self._before: dict[int, float] = {}
        self.totals: dict[Name, float] = {}

    def add(self, keys: Sequence[int], names: Sequence[Name], counts: Sequence[float]) -> None:
        """All sockets that there are now: who they are, their names, and what they have counted.
        NaN is an unknown count."""
        now: dict[int, float] = {}
        for key, name, count in zip(keys, names, counts, strict=True):
            if count != count:
                continue
            seat = self.seat(name)
            more = max(count - self._before.get(key, 0.0), 0.0)
            self.totals[seat] = self.totals.get(seat, 0.0) + more
            now[key] = count
        self._before = now

    def seat(self, name: Name) -> Name:
        """The name by which it is counted."""
        if name in self.totals or len(self.totals) < self._seats:
            return name
        return self._other


class Highest(Generic[Name]):
    """The highest of each, where two counters are read one after the other and their difference may
    fall for a moment."""

    def __init__(self) -> None:
        self._highest: dict[Name, float] = {}

    def of(self, name: Name, count: float) -> float:
        self._highest[name] = max(count, self._highest.get(name, 0.0))
        return self._highest[name]
