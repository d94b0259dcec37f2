"""half-closed: one end has closed, the other does not finish, and it stays that way.

FIN_WAIT2 with a descriptor open has no timer; what was closed with close() is a mini-socket
without an inode that goes by itself (tcp_fin_timeout). FIN_WAIT1, LAST_ACK and CLOSING wait for
the acknowledgement of our FIN, without a process as orphans.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import numpy as np

from tcptop.analysis import timeouts
from tcptop.analysis.findings import parties, words
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.rule import Limits, Need, Rule, Threshold
from tcptop.analysis.findings.subjects import named
from tcptop.analysis.peers import peer_rows
from tcptop.model import tcp
from tcptop.model.arrays import row_hash, rows_by_key
from tcptop.model.finding import Finding
from tcptop.model.table import F64, U32, Bools, Index

ID = "half-closed"
ORPHANED = (tcp.FIN_WAIT1, tcp.LAST_ACK, tcp.CLOSING)
MOST = 20  # processes: those with most


def find(seen: Observations, limits: Limits) -> Iterator[Finding]:
    table = seen.table
    held = (table.state == tcp.FIN_WAIT2) & (table.inode != 0)
    if np.count_nonzero(held) >= limits["sockets"]:
        yield from _held(seen, limits, np.flatnonzero(held))
    orphaned = np.isin(table.state, ORPHANED) & (table.inode == 0)
    if np.count_nonzero(orphaned) >= limits["sockets"]:
        yield from _orphans(seen, limits, np.flatnonzero(orphaned))


def _held(seen: Observations, limits: Limits, rows: Index) -> Iterator[Finding]:
    """By process and namespace."""
    table = seen.table
    rows = rows[table.ulp[rows] != b"mptcp"]  # subflows end when the connection of all of them does
    age = _silent(seen, rows)
    old = age >= limits["age_s"]
    rows, age = rows[old], age[old]
    process = seen.snapshot.holders.first(rows)
    key = row_hash(process + 1, table.netns[rows])
    for at in islice(rows_by_key(np.arange(len(rows)), key), MOST):
        if len(at) >= limits["sockets"]:
            yield _held_finding(seen, rows[at], float(age[at].max()))


def _silent(seen: Observations, rows: Index) -> F64:
    """Seconds, at least, without a segment of data since our FIN was acknowledged.

    Nothing but answers to keepalive has come since then, so last_ack_recv is a lower bound. Who
    closes his half and goes on reading what still comes is well.
    """
    acked = seen.table.since_s("last_ack_recv", rows)
    age = np.fmax(seen.snapshot.durations.state_s[rows], acked)
    silent: F64 = np.fmin(age, seen.table.since_s("last_data_recv", rows))
    return silent


def _held_finding(seen: Observations, rows: Index, oldest: float) -> Finding:
    who = parties.parties(seen, rows)
    process = who[0].process if who else None
    name = parties.first_name(who) or "a process that may not be read"
    count, netns = len(rows), int(seen.table.netns[rows[0]])
    here = int(np.count_nonzero(peer_rows(seen.table, rows) >= 0))
    return Finding(
        ID,
        words.key(ID, netns, process.pid if process else "unknown"),
        "warning",
        f"{name} waits for the other end to close: {words.count(count, 'connection')} in "
        f"FIN_WAIT2{_to(seen, rows)}",
        named(seen, rows, [process] if process else [], destination=_destination(seen, rows)),
        {"sockets": count, "oldest_s": oldest, "other_end_here": here},
        (
            f"{words.who(process) if process else name} has shut down its half of "
            f"{words.count(count, 'connection')} and holds the descriptors; no timer ends them.",
            f"Nothing has come on the oldest of them for {words.duration(oldest)}.",
            *_others(seen, rows, here),
        ),
        f"Let the other end close. In {name}: after shutdown(SHUT_WR) read with a deadline, then "
        "close(); a proxy needs a timeout for the second half. tcp_fin_timeout does not touch "
        "sockets that are still open.",
        "ss -tanpo state fin-wait-2" + (f" | grep pid={process.pid}," if process else ""),
        since=seen.sample.taken_at - oldest,
    )


def _others(seen: Observations, rows: Index, here: int) -> list[str]:
    if not here:
        return []
    peers = peer_rows(seen.table, rows)
    peers = peers[peers >= 0]
    who = parties.listed(parties.parties(seen, peers))
    return [f"{words.number(here)} other ends are here: {parties.states(seen, peers)}; {who}."]


def _orphans(seen: Observations, limits: Limits, rows: Index) -> Iterator[Finding]:
    """By namespace: they have no process any more, at most a remembered one."""
    age = _unanswered(seen, rows)
    old = age >= limits["age_s"]
    rows, age = rows[old], age[old]
    for netns in np.unique(seen.table.netns[rows]).tolist():
        mine = seen.table.netns[rows] == netns
        if np.count_nonzero(mine) >= limits["sockets"]:
            yield _orphans_finding(seen, netns, rows[mine], float(age[mine].max()))


def _unanswered(seen: Observations, rows: Index) -> F64:
    """Seconds, at least, as they are: by watching, or by how often the FIN was sent again.

    last_ack_recv is no evidence: it may be hours old on a connection that was closed just now.
    """
    part = seen.table.take(rows)
    again = (part.timer == tcp.RETRANSMIT) & (part.info_of("backoff") > 0) & _only_fin(part.send_q)
    rto, backoff = part.tcp_info("rto").tolist(), part.tcp_info("backoff").tolist()
    age: F64 = seen.snapshot.durations.state_s[rows].copy()
    for place in np.flatnonzero(again).tolist():
        left = float(part.expires[place])
        since = timeouts.retransmitting_for_s(rto[place], int(backoff[place]), left)
        age[place] = max(age[place], since)
    return age


def _only_fin(send_q: U32) -> Bools:
    """Data before the FIN may have been unanswered long before it was sent."""
    only: Bools = send_q == 1
    return only


def _orphans_finding(seen: Observations, netns: int, rows: Index, oldest: float) -> Finding:
    count, who = len(rows), parties.parties(seen, rows)
    octets = int(np.maximum(seen.table.send_q[rows].astype(np.int64) - 1, 0).sum())
    closed = f"; they were closed by {parties.listed(who)}" if who else ""
    return Finding(
        ID,
        words.key(ID, "orphans", netns),
        "warning",
        f"{words.count(count, 'closed connection')} cannot end: the FIN is not acknowledged"
        f"{_to(seen, rows)}",
        named(seen, rows, (each.process for each in who), destination=_destination(seen, rows)),
        {"sockets": count, "oldest_s": oldest, "unsent_bytes": octets},
        (
            f"{parties.states(seen, rows)} without a process{closed}.",
            f"Oldest: at least {words.duration(oldest)} in this state; "
            f"{words.size(octets)} of data wait before the FINs.",
        ),
        "Data before the FIN: the other end does not read, or does not answer. Look there, and let "
        "the program give up sooner on peers that take nothing (TCP_USER_TIMEOUT, a write "
        "timeout). The kernel gives up unanswered ones by tcp_orphan_retries (now "
        f"{_retries(seen, netns)}), and after minutes those whose window stays shut: then the data "
        "is lost.",
        "ss -tanoi state fin-wait-1 state last-ack state closing; grep TCP: /proc/net/sockstat",
        since=seen.sample.taken_at - oldest,
    )


def _retries(seen: Observations, netns: int) -> str:
    found = seen.sysctl(netns, "net.ipv4.tcp_orphan_retries")
    return "not known" if found is None else f"{found}{', which means 8' if found == 0 else ''}"


def _destination(seen: Observations, rows: Index) -> str | None:
    """The remote end, where all have the same."""
    table = seen.table
    names = ("interface", "remote_hi", "remote_lo", "remote_port")
    same = all(
        (getattr(table, name)[rows] == getattr(table, name)[rows[0]]).all() for name in names
    )
    return words.remote(seen.sample, int(rows[0])) if same else None


def _to(seen: Observations, rows: Index) -> str:
    place = _destination(seen, rows)
    return f" to {place}" if place else ""


RULE = Rule(
    ID,
    0,
    (
        Threshold("sockets", 20, "such sockets of one process, or orphans of the host"),
        Threshold("age_s", 60, "seconds that each has been so"),
    ),
    find,
    frozenset({Need.CLOCKS}),
)
