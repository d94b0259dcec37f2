"""The finding about a server that does not accept, or accepts too slowly: what it says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from tcptop.analysis.findings import doing, holdups, servers, words
from tcptop.analysis.findings.accept_queues import AcceptQueues, Waiters
from tcptop.analysis.findings.holdups import Holdup
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.served_meanwhile import others_answered
from tcptop.analysis.findings.subjects import named
from tcptop.model.finding import Finding
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.sample import Process
from tcptop.model.table import Index

ID = "accept-queue-overflow"
LEAST_LOST = 0.1  # SYNs a second that are told
FILLED = 0.5  # share of the queue from which a larger one may help
DRAINED = 0.5  # share of the queue below which it has been drained since the drops


class Server(NamedTuple):
    """Listeners in trouble on one address; `fullest` is the worst of them, places in `queues`.

    `stalled_s`: for how long nothing has been accepted; 0 where something was, or not known.
    """

    queues: AcceptQueues
    places: Index
    fullest: int
    siblings: int
    lost_per_s: float
    severity: str
    processes: Sequence[Process]
    waiters: Waiters
    given_up: int
    stalled_s: float

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

    @property
    def reset(self) -> int:
        """Of those that have given up, the ones that are in no dump any more."""
        return self.waiters.gone if self.stalled_s else 0

    @property
    def full(self) -> bool:
        return self.queued >= self.capacity

    @property
    def burst(self) -> bool:
        """Drops, though the queue is drained between samples."""
        drained = self.queued < DRAINED * self.capacity
        return self.lost_per_s >= LEAST_LOST and drained and not self.given_up


def finding(seen: Observations, server: Server) -> Finding:
    table, row = seen.table, server.row
    peak = int(seen.snapshot.listeners.peak[server.places].max())
    where = words.local(seen.sample, row)
    members, stands = server.queues.members(server.fullest), server.stalled_s > 0
    held_up = holdups.of_listener(seen, server.rows, members, server.processes, stands)
    values = {
        "queued": server.queued,
        "capacity": server.capacity,
        "peak": peak,
        "lost_per_s": server.lost_per_s,
        "oldest_s": server.waiters.oldest_s,
        "given_up": server.given_up,
        "stalled_s": server.stalled_s,
    }
    return Finding(
        ID,
        words.key(ID, int(table.netns[row]), where),
        server.severity,
        f"{_who(seen, server)} {_symptom(seen, server, held_up)}",
        named(seen, np.append(server.rows, server.waiters.rows), server.processes, where),
        values,
        tuple(_evidence(seen, server, peak, held_up)),
        _advice(seen, server, held_up),
        f"ss -ltnm '{words.served(seen.sample, row)}'; "
        "nstat -az TcpExtListenOverflows TcpExtListenDrops",
    )


def _who(seen: Observations, server: Server) -> str:
    """nginx on :8080; of a group that shares the port, with the pid of the one."""
    if server.siblings > 1 and len(server.processes) == 1:
        where = servers.where(seen.sample, server.row)
        return f"{words.name(server.processes[0])} on {where}"
    return servers.title(seen, server.row, server.processes)


def _symptom(seen: Observations, server: Server, held_up: Holdup) -> str:
    waiting = words.count(server.queued, "connection")
    lost = f"{words.number(server.lost_per_s)} SYNs/s dropped (retries included)"
    condition = doing.condition(seen, server.processes)
    if server.burst and not condition:
        return f"gets bursts longer than its backlog: {lost}"
    now = f"is {condition} and" if condition else "is"
    if server.stalled_s:
        whom = f", as it waits for {held_up.whom}" if held_up.whom and not condition else ""
        return f"{now} not accepting{whom}: {_waiting(server)}"
    if server.lost_per_s >= LEAST_LOST:
        return f"{now} too slow to accept: {lost}"
    if server.severity == "critical" and server.full:
        return f"{now} too slow to accept: its queue is full ({server.queued} of {server.capacity})"
    if server.severity == "critical":
        return f"{now} too slow to accept: {_waiting(server)}"
    if server.severity == "info":
        oldest = words.duration(server.waiters.oldest_s)
        return f"{now} slow to accept: {waiting} {_wait(server)}, the oldest for {oldest}"
    share = words.percent(server.queued / server.capacity)
    return f"{now} slow to accept: its queue is {share} full ({server.queued} of {server.capacity})"


def _wait(server: Server) -> str:
    return "waits" if server.queued == 1 else "wait"


def _waiting(server: Server) -> str:
    """60 connections wait, the oldest for 14 s; 203 wait, 200 clients have given up"""
    waiting = f"{words.count(server.queued, 'connection')} {_wait(server)}"
    if server.given_up and server.siblings == 1:
        many = "client has" if server.given_up == 1 else "clients have"
        return f"{waiting}, {words.number(server.given_up)} {many} given up"
    return f"{waiting}, the oldest for {words.duration(server.waiters.oldest_s)}"


def _evidence(seen: Observations, server: Server, peak: int, held_up: Holdup) -> Iterator[str]:
    row = server.row
    yield (
        f"{words.count(server.queued, 'connection')} {_wait(server)} for accept() on "
        f"{words.local(seen.sample, row)}, where {server.capacity} fit (peak {peak})."
        + (f" {servers.should_accept(server.processes)}" if held_up.serves else "")
    )
    yield from _waits(server)
    if server.stalled_s:
        yield f"None of them has been accepted for at least {words.duration(server.stalled_s)}."
    yield from doing.evidence(seen, server.processes)
    yield from held_up.evidence
    if server.lost_per_s > 0:
        yield (
            f"This listener's drop counter and ListenOverflows rise together, by "
            f"{words.number(server.lost_per_s)} packets/s. Each retry of a client counts."
        )
    elif server.severity == "critical" and (dropped := _dropped(seen, row)) > 0:
        yield f"It has dropped {words.count(dropped, 'packet')} since it started listening."
    if server.siblings > 1:
        yield _siblings(server)
    yield servers.backlog(seen, row)


def _dropped(seen: Observations, row: int) -> int:
    """0 where bare ACKs, which nobody misses, are among them (TCP_DEFER_ACCEPT)."""
    counters = seen.sample.kernel_of(int(seen.table.netns[row])).counters.get("TcpExt", {})
    deferred = counters.get("TCPDeferAcceptDrop", 0)
    return 0 if deferred else int(seen.table.memory_of("drops")[row])


def _waits(server: Server) -> Iterator[str]:
    waiters = server.waiters
    if waiters.oldest_s > 0:
        yield f"The oldest of them has waited for at least {words.duration(waiters.oldest_s)}."
    if server.given_up:
        of = " of all that wait at this address" if server.siblings > 1 else ""
        given_up = words.count(server.given_up, "client")
        gone = f" ({words.number(server.reset)} by a reset)" if server.reset else ""
        have = f"{_have(server.given_up)} given up"
        yield f"{given_up}{of} {have}: they closed before accept(){gone}."


def _have(number: int) -> str:
    return "has" if number == 1 else "have"


def _siblings(server: Server) -> str:
    said = (
        f"{len(server.places)} of {server.siblings} sockets that share the port (SO_REUSEPORT) "
        f"{'is' if len(server.places) == 1 else 'are'} affected"
    )
    if len(server.places) == server.siblings:
        return f"{said}."
    return f"{said}; the others have room, but the kernel picks the socket by hash."


def _advice(seen: Observations, server: Server, held_up: Holdup) -> str:
    who = words.called(server.processes[0]) if server.processes else "the server"
    remedy = doing.remedy(seen, server.processes)
    if remedy:
        return remedy
    if server.burst:
        return (
            f"Give it a larger backlog: {servers.larger_backlog(seen, server.row)}. {who} does "
            "accept, but more slowly than a burst arrives: a thread or loop that only accepts "
            "helps too."
        )
    if held_up.first:
        return held_up.first
    if server.stalled_s and _serves_older(seen, server):
        return (
            f"{who} answers older connections meanwhile, so it does not hang as a whole: the "
            "thread that accepts may have ended (an exception in its log), or all places are "
            f"taken by those: check {servers.own_limit(server.processes)}. What its threads do: "
            f"{servers.stacks(server.processes)}."
            if server.processes
            else "Find which process holds this listener, and why it accepts no more."
        )
    if server.stalled_s:
        return servers.hangs(server.processes)
    return servers.with_workers(server.processes) or _faster(seen, server, who)


def _serves_older(seen: Observations, server: Server) -> bool:
    rows = server.waiters.rows
    return len(rows) > 0 and others_answered(seen, rows, server.stalled_s)


def _faster(seen: Observations, server: Server, who: str) -> str:
    return (
        f"Find what keeps {who} from calling accept() (a blocked call, work done in the accepting "
        "thread, a connection limit, too little CPU), and give it more workers if it can use "
        f"them. {_room(seen, server)}"
    )


def _room(seen: Observations, server: Server) -> str:
    """No longer queue for what does not fill the present one."""
    peak = int(seen.snapshot.listeners.peak[server.places].max())
    if server.lost_per_s > 0 or max(peak, server.queued) >= FILLED * server.capacity:
        larger = servers.larger_backlog(seen, server.row)
        return f"A larger backlog only helps against bursts: {larger}."
    return "More backlog would only hide it: the queue has room."
