"""Why a listener drops what its queues have room for."""

from __future__ import annotations

import numpy as np

from tcptop.analysis.findings import icmp, syn_queues, words
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.unanswered import GONE
from tcptop.analysis.findings.windows import mean, window
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.route import Route, route_key

MOSTLY = 0.5  # of the drops
ASKED = 8  # hosts whose handshakes are open, whose routes are asked for
ICMP = "IcmpInDestUnreachs IcmpOutDestUnreachs"
LOOKED_AT = 500  # such handshakes


class DropReason(NamedTuple):
    """A counter that rises along, what it means and what to do; `confirm`: as nstat writes it."""

    counter: str
    title: str
    said: str
    advice: str
    confirm: str = ""


# tcp_conn_request and tcp_v4_syn_recv_sock drop, each cause with a counter of its own or with none:
# net/ipv4/tcp_input.c, tcp_ipv4.c, tcp_minisocks.c.
REASONS = (
    DropReason(
        "OutNoRoutes",
        "this host has no route back to the clients",
        "IpOutNoRoutes rises: there is no route for something this host wants to send, probably "
        "the answers.",
        "Take the address of an affected client and run: ip route get ADDRESS. Add the missing "
        "route, or the rule (ip rule) for the interface that the clients arrive on.",
        "IpOutNoRoutes",
    ),
    DropReason(
        "TSEcrRejected",
        "the final ACKs have wrong timestamps",
        "TSEcrRejected rises: final ACKs of handshakes echo a timestamp that was never sent.",
        "Look for a NAT or load balancer that mixes clients or rewrites TCP timestamps.",
        "TcpExtTSEcrRejected",
    ),
    DropReason(
        "TCPMD5NotFound",
        "clients do not sign their segments (TCP MD5)",
        "TCPMD5NotFound rises: these clients have to sign and do not.",
        "Set the same key at both ends, for the address that actually arrives here.",
        "TcpExtTCPMD5NotFound",
    ),
    DropReason(
        "TCPMD5Failure",
        "segments have wrong signatures (TCP MD5)",
        "TCPMD5Failure rises: signatures do not match the key.",
        "Set the same key at both ends; NAT on the path breaks signatures.",
        "TcpExtTCPMD5Failure",
    ),
    DropReason(
        "TCPMemoryPressures",
        "TCP is short of memory",
        "TCPMemoryPressures rises: TCP on this host is short of memory.",
        "Find what holds the memory: tcptop explain orphan-or-memory-pressure.",
        "TcpExtTCPMemoryPressures",
    ),
)

OWN_ICMP = DropReason(
    "",
    "this host cannot send what they are answered with",
    "In- and OutDestUnreachs rise together: this host tells itself that what it sends does not get "
    "there, as no neighbour answers on the link, or a route or filter rejects it. Such an error "
    "ends a handshake that is half open, and counts as a drop.",
    "Take the address of an affected client and run: ip route get ADDRESS; ip neigh. A netmask "
    "that is too wide makes this host look for clients on its own link.",
    ICMP,
)
ICMP_CAME = DropReason(
    "",
    "ICMP says that what they are answered with does not arrive",
    "InDestUnreachs rises, from outside: a router says that what this host sends does not get "
    "there. Such an error ends a handshake that is half open, and counts as a drop.",
    "Find who sends them (tcpdump -nni any 'icmp[0] == 3'): the way back to the clients ends there "
    "(ip route get ADDRESS), or their addresses are forged.",
    ICMP,
)


def reason(seen: Observations, row: int, per_s: float, seconds: float) -> DropReason:
    netns = int(seen.table.netns[row])
    rates = {each.counter: seen.rate(netns, each.counter, seconds) for each in REASONS}
    rising = (each for each in REASONS if (rates[each.counter] or 0.0) > 0)
    known = next(rising, None) or _by_icmp(seen, row, per_s, seconds)
    return known or _unknown([each for each in REASONS if rates[each.counter] is not None])


def _by_icmp(seen: Observations, row: int, per_s: float, seconds: float) -> DropReason | None:
    """A host or network that is not there ends a handshake that is half open, and counts as a drop
    of its listener (tcp_req_err, net/ipv4/tcp_ipv4.c)."""
    netns, summaries = int(seen.table.netns[row]), window(seen, seconds)
    if not summaries:
        return None
    own, others = (mean(of(summaries, netns), summaries) for of in (icmp.own, icmp.unreachable))
    if own >= MOSTLY * per_s:
        gone = _gone(seen, row)
        return _no_neighbour(*gone) if gone else OWN_ICMP
    return ICMP_CAME if others >= MOSTLY * per_s else None


def _gone(seen: Observations, row: int) -> tuple[str, Route] | None:
    """One whose handshake is half open, and the way to it, where nobody answers on the link."""
    rows = syn_queues.half_open(seen, np.array([row]))
    keys = dict.fromkeys(route_key(seen.table, each) for each in rows[:LOOKED_AT].tolist())
    ways = ((key.remote, seen.route(key)) for key in [*keys][:ASKED] if key)
    return next(((to, way) for to, way in ways if way and _lost(way)), None)


def _lost(way: Route) -> bool:
    return way.neighbour is not None and way.neighbour.state in GONE


def _no_neighbour(to: str, way: Route) -> DropReason:
    whom = way.neighbour.address if way.neighbour else to
    device = f" on {way.link.name}" if way.link else ""
    asks = "ARP" if ":" not in to else "neighbour discovery"
    where = f" ({way.prefix})" if way.prefix and not way.gateway else ""
    on_link = (
        f", the gateway to {to}," if way.gateway else f", on the own link by its route{where},"
    )
    return OWN_ICMP._replace(
        title=f"its SYN-ACKs to {to} are not sent",
        said=f"The SYN-ACKs do not leave this host: {whom}{on_link} does not answer {asks}"
        f"{device} (ip neigh). The ICMP error for that ends the handshake, and counts as a drop.",
        advice=f"Check the gateway {whom}: is it up, and is that still its address?"
        if way.gateway
        else f"Is {to} really on that link? A netmask that is too wide, or a route without its "
        f"gateway, makes this host look for it there (ip route get {to}; ip addr).",
    )


def _unknown(asked: list[DropReason]) -> DropReason:
    none = [f"none of {words.joined([each.confirm for each in asked])} rises"] if asked else []
    none.append("ICMP errors of this kind are too few, or not known")
    return DropReason(
        "",
        "the counters do not say why",
        f"Of what was asked {' and '.join(none)}. A filter on the socket (SO_ATTACH_FILTER, BPF), "
        "a security module or a failed allocation has no counter.",
        "Look for a socket filter or a security module, and trace the drops (perf trace -e "
        "skb:kfree_skb, or dropwatch).",
    )
