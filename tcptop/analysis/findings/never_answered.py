"""New connections to a server that answers the first bytes of each at once, or speaks first, and
has not.

PostgreSQL answers an SSLRequest or a start message, SQL Server a prelogin, before they do anything
else: who gets not one byte is stuck at the door, and no long query and no long poll is to blame.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tcptop.analysis.dialing import callee
from tcptop.analysis.findings import ungreeted, words
from tcptop.analysis.findings.awaiting import calls_awaiting
from tcptop.analysis.findings.deferred import SPEAKS_FIRST
from tcptop.analysis.findings.groups import ConnectionGroup, by_place
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.unanswered import is_here
from tcptop.model import tcp
from tcptop.model.arrays import isin_ports
from tcptop.model.finding import Finding
from tcptop.model.table import F64

ANSWERS_AT_ONCE = {1433: "SQL Server", 5432: "PostgreSQL", 6432: "PgBouncer"}
OLDEST_S = 5.0
WAITED_S = 2.0  # of each that counts


def never_answered(seen: Observations, id: str, few: float) -> Iterator[Finding]:
    rows, waited_s = calls_awaiting(seen)
    if len(rows) < few:
        return
    known = isin_ports(seen.table.remote_port[rows], ANSWERS_AT_ONCE)
    none = known & (seen.table.info_of("bytes_received", rows) == 0) & (waited_s >= WAITED_S)
    rows, waited_s = rows[none], waited_s[none]
    for group in by_place(seen, rows):
        for_s = waited_s[np.searchsorted(rows, group.rows)]
        if len(group.rows) >= few and for_s.max() >= OLDEST_S:
            yield _finding(seen, id, group, for_s)


def never_greeted(seen: Observations, id: str, few: float) -> Iterator[Finding]:
    table = seen.table
    rows = np.flatnonzero((table.state == tcp.ESTABLISHED) & ~seen.accepted)
    rows = ungreeted.waiting(seen, rows)
    for group in by_place(seen, rows) if len(rows) >= few else ():
        for_s = table.since_s("last_data_sent", group.rows)
        if len(group.rows) >= few and for_s.max() >= OLDEST_S:
            yield _not_greeted(seen, id, group, for_s)


def _not_greeted(seen: Observations, id: str, group: ConnectionGroup, for_s: F64) -> Finding:
    oldest, many = words.duration(float(for_s.max())), words.number(len(group.rows))
    port, there = int(seen.table.remote_port[group.rows[0]]), group.destination or ""
    return Finding(
        id,
        words.key(id, group.netns, there),
        "warning",
        f"{there} does not greet {many} new connections of {group.who}: not a byte has come, the "
        f"oldest waits for {oldest}",
        group.subject(seen),
        {"connections": len(group.rows), "longest_s": float(for_s.max())},
        (
            f"{group.in_full} has {many} connections {group.where} that are open, and on which "
            f"nothing has gone either way for {words.duration(ungreeted.LEAST_S)} or longer, the "
            f"oldest for {oldest}. The port is usually that of {SPEAKS_FIRST[port]}, where the "
            "server speaks first.",
        ),
        ungreeted.advice(there, is_here(seen, callee(seen.table, int(group.rows[0])))),
        f"ss -tinp state established 'dst {words.in_filter(there)}'",
        since=seen.sample.taken_at - float(for_s.max()),
    )


def _finding(seen: Observations, id: str, group: ConnectionGroup, for_s: F64) -> Finding:
    oldest, many = words.duration(float(for_s.max())), words.number(len(group.rows))
    server = ANSWERS_AT_ONCE[int(seen.table.remote_port[group.rows[0]])]
    return Finding(
        id,
        words.key(id, group.netns, group.destination),
        "warning",
        f"{group.destination} does not answer {many} new connections of {group.who}: not a byte "
        f"has come, the oldest waits for {oldest}",
        group.subject(seen),
        {"connections": len(group.rows), "longest_s": float(for_s.max())},
        (
            f"{group.in_full} has {many} connections {group.where} on which everything sent is "
            "acknowledged and not one byte has come since they were opened: the other kernel has "
            f"it. Each has waited for {words.duration(WAITED_S)} or longer, the oldest for "
            f"{oldest}.",
            f"The port is usually that of {server}, which answers the first bytes of a client at "
            "once, before it looks at who it is: no query is slow here, the connection is not yet "
            "taken up.",
        ),
        f"On the host of {group.destination} see what a process of {server} does for a new client: "
        "it may look up the client's name (log_hostname, a DNS server that does not answer), "
        "cannot be started, or stands still; the log there may say which. Here: set a connect "
        "timeout in the client, and keep connections in a pool.",
        f"ss -tinp state established 'dst {words.in_filter(group.destination or '')}'",
        since=seen.sample.taken_at - float(for_s.max()),
    )
