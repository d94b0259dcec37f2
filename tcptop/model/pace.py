"""Paces: what holds back connections that have much to move, and since when."""

from __future__ import annotations

import numpy as np

from tcptop.model.dataclass import dataclass
from tcptop.model.table import F64, I64, U64, Index

# What holds it back: the receiver's window; this host's own window, of what it receives; the send
# buffer; a queue on the way; segments that are small, either way; gaps in what arrives.
KINDS = 7
PEER_WINDOW, OWN_WINDOW, SEND_BUFFER, QUEUE, SMALL_OUT, SMALL_IN, HOLES = range(KINDS)
COUNTERS = (
    *("bytes_acked", "bytes_received", "busy_time", "rwnd_limited"),
    *("data_segs_out", "data_segs_in", "rcv_ooopack", "sndbuf_limited"),
)
ACKED, RECEIVED, BUSY, SHUT, OUT, IN, LATE, FILLED = range(len(COUNTERS))


@dataclass(frozen=True, eq=False, slots=True)
class Paces:
    """Sorted by key. All but the first four have one column a kind: `since` is the clock from which
    on it is so (NaN: it is not) and `begun` the COUNTERS then; `high` is the most of what has to be
    steady (a window, a buffer), and of the `looks` since then `hits` showed about as much.
    `missed` looks in a row have not shown it.
    """

    key: U64
    row: Index  # in the sample's table
    clock: float
    counters: F64  # (n, COUNTERS)
    since: F64
    begun: F64  # (n, KINDS, COUNTERS)
    high: F64
    looks: I64
    hits: I64
    missed: I64

    def __len__(self) -> int:
        return len(self.key)

    def grown(self, kind: int) -> F64:
        """By how much each of COUNTERS has grown since it is so."""
        grown: F64 = self.counters - self.begun[:, kind]
        return grown


def unseen(number: int) -> Paces:
    """So many of which nothing is known."""
    nothing, never = np.full((number, KINDS), np.nan), np.zeros((number, KINDS), np.int64)
    counters = np.full((number, len(COUNTERS)), np.nan)
    begun = np.full((number, KINDS, len(COUNTERS)), np.nan)
    key, row = np.zeros(number, np.uint64), np.zeros(number, np.int64)
    return Paces(key, row, 0.0, counters, nothing, begun, nothing.copy(), never, never, never)


NONE = unseen(0)
