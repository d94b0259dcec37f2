"""Packets that a filter or routing of this host drops or rejects: no counter has them to itself.

A filter takes packets between two counts of IP: InReceives (ip_rcv_core) and InDelivers
(ip_protocol_deliver_rcu, net/ipv4/ip_input.c). All else that ends between them is counted, too.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tcptop.analysis.findings import words
from tcptop.analysis.findings.ends import ends, told
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.summary import SampleSummary
from tcptop.analysis.findings.windows import mean, rates, rates_or_zero
from tcptop.model import tcp
from tcptop.model.finding import Finding, Subject
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.table import F64, Index

MOSTLY = 0.8  # of what it drops, that it rejects
BY_TURNS = 0.3  # the same of unreachables: each neighbour that does not answer fails every 3 s
STEADY = 0.5  # share of the intervals in which it rises: a burst is none
FEW, PART = 2.0, 0.05  # packets a second, and of what arrives
HARMS = 0.8  # of what arrives: where clients are connected, strangers do not send so much
CLIENTS = 3
PASSED_ON = 0.5  # of what does not get through
SSH = 22
# Multicast and broadcast that nobody wants ends uncounted.
OTHERWISE = (
    *("InDelivers", "ForwDatagrams", "InHdrErrors", "InAddrErrors", "InDiscards"),
    *("InUnknownProtos", "InNoRoutes", "IPReversePathFilter", "ReasmReqds"),
    *("InMcastPkts", "InBcastPkts", "insert_failed", "drop", "early_drop"),
)
OWN_ANSWERS = (
    "They are about as many as the SYNs that this host sends (ActiveOpens, TCPSynRetrans), and no "
    "other host that it calls has been heard meanwhile."
)
LET_IN = (
    "Look at the filters of this host (nft list ruleset, iptables-save -c) for a chain of input "
    "that drops and does not let in what belongs to connections: ct state established,related "
    "accept comes before it."
)
CONFIRM = (
    "nstat -az IpInReceives IpInDelivers IcmpOutDestUnreachs Icmp6OutDestUnreachs UdpNoPorts; "
    "nft list ruleset; iptables-save"
)


class Filtered(NamedTuple):
    """Packets a second: those that do not get through (IPv4 alone), the unreachables that were sent
    for packets of others, less those for closed UDP ports or for what is too large, and the ICMP
    errors that were not, for the limit on their rate."""

    dropped: float
    rejected: float
    withheld: float = 0.0
    share: float = 0.0  # of what arrives by IPv4, that does not get through
    passed_on: bool = True  # whether it may have gone out again, past IP's own count, as IPVS does
    own_answers: bool = False  # whether those are the answers to what this host calls

    @property
    def most(self) -> float:
        return max(self.dropped, self.rejected + self.withheld)

    def many(self, per_s: float) -> bool:
        """Of a host where little arrives, fewer are many."""
        return self.most > per_s or (self.dropped > FEW and self.share >= PART)


def filtered(summaries: Sequence[SampleSummary], netns: int) -> Filtered | None:
    """None where neither rises steadily."""
    received = rates(summaries, netns, "InReceives")
    lost = np.zeros(len(summaries) - 1) if received is None else received
    for name in OTHERWISE if lost.any() else ():
        lost = lost - rates_or_zero(summaries, netns, name)
    sent = rates_or_zero(summaries, netns, "OutDestUnreachs")
    for name in ("InDestUnreachs", "NoPorts", "FragFails") if sent.any() else ():
        sent = sent - rates_or_zero(summaries, netns, name)
    dropped, rejected = steady(lost, summaries), steady(sent, summaries, BY_TURNS)
    withheld = sum(
        mean(rates_or_zero(summaries, netns, f"OutRateLimit{scope}"), summaries)
        for scope in ("Host", "Global")
        if rejected
    )
    if not dropped and not rejected:
        return None
    arrived = 0.0 if received is None else mean(received, summaries)
    share = min(dropped / arrived, 1.0) if arrived else 0.0
    return Filtered(dropped, rejected, withheld, share, _passed_on(summaries, netns, dropped))


def _passed_on(summaries: Sequence[SampleSummary], netns: int, dropped: float) -> bool:
    """ip_output counts what IPVS sends, and __ip_local_out does not; older kernels lack the one."""
    sent = rates(summaries, netns, "OutTransmits")
    if sent is None:
        return True
    own = rates_or_zero(summaries, netns, "OutRequests")
    own = own + rates_or_zero(summaries, netns, "ForwDatagrams")
    return mean(sent - own, summaries) > PASSED_ON * dropped


def _clients(seen: Observations, netns: int) -> Index:
    """Connections of others to what this host serves; ssh is an operator's, more likely."""
    table = seen.table
    served = (table.netns == netns) & (table.state == tcp.ESTABLISHED) & (table.local_port != SSH)
    if not served.any():
        return np.zeros(0, np.int64)
    return np.flatnonzero(served & seen.accepted & ~seen.remote_here)


