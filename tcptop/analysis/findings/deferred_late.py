"""Connections that are accepted a second late, or more, as TCP_DEFER_ACCEPT waited for their data.

At the end of the time that was asked for the kernel sends the SYN-ACK again, and takes the bare ACK
that answers it (syn_ack_recalc, net/ipv4/inet_connection_sock.c). Its repeats count in
total_retrans of what is accepted (tcp_create_openreq_child, net/ipv4/tcp_minisocks.c), and have no
byte for bytes_retrans. Where they are lost instead, TCPDeferAcceptDrop does not rise.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tcptop.analysis.findings import accept_queues, deferred, listening, servers, words
from tcptop.analysis.findings.ended import lately
from tcptop.analysis.findings.how_ended import accepted
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.subjects import named
from tcptop.model import tcp
from tcptop.model.arrays import sorted_unique
from tcptop.model.finding import Finding
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.table import U64, Bools

WINDOW_S, LEAST = 30.0, 5  # so many connections within which they are told
MOSTLY, SURE = 0.5, 0.8  # of those that were accepted there; of the late ones, by counters
SLOW_US = 900_000.0  # a round trip that takes as long: the first SYN-ACK was answered, and late


class Accepted(NamedTuple):
    """Of one namespace, in the window: their port, and whether their SYN-ACK was sent again."""

    port: U64
    late: Bools


def findings(seen: Observations, rule: str) -> Iterator[Finding]:
    seconds = min(WINDOW_S, seen.watched_s)
    for netns in (kernel.netns for kernel in seen.sample.kernel):
        names = (deferred.DROPPED, "TCPSynRetrans")
        most = min(seen.surely_grown(netns, name, seconds) for name in names)
        if most < LEAST:
            continue
        every = _accepted(seen, netns, seconds)
        for port in sorted_unique(every.port[every.late]).tolist():
            there = every.port == port
            number, of = int(np.count_nonzero(every.late[there])), int(np.count_nonzero(there))
            if number >= max(LEAST, MOSTLY * of) and most >= SURE * number:
                yield from _told(seen, rule, netns, port, number, of)


def _accepted(seen: Observations, netns: int, seconds: float) -> Accepted:
    table, closed = seen.table, lately(seen, seconds)
    rows = np.flatnonzero(seen.accepted & (table.state == tcp.ESTABLISHED) & (table.netns == netns))
    rows = rows[seen.snapshot.age_s[rows] <= seconds]
    over = closed.opened & (closed.netns == netns) & accepted(seen, closed)
    closed = closed.take(over & ~(closed.at - closed.life_s < seen.sample.taken_at - seconds))
    again, bytes_, rtt = (
        np.concatenate([table.info_of(name, rows), closed.known(name)])
        for name in ("total_retrans", "bytes_retrans", "min_rtt")
    )
    port = np.concatenate([table.local_port[rows], closed.local_port]).astype(np.uint64)
    return Accepted(port, (again > 0) & (bytes_ == 0) & (rtt < SLOW_US))


def _told(
    seen: Observations, rule: str, netns: int, port: int, number: int, of: int
) -> Iterator[Finding]:
    rows = listening.on_port(seen.table, netns, port)
    if not len(rows):
        return
    row = int(rows[0])
    where, holders = words.local(seen.sample, row), accept_queues.processes(seen, rows)
    within = words.duration(min(WINDOW_S, seen.watched_s))
    yield Finding(
        rule,
        words.key(rule, netns, where, "late"),
        "warning" if port in deferred.SPEAKS_FIRST else "info",
        f"{words.number(number)} of {words.count(of, 'connection')} to "
        f"{servers.title(seen, row, holders)} were taken a second late, or more: TCP_DEFER_ACCEPT",
        named(seen, rows, holders, where),
        {"late": number, "accepted": of},
        (
            f"{words.number(number)} of the {words.count(of, 'connection')} that port {port} has "
            f"accepted in the last {within} retransmitted their SYN-ACK and nothing else "
            "(total_retrans without bytes_retrans); the kernel waits a second before it does.",
            "Their final ACKs had come: TCPDeferAcceptDrop rises about as often. A listener with "
            "TCP_DEFER_ACCEPT waits so long for first data before it takes a connection without.",
        ),
        deferred.advice(port),
        f"nstat -az TcpExt{deferred.DROPPED} TcpExtTCPSynRetrans TcpPassiveOpens; "
        f"ss -tano state syn-recv '{words.served(seen.sample, row)}'",
    )
