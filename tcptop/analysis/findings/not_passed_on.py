"""Packets of others that a gateway does not pass on: its own filter takes them, or nobody answers
on the link where they would go.

IP counts them before the FORWARD chain (ForwDatagrams, ip_forward) and what goes to a device after
POSTROUTING (OutTransmits); of IPv6 neither is read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tcptop.analysis.findings import words
from tcptop.analysis.findings.filtered import FEW, steady
from tcptop.analysis.findings.kept_back import lost
from tcptop.analysis.findings.summary import SampleSummary
from tcptop.analysis.findings.windows import mean, rates_or_zero
from tcptop.model.finding import Finding, Subject

PART = 0.03  # of what it forwards


def told(id: str, netns: int, summaries: Sequence[SampleSummary]) -> Iterator[Finding]:
    forwards, own = (
        mean(rates_or_zero(summaries, netns, name), summaries)
        for name in ("ForwDatagrams", "OutRequests")
    )
    if not forwards or own > forwards:  # else it may be of its own
        return
    per_s = steady(lost(summaries, netns), summaries)
    if per_s > FEW and per_s >= PART * forwards:
        yield _finding(id, netns, per_s, forwards, own)


def _finding(id: str, netns: int, per_s: float, forwards: float, own: float) -> Finding:
    number, share = words.number(per_s), words.percent(min(per_s / forwards, 1.0))
    perhaps_own = own >= per_s
    return Finding(
        id,
        words.key(id, netns, "forward"),
        "info",
        f"This host does not let {number} packets/s leave that it forwards or sends itself"
        if perhaps_own
        else f"This host does not pass on {number} packets/s, {share} of what it forwards",
        Subject(netns),
        {"lost_per_s": per_s, "forwarded_per_s": forwards},
        (
            f"{number} packets/s that it forwards, or sends itself, reach no device (IpOutRequests "
            f"and IpForwDatagrams, {words.number(forwards)}/s, less IpOutTransmits and "
            "IpFragFails): a filter drops them in FORWARD, OUTPUT or POSTROUTING, or the next host "
            "on the link does not answer. Whose they are no counter tells.",
        ),
        "If connections through this host hang, look at its filters (nft list ruleset, "
        "iptables-save -c: the counter that rises): a rule against their port, or against what "
        "connection tracking calls invalid, as after its timeout or a failover; then at ip neigh "
        "show nud failed. Scans that are dropped look the same.",
        "nstat -az IpForwDatagrams IpOutRequests IpOutTransmits IpFragFails; nft list ruleset; "
        "iptables-save -c",
    )
