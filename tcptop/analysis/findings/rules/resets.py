"""resets: many connections are refused, or end in a RST instead of a FIN.

Nothing stays of them, no row and no TIME_WAIT, so the kernel's counters are the evidence:
AttemptFails (never open) and EstabResets (ESTABLISHED or CLOSE_WAIT), tcp_set_state and tcp_done,
net/ipv4/tcp.c.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from tcptop.analysis.findings import parties, words
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.rule import Limits, Need, Rule, Threshold
from tcptop.analysis.findings.summary import SampleSummary
from tcptop.analysis.findings.whereto import Where, where
from tcptop.analysis.findings.windows import mean, rates, rates_or_zero, window
from tcptop.model import tcp
from tcptop.model.finding import Finding, Subject
from tcptop.model.table import F64

ID = "resets"
STEADY = 0.5  # of the threshold, in each interval: a burst when a program ends is none


class _Broken(NamedTuple):
    """A second, in each interval. `opened` counts both ends where both are here."""

    failed: F64
    reset: F64
    opened: F64


def find(seen: Observations, limits: Limits) -> Iterator[Finding]:
    summaries = window(seen, limits["window_s"])
    for kernel in seen.sample.kernel if summaries else ():
        broken = _broken(seen, summaries, kernel.netns)
        if broken is not None and _many(broken, summaries, limits):
            yield _finding(seen, summaries, kernel.netns, broken)


def _broken(seen: Observations, summaries: Sequence[SampleSummary], netns: int) -> _Broken | None:
    names = ("AttemptFails", "EstabResets", "ActiveOpens", "PassiveOpens")
    failed, reset, active, passive = (rates(summaries, netns, name) for name in names)
    if failed is None or reset is None or active is None or passive is None:
        return None
    if not (failed + reset).any():
        return None
    # Clients that only ask whether the port is open reset half-open connections: no harm to us.
    failed = np.maximum(failed - rates_or_zero(summaries, netns, "EmbryonicRsts"), 0)
    local = _local_share(seen, netns)
    # A health check hangs up what it opened with SO_LINGER 0, which TCPAbortOnData counts.
    aborted = rates_or_zero(summaries, netns, "TCPAbortOnData")
    checks = np.minimum(aborted, active) * (1 - local)
    # Of a connection within this host both ends count.
    reset = np.maximum(reset * (1 - local / 2) - checks, 0)
    return _Broken(failed, reset, active + passive)


def _local_share(seen: Observations, netns: int) -> float:
    """Of the connections, those whose other end is here."""
    table = seen.table
    rows = (table.netns == netns) & (table.state != tcp.LISTEN)
    return float(seen.remote_here[rows].mean()) if rows.any() else 0.0


def _many(broken: _Broken, summaries: Sequence[SampleSummary], limits: Limits) -> bool:
    every = broken.failed + broken.reset
    return (
        mean(every, summaries) > limits["per_s"]
        and bool((every >= STEADY * limits["per_s"]).all())
        and mean(every, summaries) > limits["share"] * mean(broken.opened, summaries)
    )


def _finding(
    seen: Observations, summaries: Sequence[SampleSummary], netns: int, broken: _Broken
) -> Finding:
    failed, reset, opened = (mean(values, summaries) for values in broken)
    found = where(seen, netns, _outward(summaries, netns))
    return Finding(
        ID,
        words.key(ID, netns),
        "warning",
        _title(failed, reset, found),
        Subject(netns, found.pids, found.listener, found.destination),
        {"failed_per_s": failed, "reset_per_s": reset, "opens_per_s": opened},
        (
            f"{words.number(failed)} connects/s failed (AttemptFails), {words.number(reset)} open "
            f"connections/s ended in a reset (EstabResets), {words.number(opened)}/s were opened.",
            *_reasons(summaries, netns, reset),
            *found.evidence,
            *_asking(seen, netns),
        ),
        _advice(failed, reset),
        "nstat -az TcpAttemptFails TcpEstabResets TcpOutRsts TcpExtTCPAbortOnClose "
        "TcpExtTCPAbortOnData",
    )


def _outward(summaries: Sequence[SampleSummary], netns: int) -> bool:
    """Whether this host calls, mostly, or is called."""
    active, passive = (rates_or_zero(summaries, netns, f"{n}Opens") for n in ("Active", "Passive"))
    return mean(active, summaries) >= mean(passive, summaries)


def _title(failed: float, reset: float, found: Where) -> str:
    what = (
        f"{words.number(failed)} connects/s fail, most of them refused"
        if failed > reset
        else f"{words.number(reset)} connections/s end in a reset"
    )
    return f"{what}{found.said}"


def _reasons(summaries: Sequence[SampleSummary], netns: int, reset: float) -> list[str]:
    """Who sent the resets, and why, as far as this end counts it."""
    sent, unread, late, given_up = (
        mean(rates_or_zero(summaries, netns, name), summaries)
        for name in ("OutRsts", "TCPAbortOnClose", "TCPAbortOnData", "TCPAbortOnTimeout")
    )
    said = [f"This host sent {words.number(sent)} resets/s (OutRsts)."]
    if reset > 0 and sent < reset / 2:
        said = [f"{said[0]} So most came from the other end."]
    if unread > 0:
        said.append(f"{words.number(unread)}/s were closed here with data unread.")
    if late > 0:
        said.append(f"{words.number(late)}/s were closed with SO_LINGER 0, or got data just then.")
    if given_up > 0:
        said.append(f"{words.number(given_up)}/s were given up unanswered (TCPAbortOnTimeout).")
    return said


def _asking(seen: Observations, netns: int) -> list[str]:
    """Connects that are still unanswered."""
    rows = np.flatnonzero((seen.table.state == tcp.SYN_SENT) & (seen.table.netns == netns))
    who = parties.listed(parties.parties(seen, rows)) if len(rows) else ""
    said = f"{words.count(len(rows), 'connect')} in SYN_SENT now{': ' + who if who else ''}."
    return [said] if len(rows) else []


def _advice(failed: float, reset: float) -> str:
    if failed > reset:
        return (
            "Start the service that is called, or fix the address. During a restart let the old "
            "process accept until the new one listens, and let clients wait longer after each "
            "failure."
        )
    return (
        "Read requests to their end before close(), also when the answer is early; take SO_LINGER "
        "0 out; let the client's idle timeout be shorter than the server's, and let it repeat what "
        "may run twice. Empty a listener's queue before closing it: who waits there is reset. No "
        "sysctl helps; tcp_abort_on_overflow must be 0."
    )


RULE = Rule(
    ID,
    5,
    (
        Threshold("per_s", 10, "failed and reset connections a second"),
        Threshold("share", 0.05, "share of the connections that were opened"),
        Threshold("window_s", 5, "seconds that are looked at"),
    ),
    find,
    frozenset({Need.COUNTERS}),
)
