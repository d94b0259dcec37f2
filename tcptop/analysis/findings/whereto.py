"""Where most new connections go or come in, when only counters tell of their trouble."""

from __future__ import annotations

import numpy as np

from tcptop.analysis.findings import parties, words
from tcptop.analysis.findings.observations import Observations
from tcptop.model import tcp
from tcptop.model.arrays import isin_codes, row_hash, rows_by_key, sorted_unique
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.table import Index

MOSTLY = 0.8  # share from which a place is named
NO_RESET = (tcp.LISTEN, tcp.SYN_SENT, tcp.TIME_WAIT)  # what ends in TIME_WAIT has ended well


class Where(NamedTuple):
    """`said` continues a title. Everything is empty where no place stands out."""

    said: str = ""
    evidence: tuple[str, ...] = ()
    pids: tuple[int, ...] = ()
    listener: str | None = None
    destination: str | None = None


def where(seen: Observations, netns: int, outward: bool) -> Where:
    return _destination(seen, netns) if outward else _listener(seen, netns)


def asked(seen: Observations, netns: int) -> Where:
    """Where most connects that have no answer yet go: what was answered is no failure."""
    asking = (seen.table.state == tcp.SYN_SENT) & (seen.table.netns == netns)
    return _mostly_to(seen, np.flatnonzero(asking), "connect", "a refused one leaves none")


def _destination(seen: Observations, netns: int) -> Where:
    """The destination of most connections that are young."""
    table = seen.table
    fresh = (seen.snapshot.seen_s < 1.5) & ~isin_codes(table.state, NO_RESET)
    rows = np.flatnonzero(fresh & (table.netns == netns))
    rows = rows[~seen.accepted[rows]]
    return _mostly_to(seen, rows, "new connection", "a reset one leaves none")


def _mostly_to(seen: Observations, rows: Index, what: str, but: str) -> Where:
    if not len(rows):
        return Where()
    table = seen.table
    columns = (table.interface, table.remote_hi, table.remote_lo, table.remote_port)
    key = row_hash(*(column[rows] for column in columns))
    most = next(rows_by_key(rows, key))
    if len(most) < MOSTLY * len(rows):
        return Where()
    rows = most
    place = words.remote(seen.sample, int(rows[0]))
    who = parties.parties(seen, rows)
    name = f" ({parties.first_name(who)})" if who else ""
    return Where(
        f", apparently mostly to {place}{name}",
        (f"{words.count(len(rows), what)} to {place} now; {but}.",),
        _pids(who),
        destination=place,
    )


def _listener(seen: Observations, netns: int) -> Where:
    """The listener's port, where there is one only: of two, what is reset leaves no row, so that
    the rows speak for the innocent one."""
    table = seen.table
    rows = np.flatnonzero(seen.accepted & (table.netns == netns))
    listeners = np.flatnonzero((table.state == tcp.LISTEN) & (table.netns == netns))
    ports = table.local_port[rows if len(rows) else listeners]
    if len(sorted_unique(table.local_port[listeners])) != 1 or not len(ports):
        return Where()
    number = np.bincount(ports)
    port = int(np.argmax(number))
    if number[port] < MOSTLY * len(ports):
        return Where()
    row = int(listeners[table.local_port[listeners] == port][0])
    processes = seen.processes(row)
    name = f" ({words.called(processes[0])})" if processes else ""
    return Where(
        f", apparently mostly on :{port}{name}",
        (
            f"{words.number(100 * number[port] / len(ports))}% of the accepted connections are on "
            f":{port}.",
        )
        if len(rows)
        else (),
        tuple(sorted({each.pid for each in processes})),
        listener=words.local(seen.sample, row),
    )


def _pids(found: list[parties.Party]) -> tuple[int, ...]:
    return tuple(sorted({each.process.pid for each in found}))
