"""handshake-unfinished: packets pass in one direction only, so that handshakes do not end; or the
server waits for a client's first data, which waits for the server to speak."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import numpy as np

from tcptop.analysis.findings import (
    accept_queues,
    deferred,
    deferred_late,
    handshakes,
    networks,
    parties,
    servers,
    syn_queues,
    words,
)
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.rule import Limits, Rule, Threshold
from tcptop.analysis.findings.subjects import named
from tcptop.model import tcp
from tcptop.model.arrays import row_hash, rows_by_key, sorted_unique
from tcptop.model.finding import Finding
from tcptop.model.table import Index

ID = "handshake-unfinished"
MOST = 20  # findings of one sample
LATELY_S = (10.0, 2.0)  # in which further SYNs met a full queue; the shorter, at the beginning
SOME = 0.1  # of as many as stay half-open, that are completed meanwhile
LOST_ON_THE_WAY = (
    "The SYNs arrive here; either the SYN-ACKs are lost on the way back, or the final ACKs on the "
    "way here."
)
PART_LOST = (
    "Look for what tells these apart from those that do complete: a filter on the way back that "
    "lets pass some ports of clients only (the ephemeral range of Linux begins at 32768), one of "
    "several equal routes or links (ECMP, an aggregation), one of a pair of firewalls, NAT state "
    "that is stale; capture at both ends to see which packet is lost. No queue is full, so a "
    "larger backlog does not help."
)
COUNTERS = "TcpExtTCPSynRetrans TcpExtTCPSYNChallenge TcpExtIPReversePathFilter"


def find(seen: Observations, limits: Limits) -> Iterator[Finding]:
    yield from islice(_at_server(seen, limits), MOST)
    yield from islice(_at_client(seen, limits), MOST)
    yield from islice(deferred.findings(seen, ID, limits), MOST)
    yield from islice(deferred_late.findings(seen, ID), MOST)


def _severity(rows: Index, limits: Limits, completed: int = 0) -> str:
    all_lost = completed < SOME * len(rows)
    return "critical" if len(rows) >= limits["critical"] and all_lost else "warning"


def _at_server(seen: Observations, limits: Limits) -> Iterator[Finding]:
    rows = handshakes.half_open(seen, limits["age_s"])
    if len(rows) < limits["handshakes"] or syn_queues.remotes(seen, rows) >= limits["flood"]:
        return
    queue = seen.table.key[seen.snapshot.queue[rows]]
    keys = row_hash(networks.keys(seen.table, rows), queue)
    for group in rows_by_key(rows, keys):
        if len(group) >= limits["handshakes"] and not _full(seen, int(group[0])):
            yield _server(seen, limits, group)


def _full(seen: Observations, row: int) -> bool:
    """Whether the listener holds as many as it may, or did just now, as many are given up at a
    time: that is syn-queue-full's business."""
    listener = int(seen.snapshot.queue[row])
    here = np.flatnonzero(seen.snapshot.queue == listener)
    half_open = int(np.count_nonzero(seen.table.state[here] == tcp.SYN_RECV))
    most = syn_queues.limit(seen, listener)
    netns = int(seen.table.netns[listener])
    met = any(max(syn_queues.answer(seen, netns, each)) > 0 for each in LATELY_S)
    return half_open >= most - 1 or (2 * half_open >= most and met)


def _server(seen: Observations, limits: Limits, rows: Index) -> Finding:
    table = seen.table
    row = int(seen.snapshot.queue[rows[0]])
    where = words.local(seen.sample, row)
    remotes = networks.where(seen.sample, rows, with_port=False)
    holders = accept_queues.processes(seen, np.array([row]))
    oldest = float(syn_queues.age_s(seen, rows).max())
    completed = handshakes.completed(seen, rows, limits["age_s"])
    meanwhile = f", {words.number(completed)} others completed" if completed else ""
    return Finding(
        ID,
        words.key(ID, int(table.netns[row]), where, networks.name(seen.sample, int(rows[0]))),
        _severity(rows, limits, completed),
        f"Handshakes from {remotes} to {servers.title(seen, row, holders)} do not complete: "
        f"{words.count(len(rows), 'half-open connection')}{meanwhile}",
        named(seen, np.append(rows, row), holders, where),
        {
            "handshakes": len(rows),
            "oldest_s": oldest,
            "established": len(_open(seen, rows)),
            "completed": completed,
        },
        (
            f"{words.number(len(rows))} half-open connections from {remotes} have waited for "
            f"{words.duration(limits['age_s'])} or longer, the oldest for about "
            f"{words.duration(oldest)}; their SYN-ACKs were retransmitted up to "
            f"{words.count(int(table.retrans[rows].max()), 'time')}.",
            LOST_ON_THE_WAY,
            *_others(len(_open(seen, rows)), completed, limits["age_s"], remotes),
        ),
        PART_LOST
        if completed
        else f"Check the route of the SYN-ACKs (ip route get "
        f"{words.towards(remotes.partition('/')[0], 'oif')}), and look for a "
        "firewall that sees only one direction; capture at both ends to see which packet is lost. "
        "No queue is full, so a larger backlog does not help.",
        f"ss -tano state syn-recv '{words.served(seen.sample, row)}'; nstat -az {COUNTERS}",
        since=seen.sample.taken_at - oldest,
        guesses=(LOST_ON_THE_WAY,),
    )


