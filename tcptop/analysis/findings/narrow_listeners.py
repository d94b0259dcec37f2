"""Ports whose listeners take only some of those who call: the others are refused."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tcptop.analysis.findings import partial_listeners, words
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.peers import is_loopback
from tcptop.model import tcp
from tcptop.model.arrays import sorted_unique
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.table import MAPPED, Index, SocketTable

MOST = 200  # ports that are looked at
NAMED = 4


class Narrow(NamedTuple):
    """The listeners of one port, and whom they take."""

    rows: Index
    takes: str


def narrow(seen: Observations, netns: int) -> list[Narrow]:
    table = seen.table
    here = np.flatnonzero((table.state == tcp.LISTEN) & (table.netns == netns))
    ports = sorted_unique(table.local_port[here])[:MOST].tolist()
    return [each for port in ports for each in _of(table, here[table.local_port[here] == port])]


def _of(table: SocketTable, rows: Index) -> Iterator[Narrow]:
    """inet_lhash2_lookup (net/ipv4/inet_hashtables.c): device, family and address must fit."""
    free = table.interface[rows] == 0
    low, high = table.local_lo[rows], table.local_hi[rows]
    any_v4, any_v6 = (high == 0) & (low == MAPPED), (high == 0) & (low == 0)
    if not free.any():
        yield Narrow(rows, "only what comes in by that device")
    elif is_loopback(high, low).all():
        yield Narrow(rows, "only what comes from this host itself")
    elif not (any_v4 | any_v6).any():
        yield Narrow(rows, "only what is sent to that address")
    elif not (any_v4 | (any_v6 & (table.v6only[rows] == 0))).any():
        yield Narrow(rows, "only IPv6 (IPV6_V6ONLY)")


def said(seen: Observations, found: list[Narrow]) -> Iterator[str]:
    """[::]:80 (nginx) takes only IPv6 (IPV6_V6ONLY)."""
    for each in found[:NAMED]:
        listed = partial_listeners.listed(seen, each.rows[:NAMED])
        takes = "takes" if " and " not in listed else "take"
        more = " and others" if len(each.rows) > NAMED else ""
        yield f"{listed}{more} {takes} {each.takes}: others are refused at that port."
    if len(found) > NAMED:
        rest = sorted({int(seen.table.local_port[each.rows[0]]) for each in found[NAMED:]})
        ports = words.joined([f":{port}" for port in rest[:NAMED]])
        yield f"So do those of {ports}{' and others' if len(rest) > NAMED else ''}."
