"""slow-path: nothing is lost or refused, and yet little moves: a window, a buffer, a queue or small
segments allow no more on a path of this length."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tcptop.analysis.findings import pacing, pacing_words, words
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.pacing import Slow
from tcptop.analysis.findings.rule import Limits, Need, Rule, Threshold
from tcptop.model.finding import Finding
from tcptop.model.pace import HOLES, OWN_WINDOW, PEER_WINDOW, QUEUE, SEND_BUFFER

ID = "slow-path"
WINDOWS = (PEER_WINDOW, OWN_WINDOW, SEND_BUFFER)
# Of clients: they differ, and some have a slow line or a small buffer of their own.
CLIENTS, SHARE, QUEUED_SHARE = 3, 0.5, 0.9


def find(seen: Observations, limits: Limits) -> Iterator[Finding]:
    for slow in pacing.found(seen, limits["lasting_s"]):
        yield _finding(seen, slow, limits)


def _finding(seen: Observations, slow: Slow, limits: Limits) -> Finding:
    longest, group = float(slow.seconds.max()), slow.group
    least_ms = float(seen.table.info_of("min_rtt", np.array([slow.row]))[0]) / 1000
    return Finding(
        ID,
        words.key(group.key(ID), slow.kind),
        _severity(seen, slow, limits),
        pacing_words.title(seen, slow),
        group.subject(seen),
        {"connections": len(slow.at), "bytes_per_s": slow.rate, "min_rtt_ms": least_ms},
        tuple(pacing_words.evidence(seen, slow)),
        pacing_words.advice(seen, slow),
        pacing_words.confirm(seen, slow),
        since=seen.sample.taken_at - longest,
    )


def _severity(seen: Observations, slow: Slow, limits: Limits) -> str:
    """Somebody waits for several, or for one that takes long; what is fast enough harms nobody."""
    many = len(slow.at)
    if slow.kind == HOLES:  # bursts that are overtaken look the same from here, and harm nobody
        return "info"
    if slow.kind in WINDOWS and slow.rate * 8 >= limits["fast_mbit"] * 1e6:
        return "info"
    if slow.group.listener and slow.kind not in (OWN_WINDOW, SEND_BUFFER):
        share = QUEUED_SHARE if slow.kind == QUEUE else SHARE
        most = many >= share * pacing.in_use(seen, slow)
        return "warning" if many >= CLIENTS and most else "info"
    long = (
        float(slow.seconds.max()) >= limits["alone_s"] or _kernel_s(seen, slow) >= limits["alone_s"]
    )
    return "warning" if many >= limits["connections"] or long else "info"


def _kernel_s(seen: Observations, slow: Slow) -> float:
    """For how long the kernel knows it, from before the first look."""
    if slow.kind != PEER_WINDOW:
        return 0.0
    shut = seen.table.info_of("rwnd_limited", slow.group.rows)
    busy = seen.table.info_of("busy_time", slow.group.rows)
    return float(np.where(shut >= busy / 5, busy, 0.0).max()) / 1e6


RULE = Rule(
    ID,
    6,
    (
        Threshold("lasting_s", 5, "seconds for which it is so, sample by sample"),
        Threshold("connections", 2, "of them that make it a warning"),
        Threshold("alone_s", 60, "seconds after which a single one does"),
        Threshold("fast_mbit", 100, "megabits a second from which on no window is too small"),
    ),
    find,
    frozenset({Need.TCP_INFO, Need.WINDOWS}),
)
