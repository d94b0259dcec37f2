"""Requests of clients that wait inside a program of this host: in a pooler or proxy for one of its
own connections to a back end, in PostgreSQL for a lock."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from tcptop.analysis import stalls
from tcptop.analysis.findings.awaiting import awaiting
from tcptop.analysis.findings.groups import ConnectionGroup, by_place, grouped
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.rule import Limits
from tcptop.analysis.peers import peer_rows
from tcptop.model import tcp
from tcptop.model.arrays import isin_codes
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.sample import Process
from tcptop.model.table import F64, Bools, Index

POOLERS = ("pgbouncer", "odyssey")  # each request of theirs is one of a client's, and one segment
FRONTS = (*POOLERS, "haproxy", "squid")  # answer nothing themselves, and keep requests that wait
OLD = 0.5  # of them have waited for so long
FEWER = 0.25  # connections to the back end for each that waits: more, and each may have its own
MOST = 0.5  # of those to the back end: fewer in use, and it has room for more
FIRST_S = 2.0  # without any answer to a first request, of those before which haproxy queues
# What PostgreSQL adds to the title of a session that waits for a lock or for a standby
# (set_ps_display_suffix, src/backend/storage/lmgr/lock.c, src/backend/replication/syncrep.c).
WAITS, STANDBY = " waiting", " waiting for "
IDLE = ("idle in transaction (aborted)", "idle in transaction", "idle")


class QueuedRequests(NamedTuple):
    """Clients of one process whose requests it has read, for how long they have waited, and how
    many of them for long; its own connections by destination, and on how many of those a request
    is under way."""

    clients: ConnectionGroup
    waited_s: F64
    old: int
    backs: tuple[ConnectionGroup, ...]
    in_use: int
    sure: bool  # else idle connections may look the same

    @property
    def process(self) -> Process:
        return self.clients.processes[0]

    @property
    def pooler(self) -> bool:
        return self.process.name in POOLERS

    @property
    def connections(self) -> int:
        return sum(len(each.rows) for each in self.backs)

    @property
    def held(self) -> bool:
        """Whether its connections are not in use, and yet it takes none of them."""
        return bool(self.backs) and self.in_use < MOST * self.connections


def queues(seen: Observations, limits: Limits) -> Iterator[QueuedRequests]:
    rows, waited_s = awaiting(seen, called=False, alike=True)
    if len(rows) < limits["connections"]:
        return
    unlike, _ = awaiting(seen, called=False)
    asked, _ = awaiting(seen, called=True, least_s=0.0)
    for group in grouped(seen, rows):
        if len(group.rows) < limits["connections"]:
            return
        if len(group.processes) != 1:
            continue
        if group.processes[0].name not in POOLERS:
            group = group._replace(rows=group.rows[np.isin(group.rows, unlike)])
        found = _queue(seen, group, waited_s[np.searchsorted(rows, group.rows)], asked, limits)
        if found is not None:
            yield found


def _queue(
    seen: Observations, clients: ConnectionGroup, for_s: F64, asked: Index, limits: Limits
) -> QueuedRequests | None:
    many, process = limits["connections"], clients.processes[0]
    if len(clients.rows) < many:
        return None
    backs = _backs(seen, clients)
    # What nobody has acknowledged is under way, too.
    sent = seen.table.send_q > 0
    used = [int(np.count_nonzero(np.isin(each.rows, asked) | sent[each.rows])) for each in backs]
    old = int(np.count_nonzero(for_s >= limits["waited_s"]))
    queue = QueuedRequests(clients, for_s, old, tuple(backs), sum(used), process.name in POOLERS)
    long, without = old >= OLD * many, len(clients.rows) - queue.in_use >= many
    if not backs:
        alone = process.name in FRONTS and not _dials(seen, clients)
        return queue._replace(sure=True) if long and alone else None
    if queue.pooler:
        return queue if long and without else None
    first = int(np.count_nonzero(never_answered(seen, clients.rows) & (for_s >= FIRST_S)))
    if process.name == "haproxy" and first >= OLD * many and without and not queue.held:
        return queue._replace(sure=True)
    for back, in_use in zip(backs, used, strict=True):
        few = len(back.rows) <= FEWER * len(clients.rows)
        if long and few and in_use >= MOST * len(back.rows):
            return queue._replace(backs=(back,), in_use=in_use)
    return None


def never_answered(seen: Observations, rows: Index) -> Bools:
    """Clients that have never got a byte: neither TLS nor HTTP/2."""
    never: Bools = seen.table.tcp_info("data_segs_out")[rows] == 0
    return never


def _backs(seen: Observations, clients: ConnectionGroup) -> list[ConnectionGroup]:
    """Its own connections, the most first."""
    return grouped(seen, _own(seen, clients, stalls.TALKING))


def _dials(seen: Observations, clients: ConnectionGroup) -> bool:
    return len(_own(seen, clients, (tcp.SYN_SENT,))) > 0


def _own(seen: Observations, clients: ConnectionGroup, states: Sequence[int]) -> Index:
    """Connections that its process has opened."""
    table, processes = seen.table, seen.snapshot.holders.processes
    talking = isin_codes(table.state, states) & ~seen.accepted & (table.inode != 0)
    rows = np.flatnonzero(talking & (table.netns == clients.netns))
    first = seen.snapshot.holders.first(rows)
    mine = [at for at, each in enumerate(processes) if each == clients.processes[0]]
    own: Index = rows[np.isin(first, mine)]
    return own


def other_ends(seen: Observations, groups: Sequence[ConnectionGroup]) -> Counter[str]:
    """What PostgreSQL says of the sessions at the other ends, where these are on this host."""
    titles: Counter[str] = Counter()
    for group in groups:
        peers = peer_rows(seen.table, group.rows)
        for row in peers[peers >= 0].tolist():
            held = [each.cmdline for each in seen.processes(row) if each.name == "postgres"]
            said = (idle for idle in IDLE if held and held[0].rstrip().endswith(idle))
            titles.update([next(said, "")])
    del titles[""]
    return titles


class LockedSessions(NamedTuple):
    """Sessions of PostgreSQL at one port whose titles say that they wait, and for how long."""

    clients: ConnectionGroup
    waited_s: F64


def locked(seen: Observations, limits: Limits) -> Iterator[LockedSessions]:
    titled = [WAITS in each.cmdline for each in seen.snapshot.holders.processes]
    if not any(titled):
        return
    rows, waited_s = awaiting(seen, called=False, least_s=limits["waited_s"], alike=True)
    first = seen.snapshot.holders.first(rows)
    waits = np.array([*titled, False])[first]
    waits &= np.array([each.name == "postgres" for each in _holders(seen, first)], bool)
    for group in by_place(seen, rows[waits]):
        if len(group.rows) >= OLD * limits["connections"]:
            yield LockedSessions(group, waited_s[np.searchsorted(rows, group.rows)])


def _holders(seen: Observations, first: Index) -> Iterator[Process]:
    processes = seen.snapshot.holders.processes
    return (processes[at] for at in first.tolist())
