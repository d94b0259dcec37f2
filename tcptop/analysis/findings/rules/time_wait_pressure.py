"""time-wait-pressure: the kernel keeps no more TIME_WAIT sockets, or hardly any more.

A large number of them is healthy: only the limit (tcp_max_tw_buckets) and what happened at it
count. FIN_WAIT2 sockets that were closed are such records too (net/ipv4/tcp_minisocks.c).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tcptop.analysis.findings import words
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.rule import Limits, Need, Rule, Threshold
from tcptop.model import tcp
from tcptop.model.finding import Finding, Subject
from tcptop.model.sample import Kernel

ID = "time-wait-pressure"
LIMIT, OVERFLOW = "net.ipv4.tcp_max_tw_buckets", "TCPTimeWaitOverflow"


def find(seen: Observations, limits: Limits) -> Iterator[Finding]:
    for kernel in seen.sample.kernel:
        most = seen.sysctl(kernel.netns, LIMIT)
        held = kernel.sockstat.get("TCP", {}).get("tw")
        overflow = seen.last_rate(kernel.netns, OVERFLOW) or 0.0
        near = bool(most) and held is not None and held >= limits["share"] * (most or 0)
        if near or overflow > 0:
            yield _finding(seen, kernel, held, most, overflow)


def _finding(
    seen: Observations, kernel: Kernel, held: int | None, most: int | None, overflow: float
) -> Finding:
    full = f"{_known(held)} of {_known(most)}"
    state = "full" if overflow else "nearly full"
    lost = f", {words.number(overflow)} connections/s end without it" if overflow else ""
    values = {"time_wait": held, "max": most, "overflows_per_s": overflow}
    return Finding(
        ID,
        words.key(ID, kernel.netns),
        "critical" if overflow else "warning",
        f"TIME-WAIT table {state}: {full}{lost}",
        Subject(kernel.netns),
        {name: value for name, value in values.items() if value is not None},
        (*_evidence(kernel, full, overflow), *_whose(seen, kernel.netns)),
        "Use a pool or keep-alive, so that one connection serves many requests. Then raise the "
        f"limit, which is cheap: {_raise(most)}. TIME-WAIT itself is healthy and lasts 60 s "
        "regardless of settings.",
        f"grep TCP: /proc/net/sockstat; sysctl {LIMIT}; nstat -az TcpExt{OVERFLOW}",
    )


def _known(value: int | None) -> str:
    return "?" if value is None else words.number(value)


def _raise(most: int | None) -> str:
    return f"sysctl -w {LIMIT}={2 * most} (now {most})" if most else f"sysctl {LIMIT}"


def _evidence(kernel: Kernel, full: str, overflow: float) -> list[str]:
    said = [f"sockstat counts {full} TIME-WAIT sockets ({LIMIT})."]
    if overflow:
        total = kernel.counters.get("TcpExt", {}).get(OVERFLOW, 0)
        said.append(
            f"{OVERFLOW} rises by {words.number(overflow)}/s ({words.number(total)} since boot): "
            "these connections skip TIME-WAIT, so that their late segments get a reset."
        )
    return said


def _whose(seen: Observations, netns: int) -> list[str]:
    """The end that they wait at most: a port of ours that is called, or one that we call."""
    table = seen.table
    rows = np.flatnonzero((table.state == tcp.TIME_WAIT) & (table.netns == netns))
    if not len(rows):
        return []
    served = seen.accepted[rows]
    port = np.where(served, table.local_port[rows], table.remote_port[rows])
    kinds, number = np.unique(port.astype(np.int64) * 2 + served, return_counts=True)
    best = int(np.argmax(number))
    number_of, ours = divmod(int(kinds[best]), 2)
    towards = f"towards port {number_of}"
    where = f"at our port {number_of}, where they block no client" if ours else towards
    return [f"Most of them, {words.number(number[best])}, are {where}."]


RULE = Rule(
    ID,
    0,
    (Threshold("share", 0.8, "share of tcp_max_tw_buckets that is in use"),),
    find,
    frozenset({Need.COUNTERS}),
)
