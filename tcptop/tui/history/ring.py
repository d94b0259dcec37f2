"""Ring: the last samples of some numbers of the busiest subjects of one kind, in one block."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tcptop.model.arrays import index_of
from tcptop.model.table import F64, U64, Index

KEPT_S = 600.0  # what is gone for longer gives its seat to whoever wants it
HALF_S = 60.0  # in which the importance of what has become quiet halves


class Ring:
    """`seats` subjects at most, a key each; the values are float32, (seats, metrics, slots)."""

    def __init__(self, metrics: Sequence[str], seats: int, slots: int) -> None:
        self.metrics = tuple(metrics)
        self._key = np.zeros(seats, np.uint64)
        self._weight = np.full(seats, -np.inf)  # -inf: free
        self._seen = np.zeros(seats)
        # Zeros take no memory before they are written to: a seat is blanked when it is given.
        self._values = np.zeros((seats, len(self.metrics), slots), np.float32)

    @property
    def nbytes(self) -> int:
        """All that it may ever take."""
        arrays: tuple[NDArray[np.generic], ...] = (self._key, self._weight, self._seen)
        return self._values.nbytes + sum(array.nbytes for array in arrays)

    def put(self, slot: int, clock: float, dt: float, keys: U64, weights: F64, values: F64) -> None:
        """The values (m, metrics) of m subjects at `clock`, `dt` after those before.

        The weightier get the seats; one is taken from whom it was given to only where that one has
        become lighter than the newcomer, so that equals do not take turns.
        """
        self._weight *= max(0.5 ** (dt / HALF_S), 1e-9)  # not 0: free seats stay at -inf
        self._weight[clock - self._seen > KEPT_S] = -np.inf
        place = self._places(keys)
        self._stay(place, weights, clock)
        self._admit(place, keys, weights, clock)
        here = place >= 0
        missing = self._weight > -np.inf
        missing[place[here]] = False
        self._values[missing, :, slot] = np.nan
        self._values[place[here], :, slot] = values[here]

    def values(self, key: int, metric: int) -> NDArray[np.float32] | None:
        """A view of all slots of one number, in the order of the slots; None without a seat."""
        place = self._places(np.array([key], np.uint64))[0]
        return None if place < 0 else self._values[place, metric]

    def leave(self, key: int) -> None:
        """Free the seat of a subject."""
        place = self._places(np.array([key], np.uint64))[0]
        if place >= 0:
            self._weight[place] = -np.inf

    def _taken(self) -> Index:
        return np.flatnonzero(self._weight > -np.inf)

    def _places(self, keys: U64) -> Index:
        """The seat of each key, or -1."""
        taken = self._taken()
        order = taken[np.argsort(self._key[taken])]
        place = index_of(keys, self._key[order])
        return np.where(place >= 0, order[place], -1) if len(order) else place

    def _stay(self, place: Index, weights: F64, clock: float) -> None:
        here = place >= 0
        seat = place[here]
        self._weight[seat] = np.maximum(self._weight[seat], weights[here])
        self._seen[seat] = clock

    def _admit(self, place: Index, keys: U64, weights: F64, clock: float) -> None:
        """Seats for newcomers, the weightiest first; `place` is completed."""
        new = np.flatnonzero(place < 0)
        new = new[np.argsort(-weights[new], kind="stable")][: len(self._key)]
        seat = np.argsort(self._weight, kind="stable")[: len(new)]
        won = self._weight[seat] < weights[new]
        new, seat = new[won], seat[won]
        self._key[seat], self._weight[seat], self._seen[seat] = keys[new], weights[new], clock
        self._values[seat] = np.nan
        place[new] = seat
