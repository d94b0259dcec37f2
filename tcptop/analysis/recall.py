"""What is recorded of single sockets, read again: who opens one in a replay wants its past."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tcptop.analysis.recorded import INFO, SOCKET
from tcptop.model.archive import Numbered
from tcptop.model.table import F64, SocketTable

COUNTERS = ("bytes_sent", "bytes_received", "total_retrans")


class SocketRecall:
    """Of some sockets, by `SocketTable.key`, sample after sample up to one of that number."""

    def __init__(self, keys: tuple[int, ...], coming: Iterator[Numbered], until: int) -> None:
        self.keys = keys
        self.clocks: list[float] = []
        self._coming, self._until = coming, until
        self._values: dict[int, list[F64]] = {key: [] for key in keys}
        self._before: dict[int, tuple[float, F64]] = {}

    def advance(self) -> bool:
        """One sample more; False where that was all."""
        taken = next(self._coming, None)
        if taken is None or taken.number > self._until:
            return False
        table, clock = taken.sample.sockets, taken.sample.clock
        every = table.key
        for key in self.keys:
            rows = np.flatnonzero(every == np.uint64(key))[:1]
            self._values[key].append(self._row(key, table.take(rows), clock))
        self.clocks.append(clock)
        return True

    def values(self, key: int) -> F64:
        """(samples, metrics of `SOCKET`)."""
        return np.array(self._values[key], np.float64).reshape(len(self.clocks), len(SOCKET))

    def _row(self, key: int, row: SocketTable, clock: float) -> F64:
        if not len(row):
            self._before.pop(key, None)
            return np.full(len(SOCKET), np.nan)
        counters = np.array([row.info_of(name)[0] for name in COUNTERS])
        then, counted = self._before.get(key, (np.nan, np.zeros(len(COUNTERS))))
        if not self._before.get(key) and self.clocks:  # it is new: its counters began at 0
            then = self.clocks[-1]
        self._before[key] = clock, np.nan_to_num(counters)
        grown = counters - counted
        rates = np.where(grown >= 0, grown / max(clock - then, 1e-3), np.nan)
        info = [row.info_of(name)[0] for name in INFO.values()]
        return np.array([row.recv_q[0], row.send_q[0], *rates, *info], np.float64)
