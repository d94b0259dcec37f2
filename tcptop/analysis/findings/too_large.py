"""Packets of others that are too large for the next link, and must not be split: path MTU discovery
rests on the ICMP that tells their senders (RFC 1191), and fails where that is dropped.

ip_forward counts each in FragFails, and answers it with "fragmentation needed", which is one of
OutDestUnreachs. Of IPv6 neither is read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tcptop.analysis.findings import words
from tcptop.analysis.findings.filtered import FEW, steady
from tcptop.analysis.findings.kept_back import lost
from tcptop.analysis.findings.summary import SampleSummary
from tcptop.analysis.findings.windows import mean, rates_or_zero
from tcptop.model.finding import Finding, Subject

PART = 0.03  # of what it forwards: a sender that is told sends such ones once
NEARLY_ALL = 0.8  # of the messages are kept back here


def told(id: str, netns: int, summaries: Sequence[SampleSummary]) -> Iterator[Finding]:
    forwards = mean(rates_or_zero(summaries, netns, "ForwDatagrams"), summaries)
    per_s = steady(rates_or_zero(summaries, netns, "FragFails"), summaries) if forwards else 0.0
    if per_s > FEW and per_s >= PART * forwards:
        messages = mean(rates_or_zero(summaries, netns, "OutDestUnreachs"), summaries)
        kept = steady(lost(summaries, netns), summaries) >= NEARLY_ALL * per_s
        yield _finding(id, netns, per_s, forwards, kept and messages >= NEARLY_ALL * per_s)


def _finding(id: str, netns: int, per_s: float, forwards: float, kept: bool) -> Finding:
    number, share = words.number(per_s), words.percent(min(per_s / forwards, 1.0))
    hidden = ", and drops what would tell their senders" if kept else ""
    return Finding(
        id,
        words.key(id, netns, "too-large"),
        "warning" if kept else "info",
        f"This host gets {number} packets/s to pass on that are too large for the next link"
        f"{hidden}",
        Subject(netns),
        {"too_large_per_s": per_s, "forwarded_per_s": forwards, "kept_back": float(kept)},
        (
            f"IpFragFails rises by {number}/s, {share} of what it forwards (IpForwDatagrams): "
            "they do not fit the MTU of the device that they should leave by, and must not be "
            "split. Each is answered with ICMP fragmentation needed, up to a limit of rate.",
            "As many packets/s do not leave this host (IpOutRequests and IpForwDatagrams less "
            "IpOutTransmits and IpFragFails): apparently these answers, dropped by a filter of its "
            "own (OUTPUT, POSTROUTING)."
            if kept
            else "A sender that is told sends smaller ones: where this goes on, many begin anew, "
            "or the answers do not reach them.",
        ),
        (
            "Let the filter of this host pass ICMP of type 3 (destination unreachable, code 4 is "
            "fragmentation needed): nft list ruleset, iptables-save -c. "
            if kept
            else "See whether connections through this host hang after their first small packets "
            "(a filter on the way back that drops ICMP of type 3). "
        )
        + "Clamping the MSS of the TCP connections that pass helps whoever drops it: nft add rule "
        "ip filter FORWARD tcp flags syn tcp option maxseg size set rt mtu, or iptables -t mangle "
        "-A FORWARD -p tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu.",
        "nstat -az IpFragFails IpForwDatagrams IpOutRequests IpOutTransmits IcmpOutDestUnreachs; "
        "ip -s link; nft list ruleset; iptables-save -c",
    )
