"""Listeners that take connections to only part of this host's addresses, and refuse the rest.

A refused connect leaves no row: rows that exist argue against their destination, not for it.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tcptop.analysis.findings import listening, words
from tcptop.analysis.findings.observations import Observations
from tcptop.model import address, tcp
from tcptop.model.arrays import isin_codes, sorted_unique
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.table import Index

LOCALHOST = ("::1", "127.0.0.1")  # as resolvers give it (RFC 6724)
FRESH_S = 1.5
MOST = 200  # ports that are looked at


class Partial(NamedTuple):
    """A port that an address of localhost refuses, and another one does not.

    `answered_per_s` connections within this host were taken just now, those of `callers` rows.
    """

    refused: tuple[str, ...]  # [::1]:3000
    listeners: Index
    callers: Index
    answered_per_s: float


def partials(seen: Observations, netns: int) -> list[Partial]:
    """The one that most were answered at first."""
    table = seen.table
    here = (table.state == tcp.LISTEN) & (table.netns == netns)
    ports = sorted_unique(table.local_port[here])[:MOST].tolist()
    fresh = _fresh(seen, netns)
    found = [each for port in ports for each in _partial(seen, netns, port, fresh)]
    return sorted(found, key=lambda each: -each.answered_per_s)


def _partial(seen: Observations, netns: int, port: int, fresh: Index) -> Iterator[Partial]:
    table = seen.table
    rows = listening.on_port(table, netns, port)
    shut = [
        each for each in LOCALHOST if not listening.takes(table, rows, *address.halves(each)).any()
    ]
    if shut:
        callers = fresh[table.remote_port[fresh] == port]
        both = len(callers) + np.count_nonzero(table.local_port[fresh] == port)
        refused = tuple(address.endpoint(each, port) for each in shut)
        yield Partial(refused, rows, callers, both / FRESH_S)


def _fresh(seen: Observations, netns: int) -> Index:
    """Connections within this host that were opened just now, or are just over."""
    table = seen.table
    closed = table.state == tcp.TIME_WAIT
    just = table.time_wait_ms() < FRESH_S * 1000
    fresh = np.where(closed, just, seen.snapshot.seen_s < FRESH_S)
    fresh &= (table.netns == netns) & seen.remote_here
    fresh &= ~isin_codes(table.state, (tcp.LISTEN, tcp.SYN_SENT, tcp.SYN_RECV))
    return np.flatnonzero(fresh)


def listed(seen: Observations, rows: Index) -> str:
    """127.0.0.1:3000 (node) and 10.0.0.1:3000 (nginx): listeners, each place once"""
    said = (_listener(seen, row) for row in rows.tolist())
    return " and ".join(dict.fromkeys(said))


def _listener(seen: Observations, row: int) -> str:
    processes = seen.processes(row)
    name = f" ({words.called(processes[0])})" if processes else ""
    return f"{words.local(seen.sample, row)}{name}"
