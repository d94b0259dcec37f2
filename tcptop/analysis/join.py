"""This sample's sockets joined with those that are known from the samples before it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcptop.analysis.history import History, KnownSockets
from tcptop.model.arrays import index_of, isin, nan_as_zero, sorted_unique
from tcptop.model.dataclass import dataclass
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.sample import Sample
from tcptop.model.table import F64, U64, Bools, Index
from tcptop.model.unchanged import while_same

LEAST_S = 1e-3  # between two samples


@dataclass(frozen=True, eq=False, slots=True)
class SocketJoin:
    """`place` is each row's place in `known`, or -1; `order` sorts `known` by key, which are
    `ordered` then. `here` are those known that have a row; `still`: the rows are the first of
    those known, in their order."""

    known: KnownSockets
    order: Index
    ordered: U64
    place: Index
    new: Bools  # rows that were not there before; all of them at the first sample
    here: Bools
    still: bool
    first_look: Bools  # rows of namespaces that the sample before had not
    clock: float
    dt: float | None  # since the sample before; None at the first

    @property
    def arrived(self) -> Bools:
        """Rows that were not there before, in a namespace that was looked at."""
        return self.new & ~self.first_look

    def places(self, keys: U64) -> Index:
        """The place in `known` of each key, or -1."""
        place = index_of(keys, self.ordered)
        place[place >= 0] = self.order[place[place >= 0]]
        return place

    def recalled(self, name: str, otherwise: float = np.nan) -> NDArray[Any]:
        """A known column for this sample's rows, and what new ones have instead; not to be
        written to."""
        column: NDArray[Any] = getattr(self.known, name)
        if self.still:
            return column[: len(self.place)]
        if not len(column):
            return np.full(len(self.place), otherwise, column.dtype)
        values: NDArray[Any] = column[self.place]
        values[self.new] = otherwise
        return values

    def rate(self, name: str, values: F64) -> F64:
        """Per second since a row was last seen; the counter of a new socket began at 0.

        So did that of one that was half-open, whose counters the kernel did not tell then. NaN at
        the first look at a namespace, where unknown, and where a counter ran backwards.
        """
        grown = values - nan_as_zero(self.recalled(name, 0.0))
        return np.where(grown >= 0, grown / self._elapsed_s(), np.nan)

    def _elapsed_s(self) -> F64:
        before = self.clock - (self.dt if self.dt is not None else np.nan)
        elapsed = np.maximum(self.clock - self.recalled("clock", before), LEAST_S)
        elapsed[self.new & self.first_look] = np.nan
        return elapsed


class _Matched(NamedTuple):
    order: Index
    ordered: U64
    place: Index
    new: Bools
    here: Bools
    still: bool


@while_same()
def _matched(keys: U64, known: U64) -> _Matched:
    order = np.argsort(known)
    ordered = known[order]
    place = index_of(keys, ordered)
    new = place < 0
    place[~new] = order[place[~new]]
    here = np.zeros(len(known), bool)
    here[place[~new]] = True
    return _Matched(order, ordered, place, new, here, np.array_equal(keys, known[: len(keys)]))


def join(sample: Sample, history: History) -> SocketJoin:
    table, known = sample.sockets, history.known
    first = history.began is None
    fresh = sorted_unique(table.netns) if first else [*sample.netns - history.namespaces]
    return SocketJoin(
        known,
        *_matched(table.key, known.key),
        isin(table.netns, fresh) if len(fresh) else np.zeros(len(table), bool),
        sample.clock,
        None if first else max(sample.clock - history.clock, LEAST_S),
    )
