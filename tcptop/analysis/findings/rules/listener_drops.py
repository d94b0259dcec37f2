"""listener-drops: a listener's drop counter rises although none of its queues is full."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tcptop.analysis.findings import accept_queues, drop_reasons, servers, words
from tcptop.analysis.findings.accept_queues import AcceptQueues
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.rule import Limits, Need, Rule, Threshold
from tcptop.analysis.findings.subjects import named
from tcptop.model.finding import Finding

ID = "listener-drops"
MOST = 20  # findings of one sample


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


def _finding(
    seen: Observations, limits: Limits, queues: AcceptQueues, place: int, per_s: float
) -> Finding:
    table, row = seen.table, int(queues.row[place])
    netns = int(table.netns[row])
    reason = drop_reasons.reason(seen, row, per_s, limits["window_s"])
    holders = accept_queues.processes(seen, queues.row[[place]])
    where = words.local(seen.sample, row)
    queued, capacity = int(queues.queued[place]), int(queues.capacity[place])
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
        f"nstat -az TcpExtListenDrops TcpExtListenOverflows {reason.confirm}".rstrip(),
    )


RULE = Rule(
    ID,
    2,
    (Threshold("window_s", 2, "seconds for which its drop counter rises"),),
    find,
    frozenset({Need.BACKLOG, Need.COUNTERS}),
)
