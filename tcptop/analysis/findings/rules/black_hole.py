"""black-hole: what is sent is sent again and again, and nothing comes from the other side."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from tcptop.analysis import stalls, timeouts
from tcptop.analysis.findings import parties, words
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.rule import Limits, Need, Rule, Threshold
from tcptop.analysis.findings.subjects import named
from tcptop.model import address
from tcptop.model.arrays import row_hash
from tcptop.model.finding import Finding
from tcptop.model.table import F64, MAPPED, U64, Index, SocketTable

ID = "black-hole"
MOST = 20  # networks
V4_HOST = np.uint64(0xFF)  # a /24; an IPv6 network is the upper half of its address
SHORTER = 8  # what tcp_retries2 may be set to; RFC 1122 4.2.3.5 asks for 100 s at least


class Lost(NamedTuple):
    """Connections into one network; `where` is as near as they agree, `for_s` one of each."""

    where: str
    rows: Index
    for_s: F64


def find(seen: Observations, limits: Limits) -> Iterator[Finding]:
    table = seen.table
    rows = stalls.pending(table)
    rows = rows[np.isin(table.state[rows], stalls.TALKING)]
    if not len(rows):
        return
    for_s = stalls.unanswered_s(seen.snapshot, rows, limits["backoff"], limits["probes"])
    lost = for_s > limits["unanswered_s"]
    for each in _by_network(table, rows[lost], for_s[lost]):
        yield _finding(seen, each)


def _by_network(table: SocketTable, rows: Index, for_s: F64) -> Iterator[Lost]:
    """Those with the most connections."""
    hi, lo = _network(table, rows)
    key = row_hash(table.netns[rows], hi, lo)
    _, inverse, number = np.unique(key, return_inverse=True, return_counts=True)
    for group in np.argsort(-number, kind="stable")[:MOST].tolist():
        mine = inverse == group
        yield Lost(_where(table, rows[mine]), rows[mine], for_s[mine])


def _network(table: SocketTable, rows: Index) -> tuple[U64, U64]:
    hi, lo = table.remote_hi[rows], table.remote_lo[rows]
    v4 = (hi == 0) & (lo >> np.uint64(32) == MAPPED >> np.uint64(32))
    return hi, np.where(v4, lo & ~V4_HOST, np.uint64(0))


def _where(table: SocketTable, rows: Index) -> str:
    """The destination where all share it, else the address, else the network."""
    row = int(rows[0])
    hi, lo = table.remote_hi[rows], table.remote_lo[rows]
    if (hi == hi[0]).all() and (lo == lo[0]).all():
        if (table.remote_port[rows] == table.remote_port[row]).all():
            return words.remote(table, row)
        return address.text(int(hi[0]), int(lo[0]))
    first_hi, first_lo = (int(half[0]) for half in _network(table, rows))
    return f"{address.text(first_hi, first_lo)}/{24 if first_lo else 64}"


def _finding(seen: Observations, lost: Lost) -> Finding:
    table, rows, longest = seen.table, lost.rows, float(lost.for_s.max())
    found = parties.parties(seen, rows)
    waiting = int(table.send_q[rows].sum())
    who = f" of {parties.first_name(found)}" if found else ""
    left = stalls.give_up_in_s(seen.snapshot, int(rows[lost.for_s.argmax()]))
    hi, lo = (int(half[0]) for half in _network(table, rows))
    values = {"connections": len(rows), "send_q": waiting, "longest_s": longest}
    return Finding(
        ID,
        words.key(ID, int(table.netns[rows[0]]), address.text(hi, lo)),
        "critical",
        f"Nothing comes back from {lost.where}: {words.count(len(rows), 'connection')}{who} "
        f"retransmit{'s' if len(rows) == 1 else ''}",
        named(seen, rows, [each.process for each in found], None, lost.where),
        values | ({} if left is None else {"give_up_in_s": left}),
        tuple(_evidence(seen, lost, found, left)),
        _advice(seen, lost),
        f"ss -tinpo 'dst {words.in_filter(lost.where)}'",
        since=seen.sample.taken_at - longest,
    )


def _evidence(
    seen: Observations, lost: Lost, found: list[parties.Party], left: float | None
) -> Iterator[str]:
    table, rows = seen.table, lost.rows
    worst = int(rows[lost.for_s.argmax()])
    backoff = float(table.info_of("backoff", rows).max())
    yield (
        f"{words.count(len(rows), 'connection')} to {lost.where} retransmitted up to "
        f"{words.count(backoff, 'time')}, the wait doubled each time; nothing has come back for "
        f"{words.duration(float(lost.for_s.max()))}, not even an acknowledgement."
    )
    waiting = words.size(int(table.send_q[rows].sum()))
    yield f"{waiting} wait in Send-Q, {words.size(int(table.send_q[worst]))} on the oldest one."
    if found:
        yield f"{'They belong' if len(lost.rows) > 1 else 'It belongs'} to {parties.listed(found)}."
    if left is not None:
        yield (
            f"The kernel gives up the oldest in about {words.duration(left)} "
            f"(net.ipv4.tcp_retries2 = {_retries(seen, worst)}); until then its program is told "
            "nothing."
        )


def _advice(seen: Observations, lost: Lost) -> str:
    retries = _retries(seen, int(lost.rows[0]))
    sooner = timeouts.model_timeout_s(SHORTER, timeouts.RTO_MIN_S, timeouts.RTO_MAX_S)
    last = (
        f" Only if that cannot be done: net.ipv4.tcp_retries2 = {SHORTER} (now {retries}) gives up "
        f"after about {words.duration(sooner)}, for every connection of this namespace."
        if retries is not None and retries > SHORTER
        else ""
    )
    return (
        "Give requests a deadline, or the socket TCP_USER_TIMEOUT, and connect anew. If the "
        "connections had been idle, a firewall or NAT may have dropped them: keepalive below its "
        f"idle timeout. Else look for the hop: does a new connection to {lost.where} get an answer?"
        + last
    )


def _retries(seen: Observations, row: int) -> int | None:
    return seen.sysctl(int(seen.table.netns[row]), "net.ipv4.tcp_retries2")


RULE = Rule(
    ID,
    0,
    (
        Threshold("backoff", stalls.BACKOFF, "doublings of the retransmission timeout"),
        Threshold("unanswered_s", stalls.UNANSWERED_S, "seconds in which nothing came"),
        Threshold("probes", stalls.PROBES, "unanswered probes of a window that was shut"),
    ),
    find,
    frozenset({Need.TCP_INFO}),
)
