"""listener-drops: a listener's drop counter rises although none of its queues is full."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from tcptop.analysis.findings import accept_queues, servers, words
from tcptop.analysis.findings.accept_queues import AcceptQueues
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.rule import Limits, Need, Rule, Threshold
from tcptop.analysis.findings.subjects import named
from tcptop.model.finding import Finding

ID = "listener-drops"
MOST = 20  # findings of one sample


class DropReason(NamedTuple):
    """A counter that rises along, what it means and what to do."""

    counter: str
    title: str
    said: str
    advice: str


# tcp_conn_request and tcp_v4_syn_recv_sock drop, each cause with a counter of its own or with none:
# net/ipv4/tcp_input.c, tcp_ipv4.c, tcp_minisocks.c.
REASONS = (
    DropReason(
        "OutNoRoutes",
        "this host has no route back to the clients",
        "IpOutNoRoutes rises: there is no route for something this host wants to send, probably "
        "the answers.",
        "Take the address of an affected client and run: ip route get ADDRESS. Add the missing "
        "route, or the rule (ip rule) for the interface that the clients arrive on.",
    ),
    DropReason(
        "TSEcrRejected",
        "the final ACKs have wrong timestamps",
        "TSEcrRejected rises: final ACKs of handshakes echo a timestamp that was never sent.",
        "Look for a NAT or load balancer that mixes clients or rewrites TCP timestamps.",
    ),
    DropReason(
        "TCPMD5NotFound",
        "clients do not sign their segments (TCP MD5)",
        "TCPMD5NotFound rises: these clients have to sign and do not.",
        "Set the same key at both ends, for the address that actually arrives here.",
    ),
    DropReason(
        "TCPMD5Failure",
        "segments have wrong signatures (TCP MD5)",
        "TCPMD5Failure rises: signatures do not match the key.",
        "Set the same key at both ends; NAT on the path breaks signatures.",
    ),
    DropReason(
        "TCPMemoryPressures",
        "TCP is short of memory",
        "TCPMemoryPressures rises: TCP on this host is short of memory.",
        "Find what holds the memory: tcptop explain orphan-or-memory-pressure.",
    ),
)
UNKNOWN = DropReason(
    "",
    "the counters do not say why",
    "No counter that would give the reason rises. A filter on the socket (SO_ATTACH_FILTER, BPF), "
    "a security module or a failed allocation has no counter.",
    "Look for a socket filter or a security module, and trace the drops (perf trace -e "
    "skb:kfree_skb, or dropwatch).",
)


def find(seen: Observations, limits: Limits) -> Iterator[Finding]:
    drops = seen.snapshot.listeners.drops_per_s
    if not (drops > 0).any():
        return
    queues = accept_queues.accept_queues(seen)
    for place in np.flatnonzero(drops[: len(queues.row)] > 0)[:MOST].tolist():
        per_s = _unexplained(seen, limits, queues, place)
        if per_s > 0:
            yield _finding(seen, limits, queues, place, per_s)


def _unexplained(seen: Observations, limits: Limits, queues: AcceptQueues, place: int) -> float:
    """Packets a second that no full queue and no TCP_DEFER_ACCEPT explains, through the window."""
    netns = int(seen.table.netns[queues.row[place]])
    window = limits["window_s"]
    rates = {
        name: seen.rate(netns, name, window)
        for name in ("ListenDrops", "ListenOverflows", "TCPReqQFullDrop")
    }
    if rates["ListenDrops"] is None:
        return 0.0
    explained = sum(rate or 0.0 for name, rate in rates.items() if name != "ListenDrops")
    peak = seen.snapshot.listeners.peak[place]
    full = peak >= queues.capacity[place] or queues.lost_per_s[place] > 0
    if full or _syn_queue_full(seen, queues, place):
        return 0.0
    own = float(seen.snapshot.listeners.drops_per_s[place])
    return max(min(own, rates["ListenDrops"] - explained), 0.0)


def _syn_queue_full(seen: Observations, queues: AcceptQueues, place: int) -> bool:
    """Half full already counts: without cookies SYNs are dropped before the limit."""
    half_open = seen.snapshot.listeners.syn_queue[place]
    return bool(half_open > 0 and 2 * half_open >= queues.capacity[place])


def _reason(seen: Observations, netns: int, seconds: float) -> DropReason:
    rising = (each for each in REASONS if (seen.rate(netns, each.counter, seconds) or 0.0) > 0)
    return next(rising, UNKNOWN)


def _finding(
    seen: Observations, limits: Limits, queues: AcceptQueues, place: int, per_s: float
) -> Finding:
    table, row = seen.table, int(queues.row[place])
    netns = int(table.netns[row])
    reason = _reason(seen, netns, limits["window_s"])
    holders = accept_queues.processes(seen, queues.row[[place]])
    where = words.local(seen.sample, row)
    queued, capacity = int(queues.queued[place]), int(queues.capacity[place])
    counters = " ".join(f"Ip{c}" if c == "OutNoRoutes" else f"TcpExt{c}" for c in _named(reason))
    return Finding(
        ID,
        words.key(ID, netns, where),
        "warning",
        f"{servers.title(seen, row, holders)} loses {words.number(per_s)} packets/s although "
        f"its queues have room: {reason.title}",
        named(seen, queues.row[[place]], holders, where),
        {"drops_per_s": per_s, "queued": queued, "capacity": capacity},
        (
            f"The kernel drops {words.number(per_s)} packets/s at {where} (the listener's own "
            "counter and ListenDrops); the clients retry, and fail while this lasts.",
            f"No queue is full: {queued} of {capacity} in its accept queue, "
            f"{int(seen.snapshot.listeners.syn_queue[place])} half-open.",
            reason.said,
        ),
        f"{reason.advice} More workers or a larger backlog do not help: the program never sees "
        "these clients.",
        f"ss -ltnm '{words.served(seen.sample, row)}'; "
        f"nstat -az TcpExtListenDrops TcpExtListenOverflows {counters}".rstrip(),
    )


def _named(reason: DropReason) -> tuple[str, ...]:
    return (reason.counter,) if reason.counter else ()


RULE = Rule(
    ID,
    2,
    (Threshold("window_s", 2, "seconds for which its drop counter rises"),),
    find,
    frozenset({Need.BACKLOG, Need.COUNTERS}),
)
