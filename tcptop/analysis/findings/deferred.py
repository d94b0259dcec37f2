"""Handshakes that are over for the client, and half-open here: TCP_DEFER_ACCEPT waits for its data.

Once the final ACK has come the kernel repeats no SYN-ACK, but for the last of the time that was
asked for (syn_ack_recalc, net/ipv4/inet_connection_sock.c), while its timer doubles as ever: a
half-open row whose timer has run out, and which was sent no second SYN-ACK, has been acknowledged.
The bare ACK counts in TCPDeferAcceptDrop and as a drop of the listener.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tcptop.analysis.findings import accept_queues, networks, servers, syn_queues, words
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.rule import Limits
from tcptop.analysis.findings.subjects import named
from tcptop.model import tcp
from tcptop.model.arrays import rows_by_key
from tcptop.model.finding import Finding
from tcptop.model.table import F64, Index

LEAST_S = 3.0  # two timers have run out: data that follows its ACK is there in a round trip
DROPPED = "TCPDeferAcceptDrop"
SPEAKS_FIRST = {
    21: "FTP",
    22: "SSH",
    25: "SMTP",
    110: "POP3",
    119: "NNTP",
    143: "IMAP",
    587: "SMTP",
    3306: "MySQL",
    4190: "ManageSieve",
    5900: "VNC",
}
WITHOUT = (
    "take TCP_DEFER_ACCEPT from this listener (defer-accept of haproxy's bind, deferred of nginx' "
    "listen, AcceptFilter of Apache) and start it again"
)


def half_open(seen: Observations, listeners: Index | None = None) -> Index:
    """Those that have been acknowledged and wait for their first data, for LEAST_S or longer."""
    rows = syn_queues.half_open(seen, listeners)
    rows = rows[(seen.table.retrans[rows] == 0) & (seen.snapshot.queue[rows] >= 0)]
    old: Index = rows[age_s(seen, rows) >= LEAST_S] if len(rows) else rows
    return old


def age_s(seen: Observations, rows: Index) -> F64:
    """As it was watched, else at least what the timer tells: the wait is 1 s at first, and doubles
    each time that it runs out."""
    left = np.maximum(seen.table.expires[rows] / 1000, 1.0)
    wait = 2.0 ** np.ceil(np.log2(left))
    told = np.where(wait > 1, wait - 1 + wait - left, 0.0)
    watched = seen.snapshot.age_s[rows]
    age: F64 = np.where(np.isnan(watched), told, watched)
    return age


def findings(seen: Observations, rule: str, limits: Limits) -> Iterator[Finding]:
    rows = half_open(seen)
    if len(rows) < limits["handshakes"]:
        return
    for group in rows_by_key(rows, seen.table.key[seen.snapshot.queue[rows]]):
        if len(group) >= limits["handshakes"] and bare_acks(seen, group) >= len(group):
            yield _finding(seen, rule, limits, group)


def bare_acks(seen: Observations, rows: Index) -> int:
    """How many their listener has ignored, at most. Where there were fewer than such rows, maybe
    the SYN-ACKs of these cannot be sent again."""
    table, listener = seen.table, int(seen.snapshot.queue[rows[0]])
    netns = int(table.netns[listener])
    counted = seen.sample.kernel_of(netns).counters.get("TcpExt", {}).get(DROPPED, 0)
    queues = accept_queues.accept_queues(seen)
    places = np.flatnonzero(queues.row == listener)
    members = queues.members(int(places[0])) if len(places) else np.array([listener])
    if not table.memory_known("drops")[members].all():
        return counted
    return min(counted, int(table.memory_of("drops")[members].sum()))


def _finding(seen: Observations, rule: str, limits: Limits, rows: Index) -> Finding:
    table, row = seen.table, int(seen.snapshot.queue[rows[0]])
    where, port = words.local(seen.sample, row), int(table.local_port[row])
    holders = accept_queues.processes(seen, np.array([row]))
    oldest, open_ = float(age_s(seen, rows).max()), len(_open(seen, row))
    return Finding(
        rule,
        words.key(rule, int(table.netns[row]), where, "deferred"),
        _severity(port, len(rows), open_, limits),
        f"{servers.title(seen, row, holders)} waits for the first data of "
        f"{words.count(len(rows), 'client')} before it takes the connection: TCP_DEFER_ACCEPT",
        named(seen, np.append(rows, row), holders, where),
        {"deferred": len(rows), "oldest_s": oldest, "established": open_},
        (
            f"{words.number(len(rows))} half-open connections from "
            f"{networks.where(seen.sample, rows, with_port=False)} have waited for "
            f"{words.duration(LEAST_S)} or longer, the oldest for about {words.duration(oldest)}, "
            "and no SYN-ACK was retransmitted: their final ACKs have come. For these clients the "
            "connection is open.",
            f"A listener with TCP_DEFER_ACCEPT hands over no connection without data, and ignores "
            f"bare ACKs ({DROPPED}, and its own drop counter).",
            f"{words.number(open_)} other connections to this port are open."
            if open_ > 1
            else f"{'One' if open_ else 'No'} other connection to this port is open.",
        ),
        advice(port),
        f"ss -tano state syn-recv '{words.served(seen.sample, row)}'; nstat -az TcpExt{DROPPED}",
        since=seen.sample.taken_at - oldest,
    )


def _severity(port: int, number: int, open_: int, limits: Limits) -> str:
    """Browsers connect ahead of their requests, and are well."""
    if port not in SPEAKS_FIRST:
        return "info"
    return "critical" if number >= limits["critical"] and not open_ else "warning"


def _open(seen: Observations, listener: int) -> Index:
    table = seen.table
    there = (table.local_port == table.local_port[listener]) & (table.state == tcp.ESTABLISHED)
    found: Index = np.flatnonzero(there & (table.netns == table.netns[listener]))
    return found


def advice(port: int) -> str:
    name = SPEAKS_FIRST.get(port)
    if name:
        return (
            f"With {name} the server speaks first, and its clients wait for that: {WITHOUT}. "
            "Routes, firewalls and the backlog are not the cause."
        )
    return (
        "Where clients send first, as of HTTP, they have connected ahead of a request and are "
        f"well. Where they wait for the server's greeting, {WITHOUT}."
    )
