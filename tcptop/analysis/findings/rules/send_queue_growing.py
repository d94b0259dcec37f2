"""send-queue-growing: more is written than goes out, and the queue would take long to empty."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tcptop.analysis import stalls
from tcptop.analysis.findings import words
from tcptop.analysis.findings.groups import ConnectionGroup, grouped
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.rule import Limits, Need, Rule, Threshold
from tcptop.model.arrays import isin_codes
from tcptop.model.finding import Finding
from tcptop.model.table import Index

ID = "send-queue-growing"


def find(seen: Observations, limits: Limits) -> Iterator[Finding]:
    table, durations = seen.table, seen.snapshot.durations
    large = (durations.rises >= limits["samples"]) & (table.send_q >= limits["bytes"])
    rows = np.flatnonzero(large & isin_codes(table.state, stalls.TALKING))
    if len(rows):
        drain = stalls.drain_s(seen.snapshot, rows, limits["samples"])
        for group in grouped(seen, rows[drain > limits["drain_s"]]):
            yield _finding(seen, group)


def _finding(seen: Observations, group: ConnectionGroup) -> Finding:
    table, rows = seen.table, group.rows
    waiting, rate = int(table.send_q[rows].sum()), _rate(seen, rows)
    values = {"connections": len(rows), "send_q": waiting, "leaving_per_s": rate}
    return Finding(
        ID,
        group.key(ID),
        "warning",
        f"{group.who} writes faster than it can send {_where(seen, group)}: "
        f"{words.size(waiting)} wait in Send-Q",
        group.subject(seen),
        values | ({"drain_s": waiting / rate} if rate else {}),
        tuple(_evidence(seen, group, rate)),
        f"In {group.who}: stop writing when write() would block, and limit what is queued for each "
        "peer. If the peer's window is the limit, its program is slow; if the path is lossy or "
        "full, send less. A larger net.ipv4.tcp_wmem only queues more.",
        f"ss -tinp 'dst {words.in_filter(words.remote(seen.sample, int(rows[0])))}'",
    )


def _where(seen: Observations, group: ConnectionGroup) -> str:
    if group.destination:
        return f"to {group.destination}"
    if len(group.rows) == 1:
        return f"to client {words.remote(seen.sample, int(group.rows[0]))}"
    return f"to {len(group.rows)} clients of {group.listener}"


def _evidence(seen: Observations, group: ConnectionGroup, rate: float) -> Iterator[str]:
    table, rows = seen.table, group.rows
    waiting = int(table.send_q[rows].sum())
    drain = f": {words.duration(waiting / rate)} until it is empty" if rate else ""
    yield (
        f"Send-Q of {words.count(len(rows), 'connection')} rose through "
        f"{int(seen.snapshot.durations.rises[rows].min())} samples, to {words.size(waiting)}, "
        f"while {words.size(rate)}/s left{drain}."
    )
    busy = table.info_of("busy_time", rows)
    for name, why in (
        ("rwnd_limited", "The peer's window"),
        ("sndbuf_limited", "The send buffer"),
    ):
        share = table.info_of(name, rows).sum() / max(busy.sum(), 1)
        if share > 0.1:
            yield f"{why} limited it for {words.percent(share)} of the time it had data to send."


def _rate(seen: Observations, rows: Index) -> float:
    return float(np.nansum(stalls.leaving_per_s(seen.snapshot, rows)))


RULE = Rule(
    ID,
    5,
    (
        Threshold("samples", stalls.RISES, "samples through which Send-Q rose"),
        Threshold("bytes", stalls.QUEUE, "bytes that wait in Send-Q"),
        Threshold("drain_s", stalls.DRAIN_S, "seconds that these need at the present rate"),
    ),
    find,
    frozenset({Need.TCP_INFO}),
)
