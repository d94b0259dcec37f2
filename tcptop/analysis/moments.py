"""Moments of a recording that were understood lately, as many as fit a budget of memory."""

from __future__ import annotations

from tcptop.analysis.watch import Known
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.snapshot import Snapshot

BUDGET = 96 << 20  # bytes: six moments of 10,000 sockets, one more than there are to a checkpoint
SOCKET, SAMPLE = 1400, 400_000  # bytes of a moment: of each socket, and of all else


class KnownMoment(NamedTuple):
    """`known` is what was known after it."""

    number: int
    snapshot: Snapshot
    known: Known

    @property
    def nbytes(self) -> int:
        """About, at most: counting all that it holds takes longer than to make it."""
        return SAMPLE + SOCKET * len(self.snapshot.sample.sockets)


class Moments:
    """Each by the number of the sample before it; those that were made or used last."""

    def __init__(self, budget: int = BUDGET) -> None:
        self.nbytes = 0
        self._budget = budget
        self._after: dict[int, KnownMoment] = {}  # the last used last

    def after(self, number: int) -> KnownMoment | None:
        """The one after that sample."""
        found = self._after.pop(number, None)
        if found is not None:
            self._after[number] = found
        return found

    def add(self, before: int, moment: KnownMoment) -> None:
        """One that is larger than the budget is not kept."""
        self._after[before] = moment
        self.nbytes += moment.nbytes
        while self.nbytes > self._budget:
            self.nbytes -= self._after.pop(next(iter(self._after))).nbytes
