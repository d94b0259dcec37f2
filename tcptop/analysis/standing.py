"""Queues that stand still: bytes that wait, and of which none has left for some seconds."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcptop.model import tcp
from tcptop.model.arrays import isin_codes
from tcptop.model.snapshot import Snapshot
from tcptop.model.table import F64, I64, Bools, Index

STILL_S = 3.0  # shorter pauses are usual


def send_queues(snapshot: Snapshot, among: Bools) -> Index:
    """Connections that wait for an acknowledgement, the most bytes first."""
    return _still(snapshot.sample.sockets.send_q, snapshot.durations.unacked_s, snapshot, among)


def recv_queues(snapshot: Snapshot, among: Bools) -> Index:
    """Connections whose process does not read, the most bytes first."""
    return _still(unread(snapshot), snapshot.durations.unread_s, snapshot, among)


def unread(snapshot: Snapshot) -> I64:
    """Recv-Q of each socket without the FIN, which counts for one byte until it is read."""
    table = snapshot.sample.sockets
    ended = isin_codes(table.state, (tcp.CLOSE_WAIT, tcp.LAST_ACK, tcp.CLOSING))
    return np.maximum(table.recv_q.astype(np.int64) - ended, 0)


def _still(queue: NDArray[Any], waits_s: F64, snapshot: Snapshot, among: Bools) -> Index:
    connected = snapshot.sample.sockets.state != tcp.LISTEN
    rows = np.flatnonzero(among & connected & (queue > 0) & (waits_s >= STILL_S))
    return rows[np.argsort(-queue[rows].astype(np.int64), kind="stable")]
