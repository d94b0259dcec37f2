"""Connections that nobody answers, gathered so that what is said of a place holds for all there."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tcptop.analysis import stalls
from tcptop.analysis.findings import ended, networks, words
from tcptop.analysis.findings.observations import Observations
from tcptop.model import tcp
from tcptop.model.arrays import isin_codes, row_hash, rows_by_key
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.table import F64, U64, Index, SocketTable

JUST_S = 1.5  # what was on its way when the first segment was lost proves nothing


class Lost(NamedTuple):
    """Connections towards one place, or the clients of one listener; `for_s` one of each row.

    `answering` are the others there of which something came meanwhile. `listener` is a LISTEN row,
    or -1 where this host called; `clients` all its connections.
    """

    where: str  # as near as the rows agree
    place: str  # what they were gathered by: it stays when more are lost
    rows: Index
    for_s: F64
    answering: int
    listener: int = -1
    clients: int = 0

    @property
    def share(self) -> float:
        """Of a listener's clients."""
        return len(self.rows) / self.clients if self.clients else 1.0


def lost(seen: Observations, rows: Index, for_s: F64, few: float) -> Iterator[Lost]:
    """The largest groups first. `few` is the share of a listener's clients up to which they are
    told together: clients vanish, as telephones do."""
    called = seen.accepted[rows]
    yield from _called_from_here(seen, rows[~called], for_s[~called])
    yield from _clients(seen, rows[called], for_s[called], few)


def _called_from_here(seen: Observations, rows: Index, for_s: F64) -> Iterator[Lost]:
    """By network where nothing there answers, else by address, else by address and port."""
    every = np.flatnonzero(isin_codes(seen.table.state, (*stalls.TALKING, tcp.TIME_WAIT)))
    every = every[~seen.accepted[every]]
    left = np.ones(len(rows), bool)
    for keys, place in (
        (networks.keys, networks.name),
        (networks.address_keys, words.remote_address),
        (_endpoint, words.remote),
    ):
        ours, theirs = keys(seen.table, rows), keys(seen.table, every)
        for mine in rows_by_key(np.flatnonzero(left), ours[left]):
            others = every[theirs == ours[mine[0]]]
            answering = _answering(seen, others, rows[mine], float(for_s[mine].min()))
            answering = answering or _ended_there(seen, rows[mine], for_s[mine], keys is _endpoint)
            if keys is _endpoint or not answering:
                left[mine] = False
                where = networks.where(seen.sample, rows[mine])
                name = place(seen.sample, int(rows[mine[0]]))
                yield Lost(where, name, rows[mine], for_s[mine], answering)


def _clients(seen: Observations, rows: Index, for_s: F64, few: float) -> Iterator[Lost]:
    if not len(rows):
        return
    table = seen.table
    ports = row_hash(table.netns, table.local_port)
    open_rows = np.flatnonzero(isin_codes(table.state, stalls.TALKING))
    listening = np.flatnonzero(table.state == tcp.LISTEN)
    for at in rows_by_key(np.arange(len(rows)), ports[rows]):
        mine, waited = rows[at], for_s[at]
        all_clients = open_rows[ports[open_rows] == ports[mine[0]]]
        listener = int(listening[ports[listening] == ports[mine[0]]][0])
        if len(mine) < few * len(all_clients):
            answering = _answering(seen, all_clients, mine, float(waited.min()))
            where = networks.where(seen.sample, mine)
            yield Lost(where, "", mine, waited, answering, listener, len(all_clients))
            continue
        ours, theirs = networks.keys(table, mine), networks.keys(table, all_clients)
        for group in rows_by_key(np.arange(len(mine)), ours):
            part = mine[group]
            others = all_clients[theirs == ours[group[0]]]
            answering = _answering(seen, others, part, float(waited[group].min()))
            answering = answering or _ended_here(seen, part, waited[group])
            where = networks.where(seen.sample, part)
            name = networks.name(seen.sample, int(part[0]))
            yield Lost(where, name, part, waited[group], answering, listener, len(all_clients))


def _ended_there(seen: Observations, rows: Index, for_s: F64, at_port: bool) -> int:
    """Short connections from here that went well meanwhile, though the others are in no list."""
    closed = ended.answered(seen, rows, float(for_s.min()) - JUST_S)
    listening = seen.snapshot.listeners.row
    here = seen.table.netns[listening] == seen.table.netns[rows[0]]
    ours = ~np.isin(closed.local_port, seen.table.local_port[listening[here]])
    if at_port:
        ours &= closed.remote_port == seen.table.remote_port[rows[0]]
    return int(np.count_nonzero(ours))


def _ended_here(seen: Observations, rows: Index, for_s: F64) -> int:
    """The same of clients of a listener."""
    port = int(seen.table.local_port[rows[0]])
    return len(ended.answered(seen, rows, float(for_s.min()) - JUST_S, port))


def _endpoint(table: SocketTable, rows: Index) -> U64:
    return row_hash(networks.address_keys(table, rows), table.remote_port[rows])


def _answering(seen: Observations, others: Index, lost: Index, for_s: float) -> int:
    """How many of the others have heard something since these were lost, and not just then: what
    came on its way when all were is no answer. TIME_WAIT begins with an answer to the FIN."""
    table = seen.table
    others = others[~np.isin(others, lost)]
    heard = table.since_s("last_ack_recv", others) < for_s - JUST_S
    arrived = table.since_s("last_data_recv", others) < for_s - JUST_S
    closed_s = table.time_wait_ms()[others] / 1000
    closed = (table.state[others] == tcp.TIME_WAIT) & (closed_s < for_s - JUST_S)
    return int(np.count_nonzero(heard | arrived | closed))
