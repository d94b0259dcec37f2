"""Connections that end with the processes that served them: workers that die in the middle of a
request (killed, out of memory, a time limit of their master), or all of a server at once.

A worker that is replaced in order answers first; a client that has what it wants closes first. Who
closes a connection for being idle may meet a request on its way (nginx that is reloaded): that one
has waited for a moment only.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from tcptop.analysis.findings.ended import lately
from tcptop.analysis.findings.hung_up import listeners
from tcptop.analysis.findings.observations import Observations
from tcptop.model import closed as codes
from tcptop.model import owner
from tcptop.model.closed import Closed
from tcptop.model.sample import Process
from tcptop.model.table import F64, Bools

LATELY_S = 30.0
LEAST, WORKERS, SPREAD_S = 3, 2, 2.0
CROSSED_MS = 100
AT_ONCE_S, TOGETHER, TIMES = 0.5, 3, 2  # of several sessions, so many, so often


class Died(NamedTuple):
    """Of the `every` connections of a listener (`row`) that ended in the last `seconds` those,
    whose notices are `ended`, that ended with one of `processes`, which are over: with a request
    unanswered, or (`times`) all of them at once."""

    row: int
    every: int
    seconds: float
    ended: Closed
    processes: tuple[Process, ...]
    times: int


def died(seen: Observations, netns: int) -> Iterator[Died]:
    seconds = min(LATELY_S, seen.watched_s)
    closed = lately(seen, seconds)
    if len(closed) < LEAST or not seen.sample.owners.complete:
        return
    closed = closed.take(closed.opened & (closed.netns == netns))
    over = _over(seen, closed) & (closed.first != codes.THERE)
    for row in listeners(seen, netns) if np.count_nonzero(over) >= LEAST else ():
        mine = closed.local_port == seen.table.local_port[row]
        names = {each.name for each in seen.processes(row)}
        every = closed.take(mine)
        with_it = closed.take(mine & over & _named(closed, names))
        found = _found(seen, row, len(every), seconds, with_it) if len(with_it) >= LEAST else None
        if found:
            yield found


def _found(seen: Observations, row: int, every: int, seconds: float, ended: Closed) -> Died | None:
    unanswered = ended.take(_unanswered(ended))
    gone = _processes(unanswered)
    lasts = len(unanswered) >= LEAST and float(np.ptp(unanswered.at)) >= SPREAD_S
    if lasts and len(gone) >= WORKERS:
        return Died(row, every, seconds, unanswered, gone, 0)
    ended = ended.take(~_goodbye(ended))
    times = _times(ended)
    if times >= TIMES and not _survived(seen, row, float(ended.at.max())):
        return Died(row, every, seconds, ended, _processes(ended), times)
    return None


def _over(seen: Observations, closed: Closed) -> Bools:
    """Whose process was seen to hold them, and is there no more."""
    now = seen.sample.owners.processes
    gone = [
        each.pid not in now or now[each.pid].start_time != each.start_time
        for each in closed.processes
    ]
    held = (closed.process >= 0) & (closed.note == owner.HELD)
    over: Bools = held & np.array([*gone, False], bool)[closed.process]
    return over


def _named(closed: Closed, names: set[str]) -> Bools:
    """Of the program that listens: an inetd's jobs have other names."""
    mine = [each.name in names for each in closed.processes]
    return np.array([*mine, False], bool)[closed.process]


def _unanswered(ended: Closed) -> Bools:
    """What came last has no answer, for longer than it takes to meet a close()."""
    came, sent = (ended.known(f"last_data_{way}") for way in ("recv", "sent"))
    none = (ended.known("data_segs_out") == 0) | (came < sent)
    asked: Bools = (ended.known("data_segs_in") > 0) & none & (came >= CROSSED_MS)
    return asked


def _goodbye(ended: Closed) -> Bools:
    """The client said something at the very end, after which its process ends in order, as a
    session of a database does that is told to (Terminate of PostgreSQL)."""
    came, sent = (ended.known(f"last_data_{way}") for way in ("recv", "sent"))
    goodbye: Bools = (ended.known("data_segs_in") > 0) & (came <= sent) & (came < CROSSED_MS)
    return goodbye


def _processes(ended: Closed) -> tuple[Process, ...]:
    places = np.unique(ended.process)
    return tuple(ended.processes[at] for at in places.tolist())


def _times(ended: Closed) -> int:
    """How often several of them ended within a moment, each with a process of its own."""
    order = np.argsort(ended.at)
    at, process = ended.at[order], ended.process[order]
    parts = np.split(process, np.flatnonzero(np.diff(at) > AT_ONCE_S) + 1)
    return sum(len(np.unique(part)) >= TOGETHER for part in parts)


def _survived(seen: Observations, row: int, last: float) -> bool:
    """Whether a connection there is older than the last of those moments."""
    table = seen.table
    same = (table.netns == table.netns[row]) & (table.local_port == table.local_port[row])
    same &= seen.accepted & (table.inode != 0)
    age_s: F64 = seen.snapshot.seen_s[same]
    return bool((age_s > seen.sample.taken_at - last + 1.0).any())
