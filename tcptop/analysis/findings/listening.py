"""Who listens on a port of a namespace, and on which of its addresses."""

from __future__ import annotations

import numpy as np

from tcptop.analysis.dialing import Callee
from tcptop.model import tcp
from tcptop.model.table import MAPPED, Bools, Index, SocketTable


def on_port(table: SocketTable, netns: int, port: int) -> Index:
    """The LISTEN rows of a port."""
    here = (table.state == tcp.LISTEN) & (table.netns == netns) & (table.local_port == port)
    return np.flatnonzero(here)


def taking(table: SocketTable, to: Callee) -> Index:
    """The LISTEN rows that take connections to that place."""
    there = on_port(table, to.netns, to.remote_port)
    return there[takes(table, there, to.remote_hi, to.remote_lo)]


def takes(table: SocketTable, listeners: Index, hi: int, lo: int) -> Bools:
    """Which of these listeners take connections to that address.

    0.0.0.0 takes IPv4 alone, [::] both unless IPV6_V6ONLY is set (net/ipv6/inet6_hashtables.c).
    """
    v4 = hi == 0 and lo >> 32 == int(MAPPED) >> 32
    mine_hi, mine_lo = table.local_hi[listeners], table.local_lo[listeners]
    any_v4, any_v6 = (mine_hi == 0) & (mine_lo == MAPPED), (mine_hi == 0) & (mine_lo == 0)
    only = table.v6only[listeners] != 0
    wild = any_v4 | (any_v6 & ~only) if v4 else any_v6
    taken: Bools = wild | ((mine_hi == np.uint64(hi)) & (mine_lo == np.uint64(lo)))
    return taken
