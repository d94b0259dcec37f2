"""Rings: the numbers of the last ten minutes, of the host and of the busiest of each kind."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext

import numpy as np
from numpy.typing import NDArray

from tcptop.analysis.recorded import OF_HOST, SOCKET, Recorded, RecordedKind, of_sockets
from tcptop.analysis.selection import everything
from tcptop.model.arrays import index_of, isin
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.sample import Namespace
from tcptop.model.snapshot import Snapshot
from tcptop.model.table import F64, I64, U32, U64, Bools, Index

SLOTS = 600
LEAST_S = 0.9  # a slot a second, and some room for samples that are not quite a second apart
WATCHED = 16
HOST = 0  # the key of the one subject of kind "host"
ALONE = nullcontext()  # the lock where there is one thread
KEPT_S = 600.0  # what is gone for longer gives its seat to whoever wants it
HALF_S = 60.0  # in which the importance of what has become quiet halves


class Series(NamedTuple):
    """Oldest first: `clock` (k,) in seconds of Sample.clock, `values` (k,), or (k, metrics).

    NaN where the value was unknown, or what it belongs to was not there.
    """

    clock: F64
    values: F64

    def until(self, clock: float) -> Series:
        """The part up to a moment, which is included."""
        end = int(np.searchsorted(self.clock, clock, "right"))
        return Series(self.clock[:end], self.values[:end])


class RingPart(NamedTuple):
    """Of one kind what was stored in some slots, and whose the seats were then.

    `turn` is how often a seat was given away: with the same turn it is still the same subject's.
    """

    key: U64
    weight: F64
    seen: F64
    netns: U32
    turn: I64
    values: NDArray[np.float32]  # (seats, metrics, slots)


class RingsPart(NamedTuple):
    """What was added from `first` to before `end`, counted from the beginning, and the state then.

    With those before it, as far back as slots go, rings are made again.
    """

    first: int
    end: int
    clock: F64
    cookies: Mapping[int, int]
    kinds: Mapping[str, RingPart]


class Rings:
    """One thread adds, others read: `lock` is held while values are stored or copied, no longer.

    `kinds` are those of the lists, by name; keys are those of their rows. There are "host" and
    "sockets" besides. At most 15 MB, of which only what was once in use is resident.
    """

    def __init__(
        self,
        kinds: Mapping[str, RecordedKind],
        slots: int = SLOTS,
        lock: AbstractContextManager[object] = ALONE,
    ) -> None:
        self._kinds = {"host": OF_HOST, **kinds}
        self._rings = {n: Ring(kind.metrics, kind.seats, slots) for n, kind in self._kinds.items()}
        self._rings["sockets"] = Ring(SOCKET, WATCHED, slots)
        self._clock = np.zeros(slots)
        self._added = 0
        self._watched: dict[int, None] = {}  # keys, the last selected last
        self._cookies: dict[int, int] = {}  # of namespaces, by inode
        self._lock = lock

    @property
    def nbytes(self) -> int:
        return self._clock.nbytes + sum(ring.nbytes for ring in self._rings.values())

    def metrics(self, kind: str) -> tuple[str, ...]:
        """What is known of a kind."""
        return self._rings[kind].metrics

    def watch(self, key: int) -> None:
        """Record this socket from now on; it takes the place of the one least wanted."""
        with self._lock:
            self._watched.pop(key, None)
            self._watched[key] = None
            if len(self._watched) > WATCHED:
                last = next(iter(self._watched))
                del self._watched[last]
                self._rings["sockets"].leave(last)

    def add(self, snapshot: Snapshot) -> None:
        """A sample; left out where the one before was less than a second ago."""
        clock = snapshot.sample.clock
        dt = clock - self._last if self._added else 0.0
        if self._added and dt < LEAST_S:
            return
        selection = everything(snapshot)
        found = {name: kind.record(selection) for name, kind in self._kinds.items()}
        with self._lock:
            watched = list(self._watched)
        found["sockets"] = of_sockets(snapshot, watched)
        reborn = self._reborn(snapshot.sample.namespaces)
        with self._lock:
            slot = self._added % len(self._clock)
            for name, recorded in found.items():
                self._rings[name].forget(reborn)
                self._rings[name].put(slot, clock, dt, recorded)
            self._clock[slot] = clock
            self._added += 1

    # -- as they were at a moment

    @property
    def added(self) -> int:
        """How many samples."""
        return self._added

    @property
    def watched(self) -> tuple[int, ...]:
        """The keys of the sockets that are recorded, the last selected last."""
        with self._lock:
            return tuple(self._watched)

    @property
    def oldest(self) -> float | None:
        """The clock of the first sample that is kept."""
        with self._lock:
            return float(self._clock[self._order()[0]]) if self._added else None

    def recall(self, key: int, clocks: F64, values: F64) -> None:
        """Of a socket what was read again, (samples, metrics), where samples of those clocks are
        kept."""
        with self._lock:
            order = self._order()
            place = np.searchsorted(clocks, self._clock[order])
            place = np.minimum(place, len(clocks) - 1)
            known = clocks[place] == self._clock[order]
            self._rings["sockets"].recall(key, order[known], values[place[known]])

    def part(self, first: int) -> RingsPart:
        """What was added from then on; sockets that were watched are left out."""
        first = max(first, self._added - len(self._clock))
        slots = np.arange(first, self._added) % len(self._clock)
        kinds = {name: self._rings[name].part(slots) for name in self._kinds}
        return RingsPart(first, self._added, self._clock[slots], dict(self._cookies), kinds)

    def become(self, parts: Sequence[RingsPart]) -> None:
        """As they were at the end of the last of them; they follow one another."""
        slots = len(self._clock)
        last = parts[-1] if parts else None
        rings = {n: Ring(kind.metrics, kind.seats, slots) for n, kind in self._kinds.items()}
        clock = np.zeros(slots)
        for part in parts:
            at = np.arange(part.first, part.end) % slots
            clock[at] = part.clock
            for name, ring in rings.items():
                assert last is not None
                ring.fill(at, part.kinds[name], last.kinds[name])
        with self._lock:
            watched = Ring(SOCKET, WATCHED, slots)
            self._rings, self._clock = {**rings, "sockets": watched}, clock
            self._added = last.end if last is not None else 0
            self._cookies = dict(last.cookies) if last is not None else {}

    def _reborn(self, namespaces: Iterable[Namespace]) -> list[int]:
        """Those that have the inode of one that has ended: what was recorded is not theirs."""
        known = {each.inode: each.cookie for each in namespaces if each.cookie is not None}
        before = self._cookies
        self._cookies = {**before, **known}
        return [inode for inode, cookie in known.items() if before.get(inode, cookie) != cookie]

    @property
    def _last(self) -> float:
        return float(self._clock[(self._added - 1) % len(self._clock)])

    def series(self, kind: str, key: Hashable, metric: str) -> Series:
        """A copy; all NaN for what has no ring. KeyError, ValueError: no such kind, metric."""
        clock, values = self.several(kind, key, [metric])
        return Series(clock, values[:, 0])

    def several(self, kind: str, key: Hashable, metrics: Sequence[str]) -> Series:
        """The same of several metrics: the values are (k, metrics)."""
        with self._lock:
            ring = self._rings[kind]
            columns = [ring.metrics.index(metric) for metric in metrics]
            order = self._order()
            clock = self._clock[order]
            values = ring.values(key, columns) if isinstance(key, int) else None
            taken = None if values is None else values[:, order]
        if taken is None:
            return Series(clock, np.full((len(order), len(columns)), np.nan))
        return Series(clock, taken.T.astype(np.float64))

    def _order(self) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        """The slots in use, oldest first."""
        slots = len(self._clock)
        return np.arange(max(0, self._added - slots), self._added) % slots


class Ring:
    """`seats` subjects at most, a key each; the values are float32, (seats, metrics, slots)."""

    def __init__(self, metrics: Sequence[str], seats: int, slots: int) -> None:
        self.metrics = tuple(metrics)
        self._key = np.zeros(seats, np.uint64)
        self._weight = np.full(seats, -np.inf)  # -inf: free
        self._seen = np.zeros(seats)
        self._netns = np.zeros(seats, np.uint32)
        self._turn = np.zeros(seats, np.int64)
        self._seated: tuple[Index, U64] | None = None  # seats by their keys, and these, sorted
        # Zeros take no memory before they are written to: a seat is blanked when it is given.
        self._values = np.zeros((seats, len(self.metrics), slots), np.float32)

    @property
    def nbytes(self) -> int:
        """All that it may ever take."""
        few = self._key, self._weight, self._seen, self._netns, self._turn
        arrays: tuple[NDArray[np.generic], ...] = few
        return self._values.nbytes + sum(array.nbytes for array in arrays)

    def part(self, slots: Index) -> RingPart:
        """What is in some slots, of the seats that were ever given."""
        used = int(np.count_nonzero(self._turn))  # seats are given from the first on
        return RingPart(
            self._key[:used].copy(),
            self._weight[:used].copy(),
            self._seen[:used].copy(),
            self._netns[:used].copy(),
            self._turn[:used].copy(),
            self._values[:used][:, :, slots],
        )

    def fill(self, slots: Index, part: RingPart, last: RingPart) -> None:
        """Put back what was in some slots, of those who have the seats in the `last` part."""
        used, held = len(last.key), len(part.key)
        self._seated = None
        if not self._turn[:used].any():
            self._values[:used] = np.nan
        self._key[:used], self._weight[:used], self._seen[:used] = last[:3]
        self._netns[:used], self._turn[:used] = last.netns, last.turn
        same = np.flatnonzero(part.turn == last.turn[:held])
        self._values[np.ix_(same, np.arange(len(self.metrics)), slots)] = part.values[same]

    def put(self, slot: int, clock: float, dt: float, recorded: Recorded) -> None:
        """What was recorded at `clock`, `dt` after what was before.

        The weightier get the seats; one is taken from whom it was given to only where that one has
        become lighter than the newcomer, so that equals do not take turns.
        """
        keys, weights, values, _ = recorded
        if not len(keys) and not (self._weight > -np.inf).any():
            return
        self._weight *= max(0.5 ** (dt / HALF_S), 1e-9)  # not 0: free seats stay at -inf
        self._free(clock - self._seen > KEPT_S)
        place = self._places(keys)
        self._stay(place, weights, clock)
        self._admit(place, recorded, clock)
        here = place >= 0
        missing = self._weight > -np.inf
        missing[place[here]] = False
        self._values[missing, :, slot] = np.nan
        self._values[place[here], :, slot] = values[here]

    def values(self, key: int, metrics: Sequence[int]) -> NDArray[np.float32] | None:
        """All slots of some numbers (metrics, slots), in the order of the slots; None without a
        seat."""
        place = self._places(np.array([key], np.uint64))[0]
        return None if place < 0 else self._values[place, metrics]

    def recall(self, key: int, slots: Index, values: F64) -> None:
        """Put (samples, metrics) into some slots of a subject, which has a seat then."""
        place = int(self._places(np.array([key], np.uint64))[0])
        if place < 0:
            place = int(np.argmin(self._weight))
            self._key[place], self._weight[place] = key, 1.0
            self._seen[place] = np.inf  # as long as it is watched
            self._values[place] = np.nan
            self._seated = None
        self._values[place][:, slots] = values.T

    def leave(self, key: int) -> None:
        """Free the seat of a subject."""
        self._free((self._key == np.uint64(key)) & (self._weight > -np.inf))

    def forget(self, netns: Sequence[int]) -> None:
        """Free the seats of whatever was in these namespaces."""
        if netns:
            self._free(isin(self._netns, np.array(netns, np.uint32)))

    def _free(self, seats: Bools) -> None:
        if seats.any():
            self._weight[seats] = -np.inf
            self._seated = None

    def _places(self, keys: U64) -> Index:
        """The seat of each key, or -1."""
        if self._seated is None:
            taken = np.flatnonzero(self._weight > -np.inf)
            order = taken[np.argsort(self._key[taken])]
            self._seated = order, self._key[order]
        order, known = self._seated
        place = index_of(keys, known)
        return np.where(place >= 0, order[place], -1) if len(order) else place

    def _stay(self, place: Index, weights: F64, clock: float) -> None:
        here = place >= 0
        seat = place[here]
        self._weight[seat] = np.maximum(self._weight[seat], weights[here])
        self._seen[seat] = clock

    def _admit(self, place: Index, recorded: Recorded, clock: float) -> None:
        """Seats for newcomers, the weightiest first; `place` is completed."""
        keys, weights, _, netns = recorded
        new = np.flatnonzero(place < 0)
        if not len(new):
            return
        new = new[np.argsort(-weights[new], kind="stable")][: len(self._key)]
        seat = np.argsort(self._weight, kind="stable")[: len(new)]
        won = self._weight[seat] < weights[new]
        new, seat = new[won], seat[won]
        self._seated = None
        self._key[seat], self._weight[seat], self._seen[seat] = keys[new], weights[new], clock
        self._netns[seat] = 0 if netns is None else netns[new]
        self._values[seat] = np.nan
        self._turn[seat] += 1
        place[new] = seat
