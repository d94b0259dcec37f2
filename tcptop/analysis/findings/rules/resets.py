"""resets: many connections are refused, or end in a RST instead of a FIN, and it harms someone.

A client that resets once it has its answer harms nobody: health checks end so.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from tcptop.analysis.findings import parties, refusals, words
from tcptop.analysis.findings.broken import Broken, both_here, broken
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.refusals import Partial
from tcptop.analysis.findings.rule import Limits, Need, Rule, Threshold
from tcptop.analysis.findings.summary import SampleSummary
from tcptop.analysis.findings.whereto import Where, asked, where
from tcptop.analysis.findings.windows import mean, rates_or_zero, window
from tcptop.model import tcp
from tcptop.model.finding import Finding, Subject
from tcptop.model.table import F64

ID = "resets"
STEADY = 0.5  # of the threshold, in each interval: a burst when a program ends is none
MOSTLY = 0.8  # of the failed connects, as many resets: then this host has sent them
NAMED = 3  # listeners
CONFIRM = (
    "nstat -az TcpActiveOpens TcpPassiveOpens TcpAttemptFails TcpEstabResets TcpOutRsts "
    "TcpExtTCPAbortOnClose TcpExtTCPAbortOnData"
)
RST = "tcp[13] & 4 != 0 or (ip6 proto 6 and ip6[53] & 4 != 0)"  # tcp[] is of IPv4 alone


class _Rates:
    """Means through the window, of the counters and of what they come to."""

    def __init__(self, summaries: Sequence[SampleSummary], netns: int, found: Broken) -> None:
        self._summaries, self._netns = summaries, netns
        self.failed = mean(found.failed, summaries)
        self.ours, self.theirs = mean(found.ours, summaries), mean(found.theirs, summaries)
        self.outward = mean(found.dialed, summaries) >= mean(found.accepted, summaries)
        self.mixed = found.mixed

    def of(self, name: str) -> float:
        return mean(rates_or_zero(self._summaries, self._netns, name), self._summaries)

    @property
    def refused_here(self) -> bool:
        """As many resets have gone out as connects failed."""
        sent = self.of("OutRsts") - self.of("TCPAbortOnClose") - self.of("TCPAbortOnData")
        return sent >= MOSTLY * self.failed

    @property
    def unreachable(self) -> bool:
        """As many were told so by ICMP."""
        return self.of("InDestUnreachs") >= MOSTLY * self.failed


def find(seen: Observations, limits: Limits) -> Iterator[Finding]:
    summaries = window(seen, limits["window_s"])
    for kernel in seen.sample.kernel if summaries else ():
        found = broken(seen, summaries, kernel.netns)
        if found is None or not _many(found.every, found, summaries, limits):
            continue
        rates = _Rates(summaries, kernel.netns, found)
        harm = _many(found.harmful, found, summaries, limits)
        failing = rates.failed > rates.ours + rates.theirs
        told = _failing if failing else _broken_off if harm else _harmless
        yield told(seen, kernel.netns, rates)


def _many(per_s: F64, found: Broken, summaries: Sequence[SampleSummary], limits: Limits) -> bool:
    return (
        mean(per_s, summaries) > limits["per_s"]
        and bool((per_s >= STEADY * limits["per_s"]).all())
        and mean(per_s, summaries) > limits["share"] * mean(found.opened, summaries)
    )


def _failing(seen: Observations, netns: int, rates: _Rates) -> Finding:
    if rates.refused_here:
        return _refused_here(seen, netns, rates)
    number = words.number(rates.failed)
    if rates.unreachable:
        title = f"{number} connects/s fail with ICMP unreachable for an answer"
        advice = "Look at the route, and for a firewall that rejects, from here to there."
    else:
        title = f"{number} connects/s fail, most of them refused"
        advice = (
            "Start the service that is called, or fix the address. During a restart let the old "
            "process accept until the new one listens, and let clients wait longer after each "
            "failure."
        )
    found = asked(seen, netns)
    said = (*_failed(rates), *found.evidence, *_asking(seen, netns))
    title = f"{title}{found.said}"
    return _finding(netns, rates, "warning", title, found._replace(evidence=said), advice)


def _refused_here(seen: Observations, netns: int, rates: _Rates) -> Finding:
    partly = refusals.partials(seen, netns)
    title = f"This host itself refuses {words.number(rates.failed)} connects/s"
    # Clients that try one address of localhost after the other: as many are answered at once.
    if partly and partly[0].answered_per_s >= rates.failed / 2:
        return _partly_refused(seen, netns, rates, title, partly[0])
    said = [*_failed(rates), "A refused connect leaves no row, so its port is not known here."]
    if partly:
        names = ", ".join(refusals.listed(seen, each.listeners) for each in partly[:NAMED])
        said.append(f"Listeners that localhost does not reach by both of its addresses: {names}.")
    advice = (
        "Start the service of the port that is called, let it listen on the address that is "
        f"called, or end what calls it. The port: tcpdump -c 20 -ni lo '{RST}'."
    )
    return _finding(netns, rates, "warning", title, Where(evidence=tuple(said)), advice)


def _partly_refused(
    seen: Observations, netns: int, rates: _Rates, title: str, partial: Partial
) -> Finding:
    callers = parties.parties(seen, partial.callers)
    shut = " or ".join(partial.refused)
    there = words.local(seen.sample, int(partial.listeners[0]))
    said = [
        *_failed(rates),
        f"Listening on that port: only {refusals.listed(seen, partial.listeners)}. At the same "
        "time about as many connects to it are answered, so clients seem to try one address of "
        "localhost after the other.",
        *([f"They are of {parties.listed(callers)}."] if callers else []),
    ]
    advice = (
        f"Let the service listen on {shut} too, or let its clients call it by the address "
        f"{there} instead of the name localhost."
    )
    found = Where("", tuple(said), _pids(callers), None, partial.refused[0])
    title = f"{title}: nothing listens on {shut}, {there} does"
    return _finding(netns, rates, "warning", title, found, advice)


def _failed(rates: _Rates) -> Iterator[str]:
    yield (
        f"{words.number(rates.of('ActiveOpens'))} connects/s were tried (ActiveOpens), "
        f"{words.number(rates.of('AttemptFails'))}/s failed (AttemptFails)."
    )
    half_open = rates.of("EmbryonicRsts")
    if half_open > 0:
        yield f"{words.number(half_open)}/s of those were half-open here (EmbryonicRsts): no harm."
    by = ", so it refuses them itself" if rates.refused_here else ""
    yield f"This host sent {words.number(rates.of('OutRsts'))} resets/s (OutRsts){by}."


def _broken_off(seen: Observations, netns: int, rates: _Rates) -> Finding:
    found = _where(seen, netns, rates)
    said = (*_reasons(rates), *found.evidence)
    title = f"{words.number(rates.ours + rates.theirs)} connections/s end in a reset{found.said}"
    found = found._replace(evidence=said)
    return _finding(netns, rates, "warning", title, found, _advice(rates))


def _harmless(seen: Observations, netns: int, rates: _Rates) -> Finding:
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
    return _finding(netns, rates, "info", title, found._replace(evidence=said), advice)


def _where(seen: Observations, netns: int, rates: _Rates) -> Where:
    """Of a proxy it is not known whether its clients' or its own connections are reset."""
    if rates.mixed and not both_here(seen, netns):
        return Where()
    return where(seen, netns, rates.outward)


def _finding(
    netns: int, rates: _Rates, severity: str, title: str, found: Where, advice: str
) -> Finding:
    values = {
        "failed_per_s": rates.failed,
        "reset_per_s": rates.of("EstabResets"),
        "opens_per_s": rates.of("ActiveOpens") + rates.of("PassiveOpens"),
    }
    subject = Subject(netns, found.pids, found.listener, found.destination)
    key = words.key(ID, netns)
    return Finding(ID, key, severity, title, subject, values, found.evidence, advice, CONFIRM)


def _reasons(rates: _Rates) -> Iterator[str]:
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


def _asking(seen: Observations, netns: int) -> list[str]:
    """Connects that are still unanswered."""
    rows = np.flatnonzero((seen.table.state == tcp.SYN_SENT) & (seen.table.netns == netns))
    who = parties.listed(parties.parties(seen, rows)) if len(rows) else ""
    said = f"{words.count(len(rows), 'connect')} in SYN_SENT now{': ' + who if who else ''}."
    return [said] if len(rows) else []


def _advice(rates: _Rates) -> str:
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


def _pids(found: list[parties.Party]) -> tuple[int, ...]:
    return tuple(sorted({each.process.pid for each in found}))


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
