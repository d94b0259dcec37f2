"""requests-queued: a proxy or a pooler has read requests and has no connection to pass them on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from tcptop.analysis import stalls
from tcptop.analysis.findings import doing, words
from tcptop.analysis.findings.awaiting import awaiting
from tcptop.analysis.findings.groups import ConnectionGroup, grouped
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.rule import Limits, Need, Rule, Threshold
from tcptop.model.arrays import isin_codes
from tcptop.model.finding import Finding
from tcptop.model.table import F64, Index

ID = "requests-queued"
OLD = 0.5  # of them have waited for so long
FEWER = 0.25  # connections to the back end for each that waits: more, and each may have its own
MOST = 0.5  # of those to the back end: fewer in use, and it has room for more
POOLS = {
    "pgbouncer": (
        "See SHOW POOLS (cl_waiting, maxwait) and what holds its server connections: slow queries, "
        "transactions left open. Then raise default_pool_size as far as the database allows; and "
        "set query_wait_timeout, so that clients fail soon."
    ),
    "odyssey": (
        "See SHOW POOLS and what holds its server connections: slow queries, transactions left "
        "open. Then raise pool_size as far as the database allows; set pool_timeout, so that "
        "clients fail soon."
    ),
}
HAPROXY = (
    "See qcur and scur of its servers (show stat): they are at their maxconn. Make the back end "
    "faster, or raise maxconn of its server lines as far as the back end allows; with a shorter "
    "timeout queue clients fail sooner."
)
OTHERWISE = (
    "Find what {there} does with its requests: slow queries, locks, a limit of its own. Then "
    "enlarge the pool of {who} as far as the back end allows, and limit how long a request may "
    "wait there."
)


class _Busy(NamedTuple):
    """Connections of clients that wait, for how long; and those to a back end, of which `in_use`
    have a request under way."""

    clients: ConnectionGroup
    waited_s: F64
    old: int
    back: ConnectionGroup
    in_use: int


def find(seen: Observations, limits: Limits) -> Iterator[Finding]:
    rows, waited_s = awaiting(seen, called=False)
    if len(rows) < limits["connections"]:
        return
    asked, _ = awaiting(seen, called=True, least_s=0.0)
    if not len(asked):
        return
    for group in grouped(seen, rows):
        if len(group.rows) < limits["connections"]:
            return
        for_s = waited_s[np.searchsorted(rows, group.rows)]
        old = int(np.count_nonzero(for_s >= limits["waited_s"]))
        back = _back_end(seen, group, asked) if old >= OLD * limits["connections"] else None
        if back is not None:
            yield _finding(seen, limits, _Busy(group, for_s, old, *back))


def _back_end(
    seen: Observations, clients: ConnectionGroup, asked: Index
) -> tuple[ConnectionGroup, int] | None:
    """Its connections to one, where those are few, and on how many of them a request is under way:
    those that are `asked`."""
    if len(clients.processes) != 1:
        return None
    table, processes = seen.table, seen.snapshot.holders.processes
    talking = isin_codes(table.state, stalls.TALKING) & ~seen.accepted & (table.inode != 0)
    rows = np.flatnonzero(talking & (table.netns == clients.netns))
    first = seen.snapshot.holders.first(rows)
    mine = [at for at, each in enumerate(processes) if each == clients.processes[0]]
    for back in grouped(seen, rows[np.isin(first, mine)]):
        in_use = int(np.isin(back.rows, asked).sum())
        few = len(back.rows) <= FEWER * len(clients.rows)
        if few and in_use >= MOST * len(back.rows):
            return back, in_use
    return None


def _finding(seen: Observations, limits: Limits, busy: _Busy) -> Finding:
    clients, back, longest = busy.clients, busy.back, float(busy.waited_s.max())
    number, oldest = len(clients.rows), words.duration(longest)
    under_way = words.count(busy.in_use, "request is", "requests are")
    pooler = clients.processes[0].name in POOLS
    # Of others an idle HTTP/2 connection, whose last word was the client's, looks the same.
    waits = "wait for an answer" if pooler else "sent something and have no answer yet"
    return Finding(
        ID,
        clients.key(ID),
        "warning" if pooler else "info",
        f"{words.count(number, 'client')} of {clients.who} on {clients.listener} {waits}, the "
        f"oldest for {oldest}: {under_way} under way to {back.destination}",
        clients.subject(seen),
        {"connections": number, "longest_s": longest, "in_use": busy.in_use},
        (
            f"{clients.in_full} has read the data of {words.count(number, 'connection')} "
            f"{clients.where} and has sent nothing back since: on {words.number(busy.old)} for "
            f"{words.duration(limits['waited_s'])} or longer, on the oldest for {oldest}.",
            f"It has {words.count(len(back.rows), 'connection')} to {back.destination}, and on "
            f"{words.number(busy.in_use)} a request is under way.",
            *doing.evidence(seen, clients.processes),
        ),
        doing.remedy(seen, clients.processes) or _advice(clients, back),
        f"ss -tinp state established '( sport = {clients.listener} or dst "
        f"{words.in_filter(back.destination or '')} )'",
        since=seen.sample.taken_at - longest,
    )


def _advice(clients: ConnectionGroup, back: ConnectionGroup) -> str:
    name = clients.processes[0].name
    known = {**POOLS, "haproxy": HAPROXY}.get(name)
    return known or OTHERWISE.format(there=back.destination, who=clients.who)


RULE = Rule(
    ID,
    0,
    (
        Threshold("connections", 10, "clients of one process that wait"),
        Threshold("waited_s", 10, "seconds that half as many of them have waited"),
    ),
    find,
    frozenset({Need.TCP_INFO, Need.OWNERS}),
)
