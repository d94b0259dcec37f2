"""resets: many connections are refused, or end in a RST instead of a FIN, and it harms someone.

A client that resets once it has its answer harms nobody: health checks end so.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tcptop.analysis.findings import (
    failed_connects,
    handshakes_reset,
    refused_share,
    reset_reasons,
    resets_without_socket,
    words,
)
from tcptop.analysis.findings.broken import Broken, both_here, broken
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.reset_ends import reset_ends
from tcptop.analysis.findings.reset_rates import ID, Rates, finding
from tcptop.analysis.findings.rule import Limits, Need, Rule, Threshold
from tcptop.analysis.findings.summary import SampleSummary
from tcptop.analysis.findings.whereto import Where, where
from tcptop.analysis.findings.windows import mean, window
from tcptop.model.finding import Finding
from tcptop.model.table import F64

STEADY = 0.5  # of the threshold, in each interval: a burst when a program ends is none


def find(seen: Observations, limits: Limits) -> Iterator[Finding]:
    summaries = window(seen, limits["window_s"])
    for kernel in seen.sample.kernel if summaries else ():
        yield from _refused(seen, kernel.netns, summaries, limits)
        yield from handshakes_reset.told(seen, kernel.netns, summaries)
        found = broken(seen, summaries, kernel.netns)
        if found is None or not _many(found.every, found, summaries, limits):
            continue
        rates = Rates(summaries, kernel.netns, found)
        harm = _many(found.harmful, found, summaries, limits)
        failed_most = rates.failed > rates.ours + rates.theirs
        told = failed_connects.told if failed_most else _broken_off if harm else _harmless
        yield told(seen, kernel.netns, rates)


def _refused(
    seen: Observations, netns: int, summaries: Sequence[SampleSummary], limits: Limits
) -> Iterator[Finding]:
    """Of those who call this host: nearly all of them, or a share."""
    per_s = resets_without_socket.without_socket(summaries, netns)
    if per_s is None or not per_s.any():
        return
    every = [*resets_without_socket.told(seen, netns, summaries, per_s, limits)]
    yield from every or refused_share.told(seen, netns, summaries, per_s)


def _many(per_s: F64, found: Broken, summaries: Sequence[SampleSummary], limits: Limits) -> bool:
    return (
        mean(per_s, summaries) > limits["per_s"]
        and bool((per_s >= STEADY * limits["per_s"]).all())
        and mean(per_s, summaries) > limits["share"] * mean(found.opened, summaries)
    )


def _broken_off(seen: Observations, netns: int, rates: Rates) -> Finding:
    found = _where(seen, netns, rates)
    said = (*reset_reasons.reasons(seen, netns, rates), *found.evidence)
    title = f"{words.number(rates.ours + rates.theirs)} connections/s end in a reset{found.said}"
    found = found._replace(evidence=said)
    advice = reset_reasons.advice(seen, netns, rates, found)
    return finding(netns, rates, "warning", title, found, advice)


def _harmless(seen: Observations, netns: int, rates: Rates) -> Finding:
    """Who called has reset, mostly."""
    found = _where(seen, netns, rates)
    by = "this host, which opened them" if rates.outward else "the clients that opened them"
    title = f"{words.number(rates.ours + rates.theirs)} connections/s are reset by {by}{found.said}"
    said = (
        *reset_reasons.reasons(seen, netns, rates),
        "Health checks, and clients that hang up once they have their answer, end like this and do "
        "no harm. Clients that give up before the answer look the same here.",
        *found.evidence,
    )
    advice = (
        "Nothing, if these are checks or end with an answer, which the log of the called program "
        "shows. Otherwise answer sooner, or let the client wait longer."
    )
    return finding(netns, rates, "info", title, found._replace(evidence=said), advice)


def _where(seen: Observations, netns: int, rates: Rates) -> Where:
    """Of a proxy it is not known whether its clients' or its own connections are reset.

    Those that are leave no row: where most end otherwise, the rows are of innocent ones. Where the
    kernel tells what ends, it is known.
    """
    known = reset_ends(seen, netns, rates)
    if known is not None:
        return known
    if (rates.mixed and not both_here(seen, netns)) or (rates.outward and not rates.most):
        return Where()
    return where(seen, netns, rates.outward)


RULE = Rule(
    ID,
    5,
    (
        Threshold("per_s", 10, "failed and reset connections a second"),
        Threshold("share", 0.05, "share of the connections that were opened"),
        Threshold("window_s", 5, "seconds that are averaged"),
    ),
    find,
    frozenset({Need.COUNTERS}),
)
