"""Closed connections to one server that retransmit in vain: a few tell that it fell silent.

Their programs have given up and closed; the kernel goes on alone (FIN_WAIT1, LAST_ACK, CLOSING).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice

import numpy as np

from tcptop.analysis import timeouts
from tcptop.analysis.findings import orphans, words
from tcptop.analysis.findings.awaiting import PLACE
from tcptop.analysis.findings.ends import ends
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.orphans import Orphans
from tcptop.model import tcp
from tcptop.model.arrays import row_hash, rows_by_key
from tcptop.model.finding import Finding
from tcptop.model.table import F64, Bools, Index

BACKOFF = 3  # doublings of the timeout: a lost segment or two is none
MOST = 20  # places
STATE = (
    "Others there had an answer in that time, so the path is not dead: look for something on it (a "
    "firewall, a load balancer, NAT) that has dropped these connections and is silent about it, or "
    "for one of several servers that is gone. A capture at both ends (tcpdump) shows which. "
)
SILENT = (
    "The server sends nothing back: it is gone, or a firewall on the path drops the packets or has "
    "dropped the connections. Does a new connection to it work? "
)
LAST = "These end when the kernel gives them up, and need nothing else."


def find(
    seen: Observations, rule: str, least: float, age_s: float, told: set[int]
) -> Iterator[Finding]:
    """One for each place that was called from here; of namespaces that were `told` as a whole none
    is."""
    table = seen.table
    every = orphans.rows(seen)
    if len(every) < least:
        return
    again = (table.timer[every] == tcp.RETRANSMIT) & (table.info_of("backoff", every) >= BACKOFF)
    every = every[again & ~seen.accepted[every] & ~np.isin(table.netns[every], list(told))]
    age = _unanswered_s(seen, every)
    every, age = every[age >= age_s], age[age >= age_s]
    places = row_hash(*(getattr(table, name)[every] for name in PLACE))
    for at in islice(rows_by_key(np.arange(len(every)), places), MOST):
        if len(at) < least:
            return
        yield _finding(seen, rule, every[at], age[at])


def _unanswered_s(seen: Observations, rows: Index) -> F64:
    part = seen.table.take(rows)
    each = zip(
        part.tcp_info("rto").tolist(),
        part.tcp_info("backoff").tolist(),
        part.expires.tolist(),
        strict=True,
    )
    return np.array([timeouts.retransmitting_for_s(*one) for one in each], np.float64)


def _finding(seen: Observations, rule: str, rows: Index, age_s: F64) -> Finding:
    netns, none = int(seen.table.netns[rows[0]]), np.zeros(len(rows), bool)
    who = orphans.processes(seen, rows)
    found = Orphans(rows, age_s, none, ends(seen, rows), who)
    told = orphans.finding(seen, rule, netns, found)
    others = int(np.count_nonzero(_answering(seen, int(rows[0]), float(age_s.max()))))
    there, to = found.ends.destination or "", words.count(others, "other connection")
    said = f"{to} there had an answer or ended at both ends in that time." if others else ""
    return replace(
        told,
        key=words.key(rule, "orphans", netns, there),
        severity="info" if others > len(rows) else "warning",
        values={**told.values, "answering": others},
        evidence=(*told.evidence, *([said] if said else [])),
        advice=(STATE if others else SILENT) + LAST,
        confirm=f"ss -tanoi state fin-wait-1 state last-ack state closing "
        f"'dst {words.in_filter(there)}'",
    )


def _answering(seen: Observations, row: int, within_s: float) -> Bools:
    """Others to the same place that the server acknowledged since, or that ended at both ends."""
    table = seen.table
    there = ~seen.accepted & (table.state != tcp.LISTEN)
    for name in PLACE:
        there &= getattr(table, name) == getattr(table, name)[row]
    closed = table.state == tcp.TIME_WAIT
    ended = closed & (table.time_wait_ms() < within_s * 1000)
    heard = (table.state == tcp.ESTABLISHED) & (table.since_s("last_ack_recv") < within_s)
    answering: Bools = there & (ended | heard)
    return answering
