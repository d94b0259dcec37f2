"""Rings: the numbers of the last ten minutes, of the host and of the busiest of each kind."""

from __future__ import annotations

import threading
from collections.abc import Hashable

import numpy as np

from tcptop.model.snapshot import Snapshot
from tcptop.tui.history.recorded import KINDS, SOCKET, everything, of_sockets
from tcptop.tui.history.ring import Ring
from tcptop.tui.history.series import Series

SLOTS = 600
LEAST_S = 0.9  # a slot a second, and some room for looks that are not quite a second apart
WATCHED = 16
HOST = 0  # the key of the one subject of kind "host"


class Rings:
    """One thread adds, others read: a lock is held while values are stored or copied, no longer.

    Kinds are the names of the live lists and "host"; keys are those of their rows. At most 15 MB,
    of which only what was once in use is resident.
    """

    def __init__(self, slots: int = SLOTS) -> None:
        self._rings = {name: Ring(kind.metrics, kind.seats, slots) for name, kind in KINDS.items()}
        self._rings["sockets"] = Ring(SOCKET, WATCHED, slots)
        self._clock = np.zeros(slots)
        self._added = 0
        self._watched: dict[int, None] = {}  # cookies, the last selected last
        self._lock = threading.Lock()

    @property
    def nbytes(self) -> int:
        return self._clock.nbytes + sum(ring.nbytes for ring in self._rings.values())

    def metrics(self, kind: str) -> tuple[str, ...]:
        """What is known of a kind."""
        return self._rings[kind].metrics

    def watch(self, cookie: int) -> None:
        """Record this socket from the next look on; it takes the place of the one least wanted."""
        with self._lock:
            self._watched.pop(cookie, None)
            self._watched[cookie] = None
            if len(self._watched) > WATCHED:
                last = next(iter(self._watched))
                del self._watched[last]
                self._rings["sockets"].leave(last)

    def add(self, snapshot: Snapshot) -> None:
        """A look; left out where the one before was less than a second ago."""
        clock = snapshot.sample.clock
        dt = clock - self._last if self._added else 0.0
        if self._added and dt < LEAST_S:
            return
        selection = everything(snapshot)
        found = {name: kind.record(selection) for name, kind in KINDS.items()}
        with self._lock:
            watched = list(self._watched)
        found["sockets"] = of_sockets(snapshot, watched)
        with self._lock:
            slot = self._added % len(self._clock)
            for name, recorded in found.items():
                self._rings[name].put(slot, clock, dt, *recorded)
            self._clock[slot] = clock
            self._added += 1

    @property
    def _last(self) -> float:
        return float(self._clock[(self._added - 1) % len(self._clock)])

    def series(self, kind: str, key: Hashable, metric: str) -> Series:
        """A copy; all NaN for what has no ring. KeyError, ValueError: no such kind, metric."""
        ring = self._rings[kind]
        column = ring.metrics.index(metric)
        with self._lock:
            order = self._order()
            clock = self._clock[order]
            values = ring.values(key, column) if isinstance(key, int) else None
            taken = np.full(len(order), np.nan) if values is None else values[order]
        return Series(clock, taken.astype(np.float64))

    def _order(self) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        """The slots in use, oldest first."""
        slots = len(self._clock)
        return np.arange(max(0, self._added - slots), self._added) % slots
