"""What became of connects that had no answer yet, from sample to sample."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from tcptop.analysis.dialing import WHERE, Callee, Calls, CallsByCallee, Dialing
from tcptop.analysis.join import SocketJoin
from tcptop.model import tcp
from tcptop.model.arrays import index_of, isin, isin_codes, row_hash
from tcptop.model.closed import Closed
from tcptop.model.socket_id import socket_keys
from tcptop.model.table import U64, Bools, Index, SocketTable

SLOW_S = 0.4  # without an answer: longer than to the other end of the world and back
HEARD_S = 1.0  # of what is there at the first sample
UNOPENED = (tcp.LISTEN, tcp.SYN_SENT, tcp.SYN_RECV, tcp.CLOSE)


def calls(
    table: SocketTable, joined: SocketJoin, before: Dialing, now: Dialing, closed: Closed
) -> CallsByCallee:
    """What became of the connects of the sample before, and what is new; empty where nobody had to
    wait for an answer. `closed` are those of this interval that are known to have ended."""
    places = tuple(dict.fromkeys((*now.places, *before.places)))
    if not places:
        return {}
    found = {place: Calls() for place in places}
    for place, each in _since(table, joined, before, closed):
        found[place] = found[place].then(each)
    for place, each in _present(joined, now):
        found[place] = found[place].then(each)
    opened, heard = _answered(table, joined, places)
    return {
        place: each._replace(opened=each.opened + int(opened[at]), heard=int(heard[at]))
        for at, (place, each) in enumerate(found.items())
    }


def _since(
    table: SocketTable, joined: SocketJoin, before: Dialing, closed: Closed
) -> Iterator[tuple[Callee, Calls]]:
    """Of those that dialed in the sample before, whose rows come first in what is known of it."""
    there = np.flatnonzero(~joined.new)
    rows = np.full(len(joined.known), -1, np.int64)
    rows[joined.place[there]] = there
    row = rows[before.row]
    state = np.where(row >= 0, table.state[row] if len(table) else 0, tcp.CLOSE)
    opened = ~isin_codes(state, UNOPENED) | _opened_and_closed(joined.known.key[before.row], closed)
    ended, slow = (state == tcp.CLOSE) & ~opened, before.age_s >= SLOW_S
    for at, place in enumerate(before.places):
        mine = before.at == at
        yield (
            place,
            before.calls[at]._replace(
                ended=int(np.count_nonzero(mine & ended)),
                slow=int(np.count_nonzero(mine & ended & slow)),
                longest_s=float(before.age_s[mine & ended].max(initial=0.0)),
                opened=int(np.count_nonzero(mine & opened)),
            ),
        )


def _opened_and_closed(keys: U64, closed: Closed) -> Bools:
    """Those that got an answer and are over already."""
    rows = closed.opened
    over: Bools = isin(keys, socket_keys(closed.netns[rows], closed.cookie[rows]))
    return over


def _present(joined: SocketJoin, now: Dialing) -> Iterator[tuple[Callee, Calls]]:
    new = joined.new[now.row]
    for at, place in enumerate(now.places):
        mine = now.at == at
        tried, waiting = (int(np.count_nonzero(mine & such)) for such in (new, mine))
        yield place, now.calls[at]._replace(tried=tried, waiting=waiting)


def _answered(
    table: SocketTable, joined: SocketJoin, places: Sequence[Callee]
) -> tuple[Index, Index]:
    """By place: connections that are new and open, and older ones of which something came."""
    ports = np.zeros(65536, bool)
    ports[[place.remote_port for place in places]] = True
    rows = np.flatnonzero(ports[table.remote_port] & ~isin_codes(table.state, UNOPENED))
    keys = row_hash(*np.array(places, np.uint64).T)
    order = np.argsort(keys)
    at = index_of(row_hash(*(getattr(table, name)[rows] for name in WHERE)), keys[order])
    rows, at = rows[at >= 0], order[at[at >= 0]]
    arrived = joined.arrived[rows]
    since = np.fmin(*(table.since_s(f"last_{what}_recv", rows) for what in ("ack", "data")))
    heard = ~arrived & (since < (HEARD_S if joined.dt is None else joined.dt))
    opened_at, heard_at = (
        np.bincount(at[such], minlength=len(places)) for such in (arrived, heard)
    )
    return opened_at, heard_at
