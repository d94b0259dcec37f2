"""syn-queue-full: a listener holds as many half-open connections as it may."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tcptop.analysis.findings import accept_queues, deferred, servers, syn_queues, words
from tcptop.analysis.findings.accept_queues import AcceptQueues
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.rule import Limits, Need, Rule, Threshold
from tcptop.analysis.findings.subjects import named
from tcptop.analysis.findings.syn_queues import Answer
from tcptop.model.arrays import row_hash, sorted_unique
from tcptop.model.finding import Finding
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.table import Index

ID = "syn-queue-full"
MOST = 20  # findings of one sample
NEARLY_ALL = 0.8  # of the cookies
FEW_COOKIES, ALIKE, MOST_AGAIN = 5, 0.5, 0.5  # cookies; of the half-open connections
ONE_WAY = (
    "The SYNs arrive, and no final ACK does: look at what becomes of the SYN-ACKs, from here to "
    "these clients (a route, a firewall that sees only one direction, NAT) and on them (a filter "
    "that lets no answers in): tcpdump at both ends. A larger backlog changes nothing."
)
COOKIES_S = 5.0  # within which they are counted: an answer takes a round trip


class Full(NamedTuple):
    """A listener's full SYN queue; `members` are the LISTEN rows that share the address."""

    row: int
    members: Index
    half_open: int
    limit: int
    answer: Answer


def find(seen: Observations, limits: Limits) -> Iterator[Finding]:
    if not (seen.snapshot.listeners.syn_queue >= limits["half_open"]).any():
        return
    queues = accept_queues.accept_queues(seen)
    for place in _longest(seen, queues, limits["half_open"])[:MOST]:
        row = int(queues.row[place])
        full = Full(
            row,
            queues.members(place),
            int(seen.snapshot.listeners.syn_queue[place]),
            syn_queues.limit(seen, row),
            syn_queues.answer(seen, int(seen.table.netns[row]), limits["window_s"]),
        )
        # Kernels before 6.13 hold one less.
        if full.half_open >= full.limit - 1 and max(full.answer) > 0:
            yield _finding(seen, full)


def _longest(seen: Observations, queues: AcceptQueues, least: float) -> list[int]:
    """A place for each address: the members of a SO_REUSEPORT group share the number."""
    _, first = np.unique(queues.group, return_index=True)
    lengths = seen.snapshot.listeners.syn_queue
    order = first[np.argsort(-lengths[first], kind="stable")]
    longest: list[int] = order[lengths[order] >= least].tolist()
    return longest


def _finding(seen: Observations, full: Full) -> Finding:
    table, row, answer = seen.table, full.row, full.answer
    holders = accept_queues.processes(seen, full.members)
    where = words.local(seen.sample, row)
    rows = syn_queues.half_open(seen, full.members)
    losing, shut_out = answer.dropped_per_s > 0, _shut_out(seen, full, rows)
    return Finding(
        ID,
        words.key(ID, int(table.netns[row]), where),
        "critical" if losing or shut_out else "warning",
        f"{servers.title(seen, row, holders)} has {full.half_open} half-open connections, the "
        f"most that fit: {'none is completed' if shut_out else _becomes(answer)}",
        named(seen, np.append(full.members, rows), holders, where),
        {"half_open": full.half_open, "limit": full.limit} | answer._asdict(),
        tuple(_evidence(seen, full, rows, shut_out)),
        ONE_WAY if shut_out else _advice(seen, full, losing),
        f"ss -tn state syn-recv '{words.served(seen.sample, row)}'; "
        "nstat -az TcpExtTCPReqQFullDoCookies TcpExtTCPReqQFullDrop TcpExtListenDrops",
    )


def _becomes(answer: Answer) -> str:
    """What becomes of further SYNs."""
    lost = answer.dropped_per_s > 0
    rate = answer.dropped_per_s if lost else answer.cookies_per_s
    what = "dropped" if lost else "answered with cookies"
    return f"{words.number(rate)} SYNs/s {what}" if rate >= 0.1 else f"SYNs are {what}"


def _shut_out(seen: Observations, full: Full, rows: Index) -> bool:
    """Of a few clients, which are no flood, nobody gets in: no cookie comes back, and each place is
    taken by one that needs a second SYN-ACK."""
    netns, table = int(seen.table.netns[full.row]), seen.table
    sent, back, opened = (
        seen.grown(netns, name, COOKIES_S)
        for name in ("SyncookiesSent", "SyncookiesRecv", "PassiveOpens")
    )
    none = back is not None and opened is not None and not back[0] and not opened[0]
    if not none or sent is None or sent[0] < FEW_COOKIES or not len(rows):
        return False
    clients = len(sorted_unique(row_hash(table.remote_hi[rows], table.remote_lo[rows])))
    again = (table.retrans[rows] > 0).mean()
    return clients <= ALIKE * len(rows) and bool(again >= MOST_AGAIN)


