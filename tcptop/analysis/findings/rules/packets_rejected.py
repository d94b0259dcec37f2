"""packets-rejected: this host throws away a part of what arrives, before any socket sees it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from tcptop.analysis.findings import words
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.rule import Limits, Need, Rule, Threshold
from tcptop.analysis.findings.summary import SampleSummary
from tcptop.analysis.findings.windows import mean, rates, rates_or_zero, window
from tcptop.model.finding import Finding, Subject

ID = "packets-rejected"
WINDOW_S = 5.0
STEADY = 0.5  # share of the intervals in which it rises: a burst is none


class RejectReason(NamedTuple):
    """A counter, with the section as nstat writes it; what is wrong, and what to do.

    `noise` is what other protocols and neighbours make of it on a healthy network, a second.
    """

    counter: str
    section: str
    title: str
    said: str
    advice: str
    noise: float = 0.0

    @property
    def before_tcp(self) -> bool:
        """Whether InSegs does not count them: IP has thrown them away."""
        return self.section == "Ip" or self.counter == "IPReversePathFilter"


# ip_rcv_core and ip_rcv_finish (net/ipv4/ip_input.c), fib_validate_source, tcp_v4_rcv,
# tcp_inbound_md5_hash (net/ipv4/tcp.c).
REASONS = (
    RejectReason(
        "InCsumErrors",
        "Tcp",
        "the checksums of segments are wrong",
        "their TCP checksum does not fit: they were changed on the way",
        "Look at the network card and its driver (ethtool -S, ethtool -K ... rx off for a trial), "
        "at a tunnel or a virtual switch that rewrites packets, at cables and memory of switches.",
    ),
    RejectReason(
        "IPReversePathFilter",
        "TcpExt",
        "the reverse-path filter (rp_filter) refuses their senders",
        "this host would answer their senders by another interface than they came by",
        "Where routes are asymmetric on purpose, set rp_filter to 2 (loose) on the interface: "
        "sysctl -w net.ipv4.conf.DEVICE.rp_filter=2 (net.ipv4.conf.all.rp_filter counts too: the "
        "larger one). Else mend the route back to them.",
        2.0,
    ),
    RejectReason(
        "InHdrErrors",
        "Ip",
        "their IP headers are wrong",
        "their IP header is wrong, or their TTL is used up",
        "A loop of routes uses up the TTL (traceroute shows it); else look at who changes headers.",
        2.0,
    ),
    RejectReason(
        "InAddrErrors",
        "Ip",
        "they are for addresses that are not this host's",
        "they are for an address that is not this host's, or none at all",
        "Look for a route or a neighbour entry that sends here what belongs elsewhere (an address "
        "that has moved, a load balancer in direct server return without the address on lo).",
        2.0,
    ),
    RejectReason(
        "TCPMD5NotFound",
        "TcpExt",
        "they lack the signature that is demanded (TCP MD5)",
        "a key is set for their sender, and they are not signed",
        "Set the same key at both ends, for the address that really arrives here.",
    ),
    RejectReason(
        "TCPMD5Unexpected",
        "TcpExt",
        "they are signed and no key is set here (TCP MD5)",
        "they are signed, and no key is set for their sender",
        "Set the same key at both ends, for the address that really arrives here.",
    ),
    RejectReason(
        "TCPMD5Failure",
        "TcpExt",
        "their signatures are wrong (TCP MD5)",
        "their signature does not fit the key",
        "Set the same key at both ends; a NAT on the way breaks signatures.",
    ),
    RejectReason(
        "TCPAOBad",
        "TcpExt",
        "their signatures are wrong (TCP-AO)",
        "their signature does not fit the key",
        "Set the same keys at both ends; a NAT on the way breaks signatures.",
    ),
)


def find(seen: Observations, limits: Limits) -> Iterator[Finding]:
    summaries = window(seen, WINDOW_S)
    for kernel in seen.sample.kernel if summaries else ():
        rejected = _rejected(summaries, kernel.netns)
        arrived = mean(rates_or_zero(summaries, kernel.netns, "InSegs"), summaries)
        arrived += sum(rate for reason, rate in rejected.items() if reason.before_tcp)
        if rejected and _many(limits, rejected, arrived):
            yield _finding(kernel.netns, limits, rejected, arrived)


def _rejected(summaries: Sequence[SampleSummary], netns: int) -> dict[RejectReason, float]:
    """Packets a second by reason, the most first; only what rises steadily."""
    found = {}
    for reason in REASONS:
        rising = rates(summaries, netns, reason.counter)
        if rising is not None and np.mean(rising > 0) >= STEADY:
            found[reason] = mean(rising, summaries)
    return dict(sorted(found.items(), key=lambda each: -each[1]))


def _many(limits: Limits, rejected: dict[RejectReason, float], arrived: float) -> bool:
    worth = sum(rate for reason, rate in rejected.items() if rate > reason.noise)
    large = worth > limits["per_s"] or worth > limits["share"] * arrived
    return large and worth >= limits["least_per_s"]


def _finding(
    netns: int, limits: Limits, rejected: dict[RejectReason, float], arrived: float
) -> Finding:
    total = sum(rejected.values())
    first, share = next(iter(rejected)), min(total / max(arrived, total), 1.0)
    critical = share > limits["critical_share"] and total > limits["per_s"]
    return Finding(
        ID,
        words.key(ID, netns),
        "critical" if critical else "warning",
        f"This host throws away {words.number(total)} packets/s that arrive: {first.title}",
        Subject(netns),
        {"rejected_per_s": total, "share": share},
        (
            *(
                f"{_name(reason)} rises by {words.number(rate)}/s: {reason.said}."
                for reason, rate in rejected.items()
            ),
            f"That is {words.percent(share)} of the {words.number(arrived)} segments/s that "
            "arrive, with these. No socket sees them: their senders wait and send again.",
        ),
        first.advice,
        f"nstat -az {' '.join(map(_name, rejected))} TcpInSegs",
    )


def _name(reason: RejectReason) -> str:
    return f"{reason.section}{reason.counter}"


RULE = Rule(
    ID,
    WINDOW_S,
    (
        Threshold("per_s", 5, "rejected packets a second"),
        Threshold("share", 0.01, "or share of the segments that arrive"),
        Threshold("least_per_s", 0.5, "packets a second, below which that share is noise"),
        Threshold("critical_share", 0.1, "share from which it is critical"),
    ),
    find,
    frozenset({Need.COUNTERS}),
)
