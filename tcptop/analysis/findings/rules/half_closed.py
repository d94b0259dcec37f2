"""half-closed: one end has closed, the other does not finish, and it stays that way.

FIN_WAIT2 with a descriptor open has no timer; what was closed with close() is a mini-socket
without an inode that goes by itself (tcp_fin_timeout). FIN_WAIT1, LAST_ACK and CLOSING wait for
the acknowledgement of our FIN, without a process as orphans.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import numpy as np

from tcptop.analysis.findings import doing, lost_orphans, orphans, parties, words
from tcptop.analysis.findings.ends import ends, share_of_clients, told
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.rule import Limits, Need, Rule, Threshold
from tcptop.analysis.findings.subjects import named
from tcptop.analysis.peers import peer_rows
from tcptop.model import tcp
from tcptop.model.arrays import row_hash, rows_by_key
from tcptop.model.finding import Finding
from tcptop.model.table import F64, Index

ID = "half-closed"
MOST = 20  # processes: those with most


def find(seen: Observations, limits: Limits) -> Iterator[Finding]:
    table = seen.table
    held = (table.state == tcp.FIN_WAIT2) & (table.inode != 0)
    if np.count_nonzero(held) >= limits["sockets"]:
        yield from _held(seen, limits, np.flatnonzero(held))
    many = list(orphans.find(seen, ID, limits["sockets"], limits["age_s"]))
    yield from many
    told = {each.subject.netns for each in many}
    yield from lost_orphans.find(seen, ID, limits["few"], limits["few_s"], told)


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
            yield _finding(seen, limits, rows[at], float(age[at].max()))


def _silent(seen: Observations, rows: Index) -> F64:
    """Seconds, at least, without a segment of data since our FIN was acknowledged.

    Nothing but answers to keepalive has come since then, so last_ack_recv is a lower bound. Who
    closes his half and goes on reading what still comes is well.
    """
    acked = seen.table.since_s("last_ack_recv", rows)
    age = np.fmax(seen.snapshot.durations.state_s[rows], acked)
    silent: F64 = np.fmin(age, seen.table.since_s("last_data_recv", rows))
    return silent


def _finding(seen: Observations, limits: Limits, rows: Index, oldest: float) -> Finding:
    who, places = [each.process for each in parties.parties(seen, rows)][:1], ends(seen, rows)
    name = words.called(who[0]) if who else "an unknown process"
    count, netns = len(rows), int(seen.table.netns[rows[0]])
    peers = peer_rows(seen.table, rows)
    peers = peers[peers >= 0]
    return Finding(
        ID,
        words.key(ID, netns, who[0].pid if who else "unknown"),
        "info" if share_of_clients(seen, rows) < limits["clients"] else "warning",
        f"{name} waits for the other end to close: {words.count(count, 'connection')} in "
        f"FIN-WAIT-2{places.where}",
        named(seen, rows, who, places.listener, places.destination),
        {"sockets": count, "oldest_s": oldest, "other_end_here": len(peers)},
        (
            f"{words.who(who[0]) if who else name} has shut down its side of "
            f"{words.count(count, 'connection')} and keeps the descriptors; no timer ends them.",
            *told(seen, places),
            f"Nothing has arrived on the oldest of them for {words.duration(oldest)}.",
            *_others(seen, peers),
            *doing.evidence(seen, who),
        ),
        f"Make the other end close. In {name}: after shutdown(SHUT_WR) read with a deadline, then "
        "close(); a proxy needs a timeout for the half that is still open. tcp_fin_timeout does "
        "not affect sockets that a process still holds.",
        "ss -tanpo state fin-wait-2" + (f" | grep pid={who[0].pid}," if who else ""),
        since=seen.sample.taken_at - oldest,
    )


def _others(seen: Observations, peers: Index) -> list[str]:
    if not len(peers):
        return []
    who = parties.listed(parties.parties(seen, peers))
    return [
        f"{words.count(len(peers), 'other end is', 'other ends are')} on this host: "
        f"{parties.states(seen, peers)}; {who}."
    ]


RULE = Rule(
    ID,
    0,
    (
        Threshold("sockets", 20, "such sockets of one process, or orphans of the host"),
        Threshold("age_s", 60, "seconds each has been in that state"),
        Threshold("few", 5, "orphans to one server, called from here, that retransmit"),
        Threshold("few_s", 5, "seconds that these have had no acknowledgement"),
        Threshold("clients", 0.1, "share of a listener's clients that may stay so (info)"),
    ),
    find,
    frozenset({Need.CLOCKS}),
)
