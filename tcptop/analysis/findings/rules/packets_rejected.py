"""packets-rejected: this host drops a part of what arrives, before any socket sees it, or keeps
back what it sends itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from tcptop.analysis.findings import (
    filtered,
    kept_back_words,
    no_route,
    not_passed_on,
    own_answers,
    own_syn_acks,
    too_large,
    words,
)
from tcptop.analysis.findings.kept_back import kept_back
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.rule import Limits, Need, Rule, Threshold
from tcptop.analysis.findings.summary import SampleSummary
from tcptop.analysis.findings.windows import mean, rates, rates_or_zero, window
from tcptop.model.finding import Finding, Subject
from tcptop.model.named_tuple import NamedTuple

ID = "packets-rejected"
WINDOW_S = 5.0
STEADY = 0.5  # share of the intervals in which it rises: a burst is none


class RejectReason(NamedTuple):
    """A counter, with the section as nstat writes it; what is wrong, and what to do.

    `noise` is what other protocols and neighbours make of it on a healthy network, a second;
    `strays` what connections leave behind that follow each other fast, a share of those accepted:
    on several CPUs an ACK overtakes the one before it.
    """

    counter: str
    section: str
    title: str
    said: str
    advice: str
    noise: float = 0.0
    strays: float = 0.0

    @property
    def before_tcp(self) -> bool:
        """Whether InSegs does not count them: IP has thrown them away."""
        return self.section in ("Ip", "IpExt") or self.counter == "IPReversePathFilter"


# ip_rcv_core and ip_rcv_finish (net/ipv4/ip_input.c), fib_validate_source, tcp_v4_rcv,
# tcp_inbound_md5_hash (net/ipv4/tcp.c).
REASONS = (
    RejectReason(
        "InCsumErrors",
        "Tcp",
        "wrong checksums",
        "the TCP checksum does not match: they were changed on the way, or left their sender "
        "unfinished (tx offload)",
        "Check the network card and its driver (ethtool -S; as a test ethtool -K ... rx off, and "
        "tx off at the sender, whose checksum the card may not finish), any tunnel or virtual "
        "switch that rewrites packets, and the cables and memory of switches.",
    ),
    RejectReason(
        "IPReversePathFilter",
        "TcpExt",
        "refused by the reverse-path filter (rp_filter)",
        "the route back to their senders leaves by another interface than they came in on",
        "If the routes are asymmetric on purpose, set rp_filter to 2 (loose) on the interface: "
        "sysctl -w net.ipv4.conf.DEVICE.rp_filter=2 (the larger of this and "
        "net.ipv4.conf.all.rp_filter applies). Otherwise fix the route back to the senders.",
        2.0,
    ),
    RejectReason(
        "InHdrErrors",
        "Ip",
        "bad IP headers",
        "the IP header is wrong, or the TTL has run out",
        "A routing loop uses up the TTL (traceroute shows it); else find what changes headers.",
        2.0,
    ),
    RejectReason(
        "InAddrErrors",
        "Ip",
        "not for an address of this host",
        "the destination is not an address of this host, or no valid address at all",
        "Look for a route or neighbour entry that sends traffic here by mistake (an address that "
        "has moved, or direct server return without the address on lo).",
        2.0,
    ),
    RejectReason(
        "InNoRoutes",
        "IpExt",
        "no route to their destination",
        "this host is to pass them on, or has no such address, and no route leads there",
        "Add the route: ip route get ADDRESS tells what this host would do. Else find who sends "
        "them here: the gateway of a route that has moved.",
        2.0,
    ),
    RejectReason(
        "PAWSTimewait",
        "TcpExt",
        "their timestamps are older than those of the connection that had their ports before",
        "their addresses and ports are those of a TIME-WAIT with newer timestamps. If they are "
        "SYNs, their senders wait a second for the next try: several hosts share an address (NAT), "
        "and each has a clock of its own",
        "Let the NAT use more addresses or ports, so that one is not used again within a minute, "
        "or let the clients close first, which keeps the TIME-WAIT at their end. Last, "
        "net.ipv4.tcp_timestamps = 0 at this end ends the check, and costs its other uses.",
        strays=0.02,
    ),
    RejectReason(
        "TCPMD5NotFound",
        "TcpExt",
        "no signature where one is required (TCP MD5)",
        "a key is set for their sender, but they are not signed",
        "Set the same key at both ends, for the address that actually arrives here.",
    ),
    RejectReason(
        "TCPMD5Unexpected",
        "TcpExt",
        "signed, but no key is set here (TCP MD5)",
        "they are signed, but no key is set for their sender",
        "Set the same key at both ends, for the address that actually arrives here.",
    ),
    RejectReason(
        "TCPMD5Failure",
        "TcpExt",
        "wrong signatures (TCP MD5)",
        "the signature does not match the key",
        "Set the same key at both ends; NAT on the path breaks signatures.",
    ),
    RejectReason(
        "TCPAOBad",
        "TcpExt",
        "wrong signatures (TCP-AO)",
        "the signature does not match the key",
        "Set the same keys at both ends; NAT on the path breaks signatures.",
    ),
)


def find(seen: Observations, limits: Limits) -> Iterator[Finding]:
    summaries = window(seen, WINDOW_S)
    for kernel in seen.sample.kernel if summaries else ():
        rejected = _rejected(summaries, kernel.netns)
        arrived = mean(rates_or_zero(summaries, kernel.netns, "InSegs"), summaries)
        arrived += sum(rate for reason, rate in rejected.items() if reason.before_tcp)
        accepted = mean(rates_or_zero(summaries, kernel.netns, "PassiveOpens"), summaries)
        if rejected and _many(limits, rejected, arrived, accepted):
            yield _finding(kernel.netns, limits, rejected, arrived)
        by_filter = filtered.filtered(summaries, kernel.netns)
        if by_filter and by_filter.many(limits["per_s"]):
            own = own_answers.kept_out(seen, kernel.netns, summaries, by_filter.dropped)
            yield filtered.finding(ID, seen, kernel.netns, by_filter._replace(own_answers=own))
        yield from no_route.counted(ID, seen, kernel.netns, limits["per_s"])
        yield from _outward(seen, kernel.netns, summaries)


def _outward(
    seen: Observations, netns: int, summaries: Sequence[SampleSummary]
) -> Sequence[Finding]:
    """What does not leave this host: its own, or what it is to pass on."""
    answers = [*own_syn_acks.told(ID, seen, netns, summaries)]
    if answers:
        return answers
    held = kept_back(seen, netns, summaries)
    if held:
        return [kept_back_words.finding(ID, seen, held)]
    large = [*too_large.told(ID, netns, summaries)]
    if any(each.values["kept_back"] for each in large):
        return large
    return [*large, *not_passed_on.told(ID, netns, summaries)]


def _rejected(summaries: Sequence[SampleSummary], netns: int) -> dict[RejectReason, float]:
    """Packets a second by reason, the most first; only what rises steadily."""
    found = {}
    first, last = (each.counters.get(netns, {}) for each in (summaries[0], summaries[-1]))
    for reason in REASONS:
        if first.get(reason.counter) == last.get(reason.counter):
            continue  # most never rise
        rising = rates(summaries, netns, reason.counter)
        if rising is not None and np.mean(rising > 0) >= STEADY:
            found[reason] = mean(rising, summaries)
    return dict(sorted(found.items(), key=lambda each: -each[1]))


def _many(
    limits: Limits, rejected: dict[RejectReason, float], arrived: float, accepted: float
) -> bool:
    """`arrived` are segments, `accepted` connections, a second."""
    noise = {reason: reason.noise + reason.strays * accepted for reason in rejected}
    worth = sum(rate for reason, rate in rejected.items() if rate > noise[reason])
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
        f"This host drops {words.number(total)} incoming packets/s: {first.title}",
        Subject(netns),
        {"rejected_per_s": total, "share": share},
        (
            *(
                f"{_name(reason)} rises by {words.number(rate)}/s: {reason.said}."
                for reason, rate in rejected.items()
            ),
            f"That is {words.percent(share)} of the {words.number(arrived)} segments/s that "
            "arrive, these included. No socket sees them: the senders wait and retransmit.",
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
        Threshold("critical_share", 0.1, "share above which it is critical"),
    ),
    find,
    frozenset({Need.COUNTERS}),
)
