"""resets: many connections are refused, or end in a RST instead of a FIN, and it harms someone.

A client that resets once it has its answer harms nobody: health checks end so.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tcptop.analysis.findings import failing, words
from tcptop.analysis.findings.breaking import ID, Rates, finding
from tcptop.analysis.findings.broken import Broken, both_here, broken
from tcptop.analysis.findings.observations import Observations
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
        found = broken(seen, summaries, kernel.netns)
        if found is None or not _many(found.every, found, summaries, limits):
            continue
        rates = Rates(summaries, kernel.netns, found)
        harm = _many(found.harmful, found, summaries, limits)
        failed_most = rates.failed > rates.ours + rates.theirs
        told = failing.told if failed_most else _broken_off if harm else _harmless
        yield told(seen, kernel.netns, rates)


def _many(per_s: F64, found: Broken, summaries: Sequence[SampleSummary], limits: Limits) -> bool:
    return (
        mean(per_s, summaries) > limits["per_s"]
        and bool((per_s >= STEADY * limits["per_s"]).all())
        and mean(per_s, summaries) > limits["share"] * mean(found.opened, summaries)
    )


def _broken_off(seen: Observations, netns: int, rates: Rates) -> Finding:
    found = _where(seen, netns, rates)
    said = (*_reasons(rates), *found.evidence)
    title = f"{words.number(rates.ours + rates.theirs)} connections/s end in a reset{found.said}"
    found = found._replace(evidence=said)
    return finding(netns, rates, "warning", title, found, _advice(rates))


def _harmless(seen: Observations, netns: int, rates: Rates) -> Finding:
    """Who called has reset, mostly."""
    found = _where(seen, netns, rates)
    by = "this host, which opened them" if rates.outward else "the clients that opened them"
    title = f"{words.number(rates.ours + rates.theirs)} connections/s are reset by {by}{found.said}"
    said = (
        *_reasons(rates),
        "Health checks and clients that hang up once they have their answer end so, and nobody is "
        "harmed. Clients that give up before it comes look the same here.",
        *found.evidence,
    )
    advice = (
        "Nothing, where these are checks or end with an answer: the log of the program that is "
        "called tells. Else give that answer sooner, or let the client wait for longer than it "
        "takes."
    )
    return finding(netns, rates, "info", title, found._replace(evidence=said), advice)


def _where(seen: Observations, netns: int, rates: Rates) -> Where:
    """Of a proxy it is not known whether its clients' or its own connections are reset."""
    if rates.mixed and not both_here(seen, netns):
        return Where()
    return where(seen, netns, rates.outward)


def _reasons(rates: Rates) -> Iterator[str]:
    """Who sent the resets, and why, as far as this end counts it."""
    yield (
        f"{words.number(rates.of('EstabResets'))} open connections/s ended in a reset "
        f"(EstabResets); {words.number(rates.of('ActiveOpens'))}/s were opened from here "
        f"(ActiveOpens), {words.number(rates.of('PassiveOpens'))}/s to here (PassiveOpens)."
    )
    sent = f"This host sent {words.number(rates.of('OutRsts'))} resets/s (OutRsts)."
    yield f"{sent} So most came from the other end." if rates.theirs > rates.ours else sent
    for name, what in (
        ("TCPAbortOnClose", "were closed here with data unread"),
        ("TCPAbortOnData", "were closed with SO_LINGER 0, or got data just then"),
        ("TCPAbortOnTimeout", "were given up unanswered"),
    ):
        if rates.of(name) > 0:
            yield f"{words.number(rates.of(name))}/s {what} ({name})."


def _advice(rates: Rates) -> str:
    """For the end that can do something about it."""
    server = (
        "Read requests to their end before close(), also when the answer is early; take SO_LINGER "
        "0 out. Empty a listener's queue before closing it: who waits there is reset."
    )
    client = (
        "Let this host's idle timeout be shorter than that of the server, and repeat what may run "
        "twice. Else the server is to be looked at, and what is between: a process that closes "
        "with requests unread, a restart, a balancer that forgets connections."
    )
    if rates.ours > rates.theirs:
        return f"{server} No sysctl helps; tcp_abort_on_overflow must be 0."
    return f"{client} No sysctl helps."


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
