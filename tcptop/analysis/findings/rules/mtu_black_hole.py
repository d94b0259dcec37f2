"""mtu-black-hole: large packets to an address are lost, small ones arrive."""

from __future__ import annotations

from collections.abc import Iterator

from tcptop.analysis.findings import filtered, large_segments, networks, parties, words
from tcptop.analysis.findings.large_segments import PROBING, Large
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.rule import Limits, Need, Rule, Threshold
from tcptop.analysis.findings.subjects import named
from tcptop.analysis.findings.windows import window
from tcptop.model.finding import Finding
from tcptop.model.route import route_key
from tcptop.model.table import Index

ID = "mtu-black-hole"
MOST = 20  # findings of one sample
WINDOW_S = 5.0  # of counters
HEADERS = {True: 28, False: 48}  # of IPv4 or IPv6, and of ICMP: what ping adds


def find(seen: Observations, limits: Limits) -> Iterator[Finding]:
    for large in large_segments.lost(seen, limits["retransmissions"])[:MOST]:
        yield _finding(seen, limits, large)


def _finding(seen: Observations, limits: Limits, large: Large) -> Finding:
    table, rows = seen.table, large.rows
    there = networks.where(seen.sample, rows, with_port=False)
    found = parties.parties(seen, rows)
    who = f" of {parties.first_name(found)}" if found else ""
    mss, pmtu = (int(table.info_of(name, rows).max()) for name in ("snd_mss", "pmtu"))
    many = words.count(len(rows), "connection")
    return Finding(
        ID,
        words.key(ID, int(table.netns[rows[0]]), there),
        "critical" if len(rows) >= limits["critical"] else "warning",
        f"Large packets to {there} are lost: {many}{who} retransmit{'s' if len(rows) == 1 else ''} "
        "full segments, small ones get through",
        named(seen, rows, [each.process for each in found], destination=there),
        {"connections": len(rows), "small": large.small, "mss": mss, "pmtu": pmtu},
        tuple(_evidence(seen, large, found, mss, pmtu)),
        _advice(seen, rows, there, pmtu),
        f"ss -tinpo 'dst {words.in_filter(there)}'; ip route get "
        f"{words.towards(there, 'oif')}; sysctl {PROBING}",
    )


def _evidence(
    seen: Observations, large: Large, found: list[parties.Party], mss: int, pmtu: int
) -> Iterator[str]:
    table, rows = seen.table, large.rows
    again = words.count(int(table.retrans[rows].max()), "time")
    yield (
        f"Segments of {mss} bytes (MSS) were retransmitted up to {again} and not acknowledged; "
        f"{words.size(int(table.send_q[rows].sum()))} wait in Send-Q."
    )
    if large.small:
        others = words.count(large.small, "other connection")
        were = "was" if large.small == 1 else "were"
        yield f"{others} with the same address {were} acknowledged meanwhile: the path works."
    else:
        yield "Segments from the other end keep arriving: the path works."
    yield (
        f"This host takes the path MTU to be {pmtu} bytes and has not been told otherwise (no "
        f'ICMP "fragmentation needed" has reached TCP); {PROBING} = 0, so TCP does not probe for '
        "it."
    )
    yield from _taken(seen, rows)
    if large_segments.dropped_here(seen, rows).all():
        yield large_segments.DROPPED_HERE
    if found:
        yield f"{'They belong' if len(rows) > 1 else 'It belongs'} to {parties.listed(found)}."


def _taken(seen: Observations, rows: Index) -> Iterator[str]:
    """A filter that takes ICMP takes it before it is counted as ICMP."""
    summaries = window(seen, WINDOW_S)
    taken = filtered.filtered(summaries, int(seen.table.netns[rows[0]])) if summaries else None
    if taken and taken.dropped:
        yield (
            f"This host lets {words.number(taken.dropped)} incoming packets/s not pass meanwhile, "
            "by a filter or by routing (IpInReceives less IpInDelivers): that ICMP may be among "
            "them. Look there first (nft list ruleset, iptables-save)."
        )


def _advice(seen: Observations, rows: Index, there: str, pmtu: int) -> str:
    room = pmtu - HEADERS[":" not in there]
    return (
        f"{_where(seen, rows, there, pmtu)}Find the largest size that passes: ping -M do -s {room} "
        f"{words.towards(there, '-I')}, then smaller. {_remedy(seen, rows)}"
        f"Until then sysctl -w {PROBING}=1 (now 0) lets TCP find the size after a few timeouts."
    )


def _where(seen: Observations, rows: Index, there: str, pmtu: int) -> str:
    if large_segments.dropped_here(seen, rows).all():
        return f"{large_segments.LOOK_HERE} "
    if not _on_link(seen, rows):
        return ""
    return (
        f"{there} is on the link, with no router between that could tell (ICMP): a port of a "
        f"switch or bridge on the way, or its own device, takes less than {pmtu} bytes. "
    )


def _remedy(seen: Observations, rows: Index) -> str:
    if _on_link(seen, rows):
        return "Set the same MTU at both ends and on all between (ip link set DEV mtu N). "
    return (
        "Let ICMP type 3 code 4 (IPv6: packet too big) through the firewalls on the path, or clamp "
        "the MSS where the tunnel begins (nft: tcp option maxseg size set rt mtu), or lower the "
        "route's MTU. "
    )


def _on_link(seen: Observations, rows: Index) -> bool:
    key = route_key(seen.table, int(rows[0]))
    route = seen.route(key) if key else None
    return route is not None and bool(route.kind) and route.gateway is None


RULE = Rule(
    ID,
    0,
    (
        Threshold("retransmissions", 3, "retransmissions of a full segment"),
        Threshold("critical", 3, "connections at which it is critical"),
    ),
    find,
    frozenset({Need.TCP_INFO, Need.SYSCTLS}),
)
