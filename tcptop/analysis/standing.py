"""Queues that stand still: bytes that wait, and of which none has left for some seconds."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcptop.model import tcp
from tcptop.model.arrays import distinct, isin_codes, row_hash
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.snapshot import Snapshot
from tcptop.model.table import F64, I64, U64, Bools, Index

STILL_S = 3.0  # shorter pauses are usual


class Standing(NamedTuple):
    """Queues of one process and one address.

    `row` is one of them, the same as long as it stands still; `octets` are all their bytes, which
    have waited for `waits_s` at least. `one_port`: the other ends have the same one.
    """

    row: int
    number: int
    octets: float
    waits_s: float
    one_port: bool


def send_queues(snapshot: Snapshot, among: Bools, most: int) -> list[Standing]:
    """Connections that wait for an acknowledgement, the most bytes first."""
    queue, waits_s = snapshot.sample.sockets.send_q, snapshot.durations.unacked_s
    return _still(queue, waits_s, snapshot, among, most)


def recv_queues(snapshot: Snapshot, among: Bools, most: int) -> list[Standing]:
    """Connections whose process does not read, the most bytes first."""
    return _still(unread(snapshot), snapshot.durations.unread_s, snapshot, among, most)


def unread(snapshot: Snapshot) -> I64:
    """Recv-Q of each socket without the FIN, which counts for one byte until it is read."""
    table = snapshot.sample.sockets
    ended = isin_codes(table.state, (tcp.CLOSE_WAIT, tcp.LAST_ACK, tcp.CLOSING))
    return np.maximum(table.recv_q.astype(np.int64) - ended, 0)


def _still(
    queue: NDArray[Any], waits_s: F64, snapshot: Snapshot, among: Bools, most: int
) -> list[Standing]:
    table = snapshot.sample.sockets
    connected = table.state != tcp.LISTEN
    rows = np.flatnonzero(among & connected & (queue > 0) & (waits_s >= STILL_S))
    if not len(rows):
        return []
    rows = rows[np.argsort(table.cookie[rows])]
    _, first, group, _ = distinct(_alike(snapshot, rows))
    octets = np.bincount(group, queue[rows], len(first))
    least = np.full(len(first), np.inf)
    np.minimum.at(least, group, waits_s[rows])
    ports = table.remote_port[rows]
    others = np.bincount(group, ports != ports[first][group], len(first))
    columns = (rows[first], np.bincount(group), octets, least, others == 0)
    order = np.argsort(-octets, kind="stable")[:most]
    return list(map(Standing, *(column[order].tolist() for column in columns)))


def _alike(snapshot: Snapshot, rows: Index) -> U64:
    """The same key for queues that a list would show alike, but for their numbers."""
    table = snapshot.sample.sockets
    ends = (table.netns, table.interface, table.remote_hi, table.remote_lo)
    holder, note = snapshot.holders.first(rows), snapshot.note[rows]
    return row_hash(*(column[rows] for column in ends), holder, note)
