"""Connections of one process to one destination that become more and more, and none is closed."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tcptop.analysis.findings import parties
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.summary import at
from tcptop.model import tcp
from tcptop.model.arrays import index_of
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.sample import Process
from tcptop.model.table import F64, Bools, Index

LEAST_S = 5.0  # of watching: the clocks of a pool that rests look like growth
LONGEST_S, BIRTHS = 180.0, 30  # the window is longer where few are opened
STEADY = 0.5  # of the mean, in each third of the window and in what was watched
MOSTLY = 0.75  # of the connections
IDLE_S = 1.0
UNDER_WAY_S = 2.0  # a request may take as long
BEAT = 200  # bytes a second
BEATS_PER_S = 1.0  # segments that say no more than that the program lives
FEW = 10  # segments of data that a connection has sent: a request or two, and a handshake of TLS


class Growing(NamedTuple):
    """`opened` of the rows are younger than `window_s`; `idle` rest, `few` were hardly used."""

    process: Process
    group: int  # of Ports
    rows: Index
    opened: int
    window_s: float
    per_s: float
    idle: int
    few: int
    oldest_s: float


def growing(seen: Observations, least: float, window_s: float) -> Iterator[Growing]:
    """Of at least so many, steadily through the window, as far back as the kernel's clocks tell."""
    for group in _candidates(seen, least):
        rows = np.flatnonzero(seen.snapshot.ports.group == group)
        rows = rows[(seen.table.state[rows] == tcp.ESTABLISHED) & (seen.table.inode[rows] != 0)]
        first = seen.snapshot.holders.first(rows)
        for at_, number in zip(*np.unique(first[first >= 0], return_counts=True), strict=True):
            if number >= least:
                process = seen.snapshot.holders.processes[at_]
                found = _growing(seen, process, group, rows[first == at_], window_s)
                if found and not _passed_on(seen, found):
                    yield found


def _candidates(seen: Observations, least: float) -> list[int]:
    """Groups of so many ports that are more than some seconds ago."""
    ports, then = seen.snapshot.ports, seen.back(LEAST_S)
    many = np.flatnonzero(ports.used >= least)
    if then is None or not len(many):
        return []
    place = index_of(ports.key[many], then.destination)
    before = np.where(place >= 0, then.used[place] if len(then.used) else 0, 0)
    grown: list[int] = many[ports.used[many] > before].tolist()
    return grown


def _growing(
    seen: Observations, process: Process, group: int, rows: Index, window_s: float
) -> Growing | None:
    age = _age_s(seen, rows)
    youngest = np.sort(age)
    window_s = float(np.clip(youngest[min(BIRTHS, len(rows)) - 1], window_s, LONGEST_S))
    thirds = np.histogram(age, np.linspace(0, window_s, 4))[0]
    opened = int(thirds.sum())
    per_s = min(opened / window_s, _watched_per_s(seen, group, age, window_s))
    steady = thirds.min() >= STEADY * opened / 3 and per_s >= STEADY * opened / window_s
    if not opened or not steady or np.count_nonzero(_spared(seen, rows, age)) < MOSTLY * len(rows):
        return None
    idle, few = _idle(seen, rows), _few(seen, rows)
    oldest = max(float(age[np.isfinite(age)].max(initial=0.0)), seen.watched_s)
    return Growing(process, group, rows, opened, window_s, per_s, idle, few, oldest)


def _age_s(seen: Observations, rows: Index) -> F64:
    """Since they were opened; of those that were not seen to, since their last data: at least.
    Infinite where that is not known."""
    witnessed, table = seen.snapshot.age_s[rows], seen.table
    rested = np.fmin(table.since_s("last_data_sent", rows), table.since_s("last_data_recv", rows))
    # What was there at the first look and has sent a heartbeat since may be of any age; what had
    # its answer just then is young.
    old = np.where(
        rested < seen.watched_s - UNDER_WAY_S, np.inf, np.fmax(seen.snapshot.seen_s[rows], rested)
    )
    age: F64 = np.where(np.isnan(witnessed), old, witnessed)
    return age


def _watched_per_s(seen: Observations, group: int, age: F64, window_s: float) -> float:
    """By how many they became more a second while it was watched, those that ended taken off."""
    then = seen.back(min(max(seen.watched_s, LEAST_S), window_s))
    if then is None:
        return 0.0
    seconds = seen.sample.clock - then.clock
    key = int(seen.snapshot.ports.key[group])
    more = float(seen.snapshot.ports.used[group]) - (at(then.destination, then.used, key) or 0.0)
    return max(min(more, float(np.count_nonzero(age < seconds))), 0.0) / seconds


def _idle(seen: Observations, rows: Index) -> int:
    """Nothing is under way, and nothing was for a second."""
    table = seen.table
    rested = np.fmin(table.since_s("last_data_sent", rows), table.since_s("last_data_recv", rows))
    quiet = (table.send_q[rows] == 0) & (table.recv_q[rows] == 0) & (rested >= IDLE_S)
    return int(np.count_nonzero(quiet))


def _spared(seen: Observations, rows: Index, age: F64) -> Bools:
    """Nothing is under way, and little ever was: a request or two, and a heartbeat now and then."""
    table = seen.table
    quiet = (table.send_q[rows] == 0) & (table.recv_q[rows] == 0)
    beats = np.fmin(age, seen.snapshot.seen_s[rows]) * BEATS_PER_S
    few = ~(table.info_of("data_segs_out", rows) > FEW + beats)
    # Of those of unknown age it is what they send now that tells.
    little = np.isinf(age) & (seen.snapshot.bytes_sent_per_s[rows] < BEAT)
    spared: Bools = quiet & (few | little)
    return spared


def _few(seen: Observations, rows: Index) -> int:
    return int(np.count_nonzero(~(seen.table.info_of("data_segs_out", rows) > FEW)))


def _passed_on(seen: Observations, found: Growing) -> bool:
    """A proxy opens a connection for each that it accepts."""
    held = parties.held(seen, found.process)
    held = held[seen.accepted[held] & (seen.table.state[held] == tcp.ESTABLISHED)]
    young = np.count_nonzero(_age_s(seen, held) < found.window_s)
    return bool(young > STEADY * found.opened)