def _evidence(seen: Observations, full: Full, rows: Index, shut_out: bool) -> Iterator[str]:
    again = int(np.count_nonzero(seen.table.retrans[rows] > 0))
    senders, fit = syn_queues.senders(seen, rows), min(full.half_open, full.limit)
    yield (
        f"{full.half_open} half-open connections from {senders}, where {fit} fit; "
        f"{again} of them needed a second SYN-ACK."
    )
    if shut_out:
        yield (
            "Further SYNs are answered with cookies, of which none has come back, and no "
            f"connection was accepted (PassiveOpens) in the last {words.duration(COOKIES_S)}."
        )
    elif full.answer.cookies_per_s > 0:
        yield (
            f"TCPReqQFullDoCookies rises by {words.number(full.answer.cookies_per_s)}/s: further "
            "SYNs are answered with cookies. This loses no connection, but one without TCP "
            "timestamps gets no SACK and no window scaling."
        )
    if full.answer.dropped_per_s > 0:
        yield (
            f"{words.number(full.answer.dropped_per_s)} SYNs/s are dropped while its accept queue "
            "has room (ListenDrops or TCPReqQFullDrop; retries included)."
        )
    yield _bound(seen, full)


def _bound(seen: Observations, full: Full) -> str:
    """What bounds the queue: tcp_max_syn_backlog where that is less, else the backlog."""
    if not _shared_bound(seen, full):
        return servers.backlog(seen, full.row)
    most = seen.sysctl(int(seen.table.netns[full.row]), syn_queues.MAX_SYN_BACKLOG)
    return (
        f"Without cookies {syn_queues.MAX_SYN_BACKLOG} = {most} limits it: three quarters of that, "
        "plus one, are for unknown clients, whatever the backlog is "
        f"({seen.table.send_q[full.row]})."
    )


def _shared_bound(seen: Observations, full: Full) -> bool:
    return full.limit <= int(seen.table.send_q[full.row])


def _longer(seen: Observations, full: Full) -> str:
    if not _shared_bound(seen, full):
        return servers.larger_backlog(seen, full.row)
    most = seen.sysctl(int(seen.table.netns[full.row]), syn_queues.MAX_SYN_BACKLOG) or 0
    return f"sysctl -w {syn_queues.MAX_SYN_BACKLOG}={max(4 * most, 4096)} (now {most})"


def _advice(seen: Observations, full: Full, losing: bool) -> str:
    cookies = ""
    if losing and seen.sysctl(int(seen.table.netns[full.row]), syn_queues.COOKIES) == 0:
        cookies = f"Enable cookies: sysctl -w {syn_queues.COOKIES}=1 (now 0). "
    rows = syn_queues.half_open(seen, full.members)
    first = rows[seen.table.retrans[rows] == 0]
    if 2 * len(first) > len(rows) and 2 * deferred.bare_acks(seen, rows) >= len(rows):
        return (
            "These clients may well be reached: bare ACKs are ignored here (TCPDeferAcceptDrop), "
            "as TCP_DEFER_ACCEPT waits for first data. If they wait for the server's greeting, "
            f"{deferred.WITHOUT}. If they send first: {_longer(seen, full)}."
        )
    if 2 * len(first) > len(rows) and _come_back(seen, full):
        return (
            "The cookies come back (SyncookiesRecv rises as SyncookiesSent does): SYN-ACKs reach "
            "these clients, and their addresses are not forged. More of them connect at once "
            f"than the queue holds: {_longer(seen, full)}."
        )
    return (
        "Check whether the SYN-ACKs reach these clients (routing, a firewall that sees only one "
        f"direction) or their addresses are forged. {cookies}"
        f"If the clients are just far away: {_longer(seen, full)}."
    )


def _come_back(seen: Observations, full: Full) -> bool:
    """Nearly all cookies."""
    netns = int(seen.table.netns[full.row])
    sent, back = (
        seen.rate(netns, f"Syncookies{name}", COOKIES_S) or 0.0 for name in ("Sent", "Recv")
    )
    return back >= NEARLY_ALL * sent > 0


RULE = Rule(
    ID,
    2,
    (
        Threshold("window_s", 2, "seconds in which SYNs meet a full queue"),
        Threshold("half_open", 3, "half-open connections, below which a queue may well be full"),
    ),
    find,
    frozenset({Need.BACKLOG, Need.COUNTERS}),
)
