"""Where many connections lead: the listener that accepted them, or whom they called."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tcptop.analysis.findings import words
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.listeners import match
from tcptop.model import tcp
from tcptop.model.arrays import isin_codes, row_hash, sorted_unique
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.sample import Sample
from tcptop.model.table import U64, Index, SocketTable

NAMED = 3  # places in a sentence


class Ends(NamedTuple):
    """Rows of which the other end called us (`accepted`) and those where we did (`called`).

    `listener` and `destination` are set where they hold for all rows.
    """

    called: Index
    accepted: Index
    listener: str | None
    destination: str | None

    @property
    def where(self) -> str:
        """to 10.0.0.9:5432; from clients of :8080; nothing where they lead to several places"""
        if self.destination:
            return f" to {self.destination}"
        return f" from clients of {_short(self.listener)}" if self.listener else ""


def ends(seen: Observations, rows: Index) -> Ends:
    table = seen.table
    served = seen.accepted[rows]
    called, accepted = rows[~served], rows[served]
    listener = _listener(seen.sample, accepted) if len(accepted) == len(rows) else None
    one = len(called) == len(rows) and len(sorted_unique(_endpoint(table, rows))) == 1
    to = words.remote(seen.sample, int(rows[0])) if one else None
    return Ends(called, accepted, listener, to)


def share_of_clients(seen: Observations, rows: Index) -> float:
    """Of all clients of one listener's port, what share these rows are; 1 where they are of several
    or were called from here."""
    table = seen.table
    if not seen.accepted[rows].all() or len(sorted_unique(_port(table, rows))) != 1:
        return 1.0
    same = (table.netns == table.netns[rows[0]]) & (table.local_port == table.local_port[rows[0]])
    gone = (tcp.LISTEN, tcp.SYN_RECV, tcp.TIME_WAIT)
    every = int(np.count_nonzero(same & ~isin_codes(table.state, gone)))
    return len(rows) / every


def told(seen: Observations, found: Ends) -> list[str]:
    """Who called whom, a sentence for each direction."""
    sample, said = seen.sample, []
    if len(found.called):
        many = words.count(len(found.called), "was", "were")
        said.append(f"{many} opened from here, to {endpoints(sample, found.called)}.")
    if len(found.accepted):
        many = words.count(len(found.accepted), "was", "were")
        on = _listed(sample, found.accepted, _port, _own_port)
        said.append(f"{many} accepted on {on}, from {addresses(sample, found.accepted)}.")
    return said


def endpoints(sample: Sample, rows: Index) -> str:
    """10.0.0.9:5432 (60), 10.0.0.9:5433 (4) and 3 more: remote ends, most first; a single one
    without its number."""
    return _listed(sample, rows, _endpoint, words.remote)


def addresses(sample: Sample, rows: Index) -> str:
    """The same of remote addresses."""
    return _listed(sample, rows, _address, words.remote_address)


def _listed(
    sample: Sample,
    rows: Index,
    key: Callable[[SocketTable, Index], U64],
    named: Callable[[Sample, int], str],
) -> str:
    _, first, number = np.unique(key(sample.sockets, rows), return_index=True, return_counts=True)
    if len(number) == 1:
        return named(sample, int(rows[0]))
    order = np.argsort(-number, kind="stable")
    said = [
        f"{named(sample, int(rows[first[at]]))} ({words.number(number[at])})"
        for at in order[:NAMED].tolist()
    ]
    more = len(number) - NAMED
    return ", ".join(said) + (f" and {words.number(more)} more" if more > 0 else "")


def _endpoint(table: SocketTable, rows: Index) -> U64:
    return row_hash(_address(table, rows), table.remote_port[rows])


def _address(table: SocketTable, rows: Index) -> U64:
    return row_hash(table.interface[rows], table.remote_hi[rows], table.remote_lo[rows])


def _port(table: SocketTable, rows: Index) -> U64:
    return table.local_port[rows].astype(np.uint64)


def _own_port(sample: Sample, row: int) -> str:
    return words.port(sample.sockets, row)


def _listener(sample: Sample, rows: Index) -> str | None:
    """As its LISTEN row has it, where all came in by one port."""
    table = sample.sockets
    if len(sorted_unique(table.local_port[rows])) != 1:
        return None
    row = int(match(table, rows[:1])[0])
    return words.local(sample, row if row >= 0 else int(rows[0]))


def _short(listener: str | None) -> str:
    """:8080 for one on any address"""
    host, _, port = (listener or "").rpartition(":")
    return f":{port}" if host in ("0.0.0.0", "[::]", "*") else listener or ""
