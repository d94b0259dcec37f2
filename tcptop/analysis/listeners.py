"""Which listener a row belongs to, and what is known of each listener."""

from __future__ import annotations

import numpy as np

from tcptop.analysis.history import KnownSockets
from tcptop.analysis.join import SocketJoin
from tcptop.model import tcp
from tcptop.model.arrays import distinct, index_of, isin_codes, isin_sorted, row_hash, sorted_unique
from tcptop.model.sample import ListenerPeaks
from tcptop.model.snapshot import Listeners
from tcptop.model.table import ALL, I64, MAPPED, U16, U32, U64, Bools, Index, Rows, SocketTable
from tcptop.model.unchanged import while_same

GROUPED = ("netns", "family", "local_port", "local_hi", "local_lo", "interface")


def match(table: SocketTable, rows: Index) -> Index:
    """For each of the rows the LISTEN row it came in by, or -1.

    As the kernel looks (net/ipv4/inet_hashtables.c): the same address before the wildcard, and
    there the bound device before none. IPv4 that came to a dual-stack listener is AF_INET6 too, so
    the family always agrees. Of a SO_REUSEPORT group the first member stands for all: the dump
    does not tell them apart.
    """
    found = np.full(len(rows), -1, np.int64)
    if not len(rows):
        return found
    listeners = np.flatnonzero(table.state == tcp.LISTEN)
    anywhere = listeners[table.interface[listeners] == 0]
    for wildcard in (False, True):
        for among, device in ((listeners, True), (anywhere, False)):
            keys = _keys(table, among, device, wildcard=False)
            wanted = _keys(table, rows, device, wildcard)
            order = np.argsort(keys, kind="stable")
            places = index_of(wanted, keys[order])
            hit = (found < 0) & (places >= 0)
            found[hit] = among[order[places[hit]]]
    return found


def _keys(table: SocketTable, rows: Index, device: bool, wildcard: bool) -> U64:
    hi, lo = table.local_hi[rows], table.local_lo[rows]
    any_v4 = (hi == 0) & (lo == MAPPED)
    lo = np.where(any_v4 | wildcard, np.uint64(0), lo)  # ::ffff:0.0.0.0 is found like ::
    hi = np.zeros_like(hi) if wildcard else hi
    interface = table.interface[rows] if device else np.zeros(len(rows), np.uint32)
    return row_hash(
        table.netns[rows], table.family[rows], table.local_port[rows], hi, lo, interface
    )


def accepted(table: SocketTable, rows: Rows = ALL) -> Bools:
    """Connections whose local port is a listener's: the other end called."""
    found: Bools = _accepted(table.netns, table.local_port, table.state == tcp.LISTEN)[rows]
    return found


@while_same(kept=2)
def _accepted(netns: U32, port: U16, listening: Bools) -> Bools:
    key = row_hash(netns, port)
    return isin_sorted(key, sorted_unique(key[listening])) & ~listening


def waiting(table: SocketTable) -> Bools:
    """Established on the wire and not accepted: no inode yet (net/ipv4/inet_connection_sock.c)."""
    established = isin_codes(table.state, (tcp.ESTABLISHED, tcp.CLOSE_WAIT))
    not_accepted: Bools = established & (table.inode == 0)
    return not_accepted


def queues(table: SocketTable) -> Index:
    """For each row the listener in whose accept or SYN queue it waits, or -1."""
    rows = np.flatnonzero(waiting(table) | (table.state == tcp.SYN_RECV))
    queue = np.full(len(table), -1, np.int64)
    queue[rows] = match(table, rows)
    return queue


def peaks(table: SocketTable, polled: ListenerPeaks, joined: SocketJoin) -> I64:
    """The longest accept queue seen of each LISTEN row, 0 for other rows."""
    rows = np.flatnonzero(table.state == tcp.LISTEN)
    between = polled.of(table.key[rows])
    peak = np.zeros(len(table), np.int64)
    peak[rows] = np.maximum(
        np.maximum(table.recv_q[rows], between), joined.recalled("peak", 0)[rows]
    )
    return peak


def listeners(table: SocketTable, queue: Index, now: KnownSockets, joined: SocketJoin) -> Listeners:
    row, inverse, siblings = _siblings(
        table.state == tcp.LISTEN, *(getattr(table, name) for name in GROUPED)
    )
    dropped = joined.rate("drops", now.drops)[row]
    half_open = queue[(table.state == tcp.SYN_RECV) & (queue >= 0)]
    by_row = np.bincount(half_open, minlength=len(table))[row]
    syn_queue = np.bincount(inverse, by_row, len(siblings)).astype(np.int64)
    return Listeners(row, now.peak[row], syn_queue[inverse], dropped, siblings[inverse])


def group_keys(table: SocketTable, row: Index) -> U64:
    """The same of listeners on one address, port and device: a SO_REUSEPORT group."""
    return row_hash(*(getattr(table, name)[row] for name in GROUPED))


@while_same()
def _siblings(listening: Bools, *columns: U64) -> tuple[Index, Index, Index]:
    """The rows of listeners, the group of each, and how many are in each group."""
    row = np.flatnonzero(listening)
    _, _, inverse, siblings = distinct(row_hash(*(column[row] for column in columns)))
    return row, inverse, siblings