def steady(rising: F64, summaries: Sequence[SampleSummary], share: float = STEADY) -> float:
    """Its mean; 0 where it does not rise in so many of the intervals."""
    steady = np.count_nonzero(rising > 0) >= share * len(rising)
    return max(mean(rising, summaries), 0.0) if steady else 0.0


def finding(id: str, seen: Observations, netns: int, found: Filtered) -> Finding:
    clients = _clients(seen, netns)
    harms = len(clients) >= CLIENTS and found.share >= HARMS and not found.passed_on
    answered = found.rejected + found.withheld
    dropped, rejected = words.number(found.dropped), words.number(answered)
    own = found.own_answers
    what = ": nearly all that arrives by IPv4" if harms else ""
    what = ": apparently the answers to its own connects" if own else what
    silently = answered < MOSTLY * found.dropped or own
    return Finding(
        id,
        words.key(id, netns, "filter"),
        "warning" if harms or own else "info",
        f"This host lets {dropped} incoming packets/s not pass, by a filter or by routing{what}"
        if silently
        else f"This host rejects {rejected} packets/s with ICMP",
        Subject(netns),
        {
            "dropped_per_s": found.dropped,
            "rejected_per_s": answered,
            "own_answers": float(own),
        },
        (
            *_evidence(found),
            *((OWN_ANSWERS,) if own else ()),
            *(_served(seen, clients) if harms else ()),
        ),
        LET_IN
        if own
        else "If clients of this host get no connection, look at its filters (nft list ruleset, "
        "iptables-save) for a rule that drops or rejects their port. Port scans and strangers look "
        "the same: which port it is no counter tells (nft add a counter to the rule, or tcpdump). "
        "Where it passes packets on, look at its routes and neighbours too: ip route, ip neigh "
        "show nud failed. Martians: in_martian_dst in /proc/net/stat/rt_cache, of the whole host.",
        CONFIRM,
    )


def _evidence(found: Filtered) -> list[str]:
    said = []
    if found.dropped:
        said.append(
            f"IP received {words.number(found.dropped)} packets/s that it neither delivered, nor "
            "forwarded, nor counted as bad (IpInReceives less IpInDelivers), "
            f"{words.percent(found.share)} of what arrives by IPv4: a filter (nft, iptables) takes "
            "them, or answers them with TCP resets that no other counter has; IPVS passes them on; "
            "or routing drops them: a blackhole route, or an address that may not be one here "
            "(martian), as where NAT leads to the loopback address without route_localnet."
        )
    if found.rejected:
        said.append(
            f"This host sent {words.number(found.rejected)} ICMP unreachables/s for packets of "
            "others (OutDestUnreachs), not for closed UDP ports (NoPorts) or the MTU of a link "
            "(FragFails): a filter rejects them, or where they are to be passed on a route or the "
            "next host on the link is missing. "
            f"{_limited(found)}"
        )
    return said


def _served(seen: Observations, clients: Index) -> list[str]:
    listed = "; ".join(told(seen, ends(seen, clients)))[:-1]
    many = words.count(len(clients), "open connection")
    return [
        f"Clients have {many} here meanwhile ({listed}): what is theirs "
        "may be among it, as after a change of the filter."
    ]


def _limited(found: Filtered) -> str:
    if not found.withheld:
        return "They are sent at a limited rate, so more may be rejected."
    return (
        f"{words.number(found.withheld)} ICMP errors/s more were due, and not sent for the limit "
        "on their rate (OutRateLimitHost, OutRateLimitGlobal)."
    )