def _open(seen: Observations, rows: Index) -> Index:
    """Connections from the same address, or network where it is of several, to the same listener
    that are open."""
    table = seen.table
    same = table.local_port == table.local_port[rows[0]]
    others = np.flatnonzero(same & (table.state == tcp.ESTABLISHED))
    one = len(sorted_unique(networks.address_keys(table, rows))) == 1
    keys = networks.address_keys if one else networks.keys
    among = keys(table, others) == keys(table, rows[:1])[0]
    found: Index = others[among]
    return found


def _others(open_: int, completed: int, seconds: float, remotes: str) -> Iterator[str]:
    if completed:
        others = words.count(completed, "other was", "others were")
        yield (
            f"{others} opened from there to this port, and ended, "
            f"in the last {words.duration(seconds)}: only a part is lost."
        )
    if open_:
        others = words.count(open_, "other connection")
        yield f"{others} from there to this port completed the handshake."
    elif not completed:
        yield f"No other connection from {remotes} to this port is open."


def _at_client(seen: Observations, limits: Limits) -> Iterator[Finding]:
    table = seen.table
    rows = np.flatnonzero((table.state == tcp.ESTABLISHED) & (table.retrans > 0))
    if not len(rows):
        return
    rows = rows[handshakes.unconfirmed(seen, rows)]
    keys = row_hash(networks.keys(table, rows), table.remote_port[rows])
    for group in rows_by_key(rows, keys):
        if table.retrans[group].max() >= limits["retransmits"]:
            yield _client(seen, limits, group)


def _client(seen: Observations, limits: Limits, rows: Index) -> Finding:
    table = seen.table
    there, found = networks.where(seen.sample, rows), parties.parties(seen, rows)
    again = int(table.tcp_info("segs_in")[rows].max()) - 1
    who = f" ({parties.first_name(found)})" if found else ""
    others = len(handshakes.acknowledged(seen, rows))
    return Finding(
        ID,
        words.key(ID, int(table.netns[rows[0]]), "to", there),
        _severity(rows, limits),
        f"{words.count(len(rows), 'connection')}{who} to {there} still get{_s(rows)} SYN-ACKs: the "
        "other end has not taken the final ACK",
        named(seen, rows, [each.process for each in found], destination=there),
        {"handshakes": len(rows), "syn_acks": again, "acknowledged": others},
        (
            f"{words.count(len(rows), 'connection')} to {there}: open here, first data "
            f"retransmitted up to {words.count(int(table.retrans[rows].max()), 'time')}; nothing "
            "sent after the SYN has been acknowledged.",
            f"Up to {words.count(again, 'repeated SYN-ACK')} came in on one of them: the path from "
            "there works, and the other end still waits for the final ACK of the handshake.",
            *_acknowledged(others, there),
            *(
                [f"{'It belongs' if len(rows) == 1 else 'They belong'} to {parties.listed(found)}."]
                if found
                else []
            ),
        ),
        _client_advice(there, others),
        f"ss -tinpo 'dst {words.in_filter(there)}'; nstat -az {COUNTERS}",
    )


def _acknowledged(others: int, there: str) -> Iterator[str]:
    if others:
        yield (
            f"All that was sent on {words.count(others, 'other connection')} to {there} has been "
            "acknowledged, the last of it within 30 s: packets of this host do get there."
        )


def _client_advice(there: str, others: int) -> str:
    filtered = (
        "a firewall on the path or at the other end that lets the SYN through and then has no "
        "state for the connection (asymmetric routes, lost state), or a rule on ACKs"
    )
    if others:
        return (
            f"The accept queue of {there} is probably full: its kernel then ignores the final ACK. "
            "Check on its host whether the listener's Recv-Q exceeds its Send-Q and "
            "ListenOverflows rises, and why its program does not accept. If the queue has "
            f"room, look for {filtered}."
        )
    return (
        f"Look for what drops packets to {there} after the SYN: {filtered}. Or the accept queue at "
        "the other end is full: check it there."
    )


def _s(rows: Index) -> str:
    return "s" if len(rows) == 1 else ""


RULE = Rule(
    ID,
    0,
    (
        Threshold("age_s", 10, "seconds a handshake has been open, with SYN-ACKs retransmitted"),
        Threshold("handshakes", 3, "such handshakes from one remote network at a listener"),
        Threshold("flood", 16, "remote addresses at which it counts as a flood"),
        Threshold("retransmits", 2, "retransmissions of a client's first data"),
        Threshold("critical", 10, "connections at which it is critical"),
    ),
    find,
)
