"""Connections whose last word waits for an answer, remembered until the next sample.

Of a connection that its own program resets (SO_LINGER 0) the kernel forgets what it has counted
(tcp_disconnect, net/ipv4/tcp.c), but not when it last sent something and when something was last
acknowledged: where both are as they were, nothing has come meanwhile, and what was counted before
is true.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tcptop.analysis.listeners import accepted
from tcptop.model import tcp
from tcptop.model.arrays import place_of
from tcptop.model.table import EMPTY, Bools, Index, SocketTable

TICK_MS = 10  # of the kernel's clock, which HZ = 100 makes the longest
LATE_S = 0.25  # in which a notice is read


def pending(table: SocketTable) -> SocketTable:
    """Those that have sent something last, of what called; of what was called the other end has."""
    said = (table.tcp_info("data_segs_in") > 0) | (table.tcp_info("data_segs_out") > 0)
    rows = np.flatnonzero(said & (table.state == tcp.ESTABLISHED) & (table.inode != 0))
    if not len(rows):
        return EMPTY
    came = accepted(table, rows)
    asked, asks = (_of(table, rows, came, name) for name in ("last_data", "data_segs"))
    answered, answers = (_of(table, rows, ~came, name) for name in ("last_data", "data_segs"))
    waits = table.tcp_info_known("data_segs_in", rows) & (asks > 0)
    waits &= (answers == 0) | (asked < answered)
    return table.take(rows[waits])


def _of(table: SocketTable, rows: Index, came: Bools, name: str) -> NDArray[np.int64]:
    """What who called has sent, or when."""
    ours, theirs = ("sent", "recv") if name == "last_data" else ("out", "in")
    both = (table.tcp_info(f"{name}_{way}")[rows].astype(np.int64) for way in (theirs, ours))
    return np.where(came, *both)


def unchanged(dead: SocketTable, before: SocketTable, elapsed_s: NDArray[np.float64]) -> Index:
    """For each socket that has ended its row of `before`, if neither end has sent anything since;
    else -1. `elapsed_s` is since `before`."""
    place: Index = place_of(dead.key, before.key)
    rows = np.flatnonzero(place >= 0)
    sent, acked = (
        dead.tcp_info(name)[rows].astype(np.int64) - before.tcp_info(name)[place[rows]]
        for name in ("last_data_sent", "last_ack_recv")
    )
    same = (np.abs(sent - acked) <= TICK_MS) & (sent >= 1000 * (elapsed_s[rows] - LATE_S))
    place[rows[~same]] = -1
    return place
