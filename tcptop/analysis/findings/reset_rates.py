"""Connections that fail or are reset, a second, as findings tell them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tcptop.analysis.findings import words
from tcptop.analysis.findings.broken import Broken
from tcptop.analysis.findings.summary import SampleSummary
from tcptop.analysis.findings.whereto import Where
from tcptop.analysis.findings.windows import lengths, mean, rates_or_zero
from tcptop.model.finding import Finding, Subject

ID = "resets"
MOSTLY = 0.8  # of the failed connects, as many resets: then this host has sent them
HALF = 0.5  # of the connections that are opened
ONLY = 0.95  # of a counter
RST = "tcp[13] & 4 != 0 or (ip6 proto 6 and ip6[53] & 4 != 0)"  # tcp[] is of IPv4 alone
CONFIRM = (
    "nstat -az TcpActiveOpens TcpPassiveOpens TcpAttemptFails TcpEstabResets TcpOutRsts "
    "TcpExtTCPAbortOnClose TcpExtTCPAbortOnData"
)


class Rates:
    """Means through the window, of the counters and of what they come to."""

    def __init__(self, summaries: Sequence[SampleSummary], netns: int, found: Broken) -> None:
        self._summaries, self._netns = summaries, netns
        self.failed = mean(found.failed, summaries)
        self.ours, self.theirs = mean(found.ours, summaries), mean(found.theirs, summaries)
        self.late = mean(found.late, summaries)
        self.dialed, self.accepted = mean(found.dialed, summaries), mean(found.accepted, summaries)
        self.outward = self.dialed >= self.accepted
        self.seconds = float(lengths(summaries).sum())
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
        """As many were told so by ICMP that this host has not sent itself."""
        came = self.of("InDestUnreachs") - self.of("OutDestUnreachs")
        return came >= MOSTLY * self.failed

    @property
    def only_late(self) -> bool:
        """All that TCPAbortOnData counts got data after close(): none had SO_LINGER 0."""
        return self.late >= ONLY * self.of("TCPAbortOnData") > 0

    @property
    def most(self) -> bool:
        """Half of all connections that are opened are reset, or more."""
        return self.ours + self.theirs >= HALF * (self.dialed if self.outward else self.accepted)


def finding(
    netns: int, rates: Rates, severity: str, title: str, found: Where, advice: str
) -> Finding:
    values = {
        "failed_per_s": rates.failed,
        "reset_per_s": rates.of("EstabResets"),
        "opens_per_s": rates.of("ActiveOpens") + rates.of("PassiveOpens"),
    }
    subject = Subject(netns, found.pids, found.listener, found.destination, over=True)
    key = words.key(ID, netns)
    return Finding(ID, key, severity, title, subject, values, found.evidence, advice, CONFIRM)


def counted(rates: Rates) -> Iterator[str]:
    yield (
        f"{words.number(rates.of('ActiveOpens'))} connects/s were tried (ActiveOpens), "
        f"{words.number(rates.of('AttemptFails'))}/s failed (AttemptFails)."
    )
    if rates.failed > 2 * rates.of("AttemptFails"):
        yield (
            f"{words.number(rates.failed)}/s ended without an answer while ICMP unreachables came: "
            "their programs read that error and closed them, which AttemptFails does not count."
        )
    half_open = rates.of("EmbryonicRsts")
    if half_open > 0:
        yield f"{words.number(half_open)}/s of those were half-open here (EmbryonicRsts): no harm."
    by = ", so it refuses them itself" if rates.refused_here else ""
    yield f"This host sent {words.number(rates.of('OutRsts'))} resets/s (OutRsts){by}."
