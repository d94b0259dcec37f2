"""accept-queue-overflow: a process accepts slower than connections come, or not at all."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tcptop.analysis.findings import accept_queues, slow_accept, unix_queues
from tcptop.analysis.findings.accept_queues import AcceptQueues, Waiters
from tcptop.analysis.findings.observations import PATIENCE, Observations
from tcptop.analysis.findings.rule import Limits, Need, Rule, Threshold
from tcptop.analysis.findings.slow_accept import ID, Server
from tcptop.model.arrays import distinct
from tcptop.model.finding import SEVERITIES, Finding
from tcptop.model.table import F64, I64, Bools, Index

MOST = 20  # findings of one sample
INFO, WARNING, CRITICAL = 1, 2, 4


def find(seen: Observations, limits: Limits) -> Iterator[Finding]:
    yield from unix_queues.find(seen, limits)
    if accept_queues.idle(seen):
        return
    queues = accept_queues.accept_queues(seen)
    if not ((queues.queued > 0) | (queues.lost_per_s > 0)).any():
        return
    over = _overflowing(seen, limits, queues)
    levels = WARNING * _nearly(seen, limits, queues) | CRITICAL * over
    levels, stalled = _harmed(seen, limits, queues, levels)
    for server in _servers(seen, limits, queues, levels, stalled):
        yield slow_accept.finding(seen, server)


def _overflowing(seen: Observations, limits: Limits, queues: AcceptQueues) -> Bools:
    seconds, _ = accept_queues.steady(seen, queues, 1.0)
    long = queues.full & (seconds >= limits["full_s"] * PATIENCE)
    tiny = queues.capacity < limits["least_capacity"]
    table = seen.table
    dropped = table.drops(queues.row) > 0
    if seen.watched_s < limits["full_s"] * PATIENCE:
        return (queues.lost_per_s > 0) | _stuck(seen, limits, queues, queues.full & dropped, tiny)
    # Between two retries of clients nothing is dropped: what was before tells of a tiny queue.
    stuck = _stuck(seen, limits, queues, long & (~tiny | dropped), long)
    return (queues.lost_per_s > 0) | stuck


def _stuck(
    seen: Observations, limits: Limits, queues: AcceptQueues, suspects: Bools, fleeting: Bools
) -> Bools:
    """The suspects, but of the `fleeting` ones those alone where somebody has waited for long.

    Where the queue's connections are not in the table that is not known.
    """
    stuck = suspects.copy()
    for place in np.flatnonzero(suspects & fleeting).tolist():
        rows = accept_queues.waiting(seen, queues.members(place))
        waited = accept_queues.waited_s(seen, rows)
        stuck[place] = not len(rows) or waited.max() >= limits["full_s"] * PATIENCE
    return stuck


def _nearly(seen: Observations, limits: Limits, queues: AcceptQueues) -> Bools:
    _, samples = accept_queues.steady(seen, queues, limits["share"])
    nearly: Bools = (samples >= limits["samples"]) & (queues.capacity >= limits["warn_capacity"])
    return nearly


def _harmed(
    seen: Observations, limits: Limits, queues: AcceptQueues, levels: I64
) -> tuple[I64, F64]:
    """The levels with those by harm: who has given up, who waits while nothing is accepted; and for
    how long nothing was.

    How full a queue is says little: a backlog of 4096 hides an outage.
    """
    stalled = np.zeros(len(queues.row))
    places = np.flatnonzero(queues.queued > 0).tolist()
    _, first, address, _ = distinct(queues.group[places])
    found = [accept_queues.waiters(seen, queues, places[place]) for place in first.tolist()]
    waiters = [found[number] for number in address.tolist()]
    for place, those in zip(places, waiters, strict=True):
        stalled[place] = accept_queues.stalled_s(seen, queues, place, those)
    for place, those in zip(places, waiters, strict=True):
        group = queues.group == queues.group[place]
        if _worst(queues, stalled, group, place):
            levels[place] |= _harm(seen, limits, queues, place, those, stalled[place])
    return levels, stalled


def _worst(queues: AcceptQueues, stalled: F64, group: Bools, place: int) -> bool:
    """Of the queues of one address those that stand still, else the longest one."""
    if stalled[group].any():
        return bool(stalled[place] > 0)
    return bool(queues.queued[place] == queues.queued[group].max())


def _harm(
    seen: Observations,
    limits: Limits,
    queues: AcceptQueues,
    place: int,
    waiters: Waiters,
    stalled_s: float,
) -> int:
    stands = stalled_s >= limits["stalled_s"] * PATIENCE
    if waiters.given_up(seen, limits["full_s"], stands) >= limits["given_up"]:
        return CRITICAL
    if queues.capacity[place] < limits["least_capacity"]:
        return 0
    old = waiters.oldest_s >= limits["waited_s"]
    if waiters.for_long(limits["waited_s"]) >= limits["long_waits"]:
        return CRITICAL
    many = queues.queued[place] >= limits["given_up"]
    if stands and (old or many):
        return CRITICAL if old and many else WARNING
    return INFO if old else 0


def _servers(
    seen: Observations, limits: Limits, queues: AcceptQueues, levels: I64, stalled: F64
) -> Iterator[Server]:
    """By address, the most lost first; `levels` has a bit for each severity."""
    places = np.flatnonzero(levels)
    worst = np.lexsort([-queues.queued[places], -queues.lost_per_s[places], -levels[places]])
    groups = dict.fromkeys(queues.group[places[worst]].tolist())
    for group in list(groups)[:MOST]:
        mine = places[queues.group[places] == group]
        fullest = int(mine[np.argmax(queues.queued[mine] / queues.capacity[mine])])
        yield _server(seen, limits, queues, mine, fullest, int(levels[mine].max()), stalled)


def _server(
    seen: Observations,
    limits: Limits,
    queues: AcceptQueues,
    mine: Index,
    fullest: int,
    level: int,
    stalled: F64,
) -> Server:
    waiters = accept_queues.waiters(seen, queues, fullest)
    stalled_s = float(stalled[mine].max())
    stands = stalled_s >= limits["stalled_s"] * PATIENCE
    return Server(
        queues=queues,
        places=mine,
        fullest=fullest,
        siblings=int(np.count_nonzero(queues.group == queues.group[fullest])),
        lost_per_s=float(queues.lost_per_s[mine].sum()),
        severity=SEVERITIES[level.bit_length() - 1],
        processes=accept_queues.processes(seen, queues.row[mine]),
        waiters=waiters,
        given_up=waiters.given_up(seen, limits["full_s"], stands),
        stalled_s=stalled_s if stands else 0.0,
    )


RULE = Rule(
    ID,
    0,
    (
        Threshold("full_s", 1, "seconds for which the queue is full in every sample"),
        Threshold("least_capacity", 3, "capacity below which a full queue is usual"),
        Threshold("share", 0.8, "share of the queue at which it is a warning"),
        Threshold("samples", 3, "samples in a row with that share"),
        Threshold("warn_capacity", 8, "capacity below which that share is usual"),
        Threshold("given_up", 3, "clients that gave up, or wait for a stalled accept()"),
        Threshold("stalled_s", 3, "seconds without an accept() while clients wait"),
        Threshold("waited_s", 10, "seconds of waiting at which it is reported (info)"),
        Threshold("long_waits", 10, "so many that wait that long: critical"),
    ),
    find,
    frozenset({Need.BACKLOG, Need.UNIX_QUEUES}),
)
