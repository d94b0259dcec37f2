"""Clients that gave up: their request had arrived here, and they ended the connection before this
end had said anything.

A reset takes the connection out of every dump at once, and its notice comes only when the program
closes its descriptor, which may be long after (tcp_reset, net/ipv4/tcp_input.c).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tcptop.analysis.given_up import ANSWERED, FIRST, NOBODY, Abandoned, together
from tcptop.analysis.join import SocketJoin
from tcptop.analysis.pending import pending
from tcptop.model import closed as codes
from tcptop.model import tcp
from tcptop.model.arrays import distinct, isin, isin_codes, place_of
from tcptop.model.closed import Closed
from tcptop.model.socket_id import socket_keys
from tcptop.model.table import F64, Bools, Index, SocketTable, concat

HALF = (tcp.CLOSE_WAIT, tcp.LAST_ACK)


def still_pending(
    table: SocketTable, before: SocketTable, join: SocketJoin, told: Bools
) -> SocketTable:
    """What is pending now, and what was so in the sample before that this one has missed: one
    dump may skip a socket."""
    if not len(before):
        return pending(table)
    place = join.places(before.key)
    known = place >= 0
    again = known.copy()
    again[known] = ~told[place[known]] & (join.known.misses[place[known]] == 0)
    again[known] &= ~join.here[place[known]]
    now = pending(table)
    return concat([now, before.take(again)]) if again.any() else now


def given_up(
    table: SocketTable,
    before: SocketTable,
    join: SocketJoin,
    closed: Closed,
    ports: Mapping[int, frozenset[int]],
) -> Abandoned:
    """Since the sample before; `before` was pending in it, `closed` have ended since."""
    before = before.take(_served(before, ports)) if len(before) else before
    if not len(before):
        return NOBODY
    parts = [_half_closed(table, before), _vanished(table, before, join, closed)]
    return together([*parts, _ended(before, closed)])


def _served(before: SocketTable, ports: Mapping[int, frozenset[int]]) -> Bools:
    """Of listeners, and asked for an answer: logs and metrics have more segments, and none."""
    asked, said = (before.tcp_info(f"data_segs_{way}").astype(np.int64) for way in ("in", "out"))
    served = np.zeros(len(before), bool)
    for netns in distinct(before.netns).values.tolist():
        here = before.netns == netns
        served |= here & isin(before.local_port, ports.get(netns, frozenset()))
    few: Bools = served & (asked <= FIRST + ANSWERED * said)
    return few


def _waited_s(table: SocketTable, rows: Index) -> F64:
    return table.tcp_info("last_data_recv")[rows] / 1000


def _half_closed(table: SocketTable, before: SocketTable) -> Abandoned:
    """Their FIN has come meanwhile, the last thing that was acknowledged with."""
    rows = np.flatnonzero(isin_codes(table.state, HALF) & (table.inode != 0))
    place = place_of(table.key[rows], before.key)
    same = place >= 0
    same[same] = _unsaid(table, rows[same], before, place[same])
    rows, place = rows[same], place[same]
    heard_s, fin_s = _waited_s(table, rows), table.tcp_info("last_ack_recv")[rows] / 1000
    most_s = np.where(heard_s > fin_s, heard_s - fin_s, heard_s)
    least_s = np.minimum(_waited_s(before, place), most_s)
    return _columns(before, place, np.maximum(least_s, most_s - 0.05), most_s, False, True)


def _vanished(
    table: SocketTable, before: SocketTable, join: SocketJoin, closed: Closed
) -> Abandoned:
    """By a reset, as nothing was under way that the kernel would have ended them for."""
    known = join.places(before.key)
    gone = (known >= 0) & (place_of(before.key, table.key) < 0)
    gone[known >= 0] &= join.known.misses[known[known >= 0]] == 1
    gone &= ~np.isin(before.key, socket_keys(closed.netns, closed.cookie))
    gone &= (before.tcp_info("probes") == 0) & (before.send_q == 0)
    place = np.flatnonzero(gone)
    least_s = _waited_s(before, place)
    missed_s = join.clock - (join.dt or 0.0) - join.known.clock[known[place]]
    return _columns(before, place, least_s, least_s + missed_s, True, True)


def _ended(before: SocketTable, closed: Closed) -> Abandoned:
    """Whose end was told: our program has closed it too. Not where that was the first to."""
    place = place_of(socket_keys(closed.netns, closed.cookie), before.key)
    rows = np.flatnonzero((place >= 0) & (closed.first != codes.HERE) & closed.opened)
    said = closed.known("data_segs_out")[rows] == before.tcp_info("data_segs_out")[place[rows]]
    read = (closed.reset[rows] != codes.YES) | (before.recv_q[place[rows]] == 0)
    rows = rows[said & read & (closed.reset[rows] != codes.UNKNOWN)]
    place = place[rows]
    least_s, most_s = _waited_s(before, place), closed.known("last_data_recv")[rows] / 1000
    reset = closed.reset[rows] == codes.YES
    return _columns(before, place, least_s, np.maximum(least_s, most_s), reset, False)


def _unsaid(table: SocketTable, rows: Index, before: SocketTable, place: Index) -> Bools:
    """This end has said nothing since."""
    segments = table.tcp_info("data_segs_out")[rows]
    unsaid: Bools = segments == before.tcp_info("data_segs_out")[place]
    return unsaid


def _columns(
    before: SocketTable,
    place: Index,
    least_s: F64,
    most_s: F64,
    reset: Bools | bool,
    open_: bool,
) -> Abandoned:
    return Abandoned(
        before.key[place],
        before.netns[place],
        before.local_port[place],
        before.remote_hi[place],
        before.remote_lo[place],
        least_s,
        most_s,
        np.full(len(place), reset),
        np.full(len(place), open_),
    )
