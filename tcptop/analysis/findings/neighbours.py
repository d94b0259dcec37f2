"""Other hosts that are called at the same port: whether they answer.

Who calls many (a crawler, a check of many hosts) meets some that are down each day. Its connections
to the others are short, so that the notices of their end tell, more than rows.
"""

from __future__ import annotations

import numpy as np

from tcptop.analysis.dialing import Callee
from tcptop.analysis.findings.ended import lately
from tcptop.analysis.findings.observations import Observations
from tcptop.model import tcp
from tcptop.model.arrays import isin_sorted, row_hash, sorted_unique
from tcptop.model.closed import Closed
from tcptop.model.table import U64, Index

HOST = ("interface", "remote_hi", "remote_lo")
MANY = 4  # others that answer


def answered_lately(seen: Observations, to: Callee, seconds: float) -> U64:
    """A key of each other address at that port whose connections brought something and are over."""
    closed = _at_port(seen, to, seconds)
    came = closed.opened & (closed.known("data_segs_in") > 0)
    return _others(_keys(closed.take(came)), to)


def most_answer(seen: Observations, to: Callee, seconds: float) -> bool:
    """Many are called at that port, and of most something came."""
    closed, table = _at_port(seen, to, seconds), seen.table
    rows = np.flatnonzero((table.remote_port == to.remote_port) & (table.netns == to.netns))
    rows = rows[~seen.accepted[rows]]
    came = table.since_s("last_data_recv", rows) < seconds
    heard = rows[came & (table.tcp_info("data_segs_in")[rows] > 0)]
    asking = rows[table.state[rows] == tcp.SYN_SENT]
    over = answered_lately(seen, to, seconds)
    well = _others(np.concatenate([over, _row_keys(seen, heard)]), to)
    asked = np.concatenate([_keys(closed.take(~closed.opened)), _row_keys(seen, asking)])
    ill = sorted_unique(asked)
    return len(well) >= MANY and len(well) > int(np.count_nonzero(~isin_sorted(ill, well)))


def _at_port(seen: Observations, to: Callee, seconds: float) -> Closed:
    closed = lately(seen, seconds)
    return closed.take((closed.remote_port == to.remote_port) & (closed.netns == to.netns))


def _others(keys: U64, to: Callee) -> U64:
    mine = row_hash(*(np.array([getattr(to, name)], np.uint64) for name in HOST))
    others: U64 = sorted_unique(keys[keys != mine])
    return others


def _keys(closed: Closed) -> U64:
    return row_hash(*(getattr(closed, name) for name in HOST))


def _row_keys(seen: Observations, rows: Index) -> U64:
    return row_hash(*(getattr(seen.table, name)[rows] for name in HOST))
