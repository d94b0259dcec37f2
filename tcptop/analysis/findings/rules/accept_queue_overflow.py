"""accept-queue-overflow: a process does not accept as fast as connections come."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from tcptop.analysis.findings import accept_queues, servers, words
from tcptop.analysis.findings.accept_queues import AcceptQueues
from tcptop.analysis.findings.observations import PATIENCE, Observations
from tcptop.analysis.findings.rule import Limits, Need, Rule, Threshold
from tcptop.analysis.findings.subjects import named
from tcptop.model.finding import SEVERITIES, Finding
from tcptop.model.table import Bools, Index

ID = "accept-queue-overflow"
MOST = 20  # findings of one sample


class Server(NamedTuple):
    """Listeners in trouble on one address; `fullest` is the worst of them, places in `queues`."""

    queues: AcceptQueues
    places: Index
    fullest: int
    siblings: int
    lost_per_s: float
    severity: str

    @property
    def critical(self) -> bool:
        return self.severity == "critical"

    @property
    def rows(self) -> Index:
        return self.queues.row[self.places]

    @property
    def row(self) -> int:
        return int(self.queues.row[self.fullest])

    @property
    def queued(self) -> int:
        return int(self.queues.queued[self.fullest])

    @property
    def capacity(self) -> int:
        return int(self.queues.capacity[self.fullest])


def find(seen: Observations, limits: Limits) -> Iterator[Finding]:
    queues = accept_queues.accept_queues(seen)
    if not ((queues.queued > 0) | (queues.lost_per_s > 0)).any():
        return
    over = _overflowing(seen, limits, queues)
    levels = _left(seen, limits, queues) | 2 * _nearly(seen, limits, queues) | 4 * over
    for server in _servers(seen, queues, levels):
        yield _finding(seen, limits, server)


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


def _left(seen: Observations, limits: Limits, queues: AcceptQueues) -> Bools:
    """Queues with room, in which somebody waits for long: a stopped server of few clients."""
    left: Bools = (queues.queued > 0) & (queues.capacity >= limits["least_capacity"])
    for place in np.flatnonzero(left).tolist():
        rows = accept_queues.waiting(seen, queues.members(place))
        waited = accept_queues.waited_s(seen, rows).max(initial=0.0)
        left[place] = waited >= limits["waited_s"]
    return left


def _servers(seen: Observations, queues: AcceptQueues, levels: Index) -> Iterator[Server]:
    """By address, the most lost first; `levels` has a bit for each severity."""
    places = np.flatnonzero(levels)
    worst = np.lexsort([-queues.queued[places], -queues.lost_per_s[places], -levels[places]])
    groups = dict.fromkeys(queues.group[places[worst]].tolist())
    for group in list(groups)[:MOST]:
        mine = places[queues.group[places] == group]
        fullest = int(mine[np.argmax(queues.queued[mine] / queues.capacity[mine])])
        siblings = int(np.count_nonzero(queues.group == group))
        lost = float(queues.lost_per_s[mine].sum())
        severity = SEVERITIES[int(levels[mine].max()).bit_length() - 1]
        yield Server(queues, mine, fullest, siblings, lost, severity)


def _finding(seen: Observations, limits: Limits, server: Server) -> Finding:
    table, row = seen.table, server.row
    processes = accept_queues.processes(seen, server.rows)
    waiting = accept_queues.waiting(seen, server.queues.members(server.fullest))
    oldest = float(accept_queues.waited_s(seen, waiting).max(initial=0.0))
    peak = int(seen.snapshot.listeners.peak[server.places].max())
    where = words.local(table, row)
    values = {"queued": server.queued, "capacity": server.capacity, "peak": peak}
    return Finding(
        ID,
        words.key(ID, int(table.netns[row]), where, int(table.interface[row])),
        server.severity,
        f"{servers.title(seen, row, processes)} is {_symptom(server, limits)}",
        named(seen, np.append(server.rows, waiting), processes, where),
        values | {"lost_per_s": server.lost_per_s, "oldest_s": oldest},
        tuple(_evidence(seen, server, oldest, peak, servers.named(processes))),
        _advice(seen, server, words.called(processes[0]) if processes else "the server"),
        f"ss -ltnm 'sport = {words.port(table, row)}'; "
        "nstat -az TcpExtListenOverflows TcpExtListenDrops",
    )


def _symptom(server: Server, limits: Limits) -> str:
    if server.lost_per_s >= 0.1:
        lost = words.number(server.lost_per_s)
        return f"too slow to accept: {lost} SYNs/s dropped (retries counted)"
    if server.critical:
        return f"too slow to accept: its queue is full ({server.queued} of {server.capacity})"
    if server.severity == "info":
        least = words.duration(limits["waited_s"])
        return f"slow to accept: {words.count(server.queued, 'connection')} wait, {least} or longer"
    share = words.percent(server.queued / server.capacity)
    return f"slow to accept: its queue is {share} full ({server.queued} of {server.capacity})"


def _evidence(
    seen: Observations, server: Server, oldest: float, peak: int, who: str
) -> Iterator[str]:
    table, row = seen.table, server.row
    yield (
        f"{server.queued} of the {server.capacity} connections that fit wait for accept() on "
        f"{words.local(table, row)} (peak {peak}); it is up to {who} to accept them."
    )
    if oldest > 0:
        yield f"The oldest of them has waited for at least {words.duration(oldest)}."
    if server.lost_per_s > 0:
        yield (
            f"This listener's drop counter and ListenOverflows rise together: "
            f"{words.number(server.lost_per_s)} packets/s. Each retry of a client counts."
        )
    elif server.critical and not np.isnan(dropped := table.drops(np.array([row]))[0]):
        yield f"It has dropped {words.count(dropped, 'packet')} since it listens."
    if server.siblings > 1:
        yield _siblings(server)
    yield servers.backlog(seen, row)


def _siblings(server: Server) -> str:
    said = (
        f"{len(server.places)} of {server.siblings} sockets that share the port (SO_REUSEPORT) "
        f"{'is' if len(server.places) == 1 else 'are'} so"
    )
    if len(server.places) == server.siblings:
        return f"{said}."
    return f"{said}; the others have room, but the kernel spreads connections by hash."


def _advice(seen: Observations, server: Server, who: str) -> str:
    first = (
        f"Let {who} accept faster: see what keeps it from calling accept() (a blocked or stopped "
        "process, work done in the accepting thread, a connection limit), and add workers. "
    )
    longer = servers.larger_backlog(seen, server.row)
    return f"{first}A longer queue only helps against bursts: {longer}."


RULE = Rule(
    ID,
    0,
    (
        Threshold("full_s", 1, "seconds for which the queue is full in every sample"),
        Threshold("least_capacity", 3, "connections that fit, below which being full is usual"),
        Threshold("share", 0.8, "share of the queue from which it is a warning"),
        Threshold("samples", 3, "samples in a row with that share"),
        Threshold("warn_capacity", 8, "connections that fit, below which that share is usual"),
        Threshold("waited_s", 10, "seconds that somebody waits in a queue with room (info)"),
    ),
    find,
    frozenset({Need.BACKLOG}),
)
