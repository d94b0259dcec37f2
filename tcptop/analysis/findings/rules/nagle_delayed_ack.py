"""nagle-delayed-ack: the last piece of each message waits for an acknowledgement that the peer
delays."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tcptop.analysis.findings import words
from tcptop.analysis.findings.groups import ConnectionGroup, grouped
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.rule import Limits, Need, Rule, Threshold
from tcptop.model.finding import Finding
from tcptop.model.table import Index

ID = "nagle-delayed-ack"
ASKED = 8  # sockets of a group whose TCP_NODELAY is read
ANSWER_MS = 1000  # a request that waits for its last piece is answered well within this


def find(seen: Observations, limits: Limits) -> Iterator[Finding]:
    for group in grouped(seen, _rows(seen, limits)):
        told = [_nodelay(seen, int(row)) for row in group.rows[:ASKED]]
        if True not in told or False in told:  # no Nagle where it is on
            yield _finding(seen, group, False in told, _answered(seen, group))


def _rows(seen: Observations, limits: Limits) -> Index:
    often = np.bitwise_count(seen.snapshot.durations.delayed) >= limits["samples"]
    rows = np.flatnonzero(often)
    least = seen.table.info_of("min_rtt", rows) / 1000  # rtt itself has the delay in it
    found: Index = rows[least < limits["min_rtt_ms"]]
    return found


def _nodelay(seen: Observations, row: int) -> bool | None:
    options = seen.options(row)
    return options.nodelay if options is not None else None


def _answered(seen: Observations, group: ConnectionGroup) -> bool:
    """Whether data comes back: a stream one way comes late, but nobody waits to go on."""
    return bool((seen.table.info_of("last_data_recv", group.rows) < ANSWER_MS).any())


def _finding(
    seen: Observations, group: ConnectionGroup, confirmed: bool, answered: bool
) -> Finding:
    rtt_ms = float(np.median(seen.table.info_of("min_rtt", group.rows))) / 1000
    many = words.count(len(group.rows), "connection")
    sure = "" if confirmed else " (suspected)"
    return Finding(
        ID,
        group.key(ID),
        "warning" if confirmed and answered else "info",
        f"{group.who}: Nagle and delayed ACKs hold back {many} {group.where}{sure}",
        group.subject(seen),
        {"connections": len(group.rows), "min_rtt_ms": rtt_ms},
        (
            "In at least three of five samples a partial segment waited for the ACK of another, "
            f"with the window open and a round trip of {rtt_ms:.2g} ms at best: Nagle's algorithm "
            "waits for the ACK, and the peer delays it by 40 ms or more.",
            "TCP_NODELAY is off (read from the socket)."
            if confirmed
            else "Whether TCP_NODELAY is off could not be read.",
            *(
                []
                if answered
                else ["No data comes back: a one-way stream, delayed by that but no slower."]
            ),
        ),
        f"In {group.who} write each message with one write() or writev(), or set TCP_NODELAY. If "
        "only the receiver can be changed: TCP_QUICKACK there, after each read. Every "
        "write-write-read exchange pays the delay; no sysctl turns it off.",
        "ss -tnmi state established | grep -B1 notsent",
    )


RULE = Rule(
    ID,
    5,
    (
        Threshold("samples", 3, "of the last five samples that must show it"),
        Threshold("min_rtt_ms", 10, "round trip below which the delay is not the network's"),
    ),
    find,
    frozenset({Need.TCP_INFO}),
)
