"""Local ports that bind() has taken: from every connect(), or for bind() itself.

connect() skips each port that a socket was bound to (__inet_hash_connect), so such ports are lost
to all destinations at once. bind() to port 0 without IP_BIND_ADDRESS_NO_PORT wants a port that no
other socket of the address has (inet_csk_get_port).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tcptop.analysis.findings import parties, words
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.port_advice import wider
from tcptop.analysis.findings.rule import Limits
from tcptop.analysis.findings.subjects import named
from tcptop.analysis.port_range import candidates
from tcptop.model import address, tcp
from tcptop.model.arrays import paired, row_hash, sorted_unique
from tcptop.model.finding import Finding, Subject
from tcptop.model.sample import Kernel, Process
from tcptop.model.table import Bools, Index

MANY = 0.5  # of the range: of fewer connections it may be chance that no port is there twice
OTHERS = 10  # connections beside those to the main destination: fewer may miss its ports by chance
SHARED = 0.04  # of those others that may have a port of it, where they were bound
ADVICE = (
    "Set IP_BIND_ADDRESS_NO_PORT before a bind() that only chooses the source address, or leave "
    "that bind() out; close bound sockets that are not used. Then "
)


def blocked(seen: Observations, limits: Limits) -> Bools:
    """Groups that lack ports because of bound ones: they all have one finding together."""
    ports = seen.snapshot.ports
    most: Bools = ports.blocked >= (1 - limits["headroom_share"]) * ports.capacity
    return most


def findings(seen: Observations, limits: Limits, rule: str) -> Iterator[Finding]:
    for kernel in seen.sample.kernel:
        yield from _lost(seen, limits, rule, kernel)
    ports = seen.snapshot.ports
    # Few ports are left to bind(), and yet each destination has many: were they all bound?
    few = ports.headroom_bind <= limits["headroom_share"] * ports.capacity
    if (few & (ports.capacity > 0)).any():
        yield from _bound_each(seen, limits, rule, np.flatnonzero(few & ~_low(seen, limits)))


def _low(seen: Observations, limits: Limits) -> Bools:
    ports = seen.snapshot.ports
    low: Bools = ports.headroom <= limits["headroom_share"] * ports.capacity
    return low


def _lost(seen: Observations, limits: Limits, rule: str, kernel: Kernel) -> Iterator[Finding]:
    """Ports of listeners and of sockets that are bound and idle."""
    table, bound = seen.table, seen.sample.bound
    listening = (table.netns == kernel.netns) & (table.state == tcp.LISTEN)
    idle = bound.netns == kernel.netns
    picked = candidates(kernel.sysctls) if np.count_nonzero(listening) + idle.sum() else None
    if picked is None:
        return
    mask, missed = picked
    capacity = int(np.count_nonzero(mask)) - missed
    taken = sorted_unique(np.append(table.local_port[listening], bound.local_port[idle]))
    lost = int(np.count_nonzero(mask[taken]))
    if capacity > 0 and lost >= (1 - limits["headroom_share"]) * capacity:
        yield _lost_finding(seen, limits, rule, kernel, lost, capacity)


def _lost_finding(
    seen: Observations, limits: Limits, rule: str, kernel: Kernel, lost: int, capacity: int
) -> Finding:
    who = _binders(seen, kernel.netns)
    left = max(capacity - lost, 0)
    keeps = f"{words.called(who[0])} keeps" if who else "bound sockets keep"
    return Finding(
        rule,
        words.key(rule, kernel.netns, "bound"),
        "critical" if left <= limits["critical_share"] * capacity else "warning",
        f"{keeps} local ports from every connect(): {words.number(lost)} of "
        f"{words.number(capacity)} are bound",
        Subject(kernel.netns, tuple(sorted(process.pid for process in who))),
        {"blocked": lost, "capacity": capacity, "headroom": left},
        (
            f"Listeners, and sockets that are bound but not connected, hold {words.number(lost)} "
            f"of {words.number(capacity)} ephemeral ports, which no connect() can use.",
            *([f"They belong to {', '.join(words.who(p) for p in who[:3])}."] if who else []),
        ),
        ADVICE + f"{wider(seen, kernel.netns)}.",
        "sysctl net.ipv4.ip_local_port_range; ss -Htanp state listening state unconnected",
    )


def _binders(seen: Observations, netns: int) -> list[Process]:
    """Who holds the sockets that are bound and idle, the one of most first."""
    bound, owners = seen.sample.bound, seen.sample.owners
    pids = owners.pids[np.isin(owners.inodes, bound.inode[bound.netns == netns])]
    kinds, number = np.unique(pids, return_counts=True)
    ordered = kinds[np.argsort(-number, kind="stable")].tolist()
    return [owners.processes[pid] for pid in ordered if pid in owners.processes]


def _bound_each(seen: Observations, limits: Limits, rule: str, groups: Index) -> Iterator[Finding]:
    """By local address. connect() gives the same ports out for each destination, beginning with
    the same half of the range; connections that all have different ones were bound before."""
    ports = seen.snapshot.ports
    source = row_hash(paired(ports.netns, ports.interface), ports.local_hi, ports.local_lo)
    for one in sorted_unique(source[groups]).tolist():
        mine = np.flatnonzero(source == one)
        capacity, left = int(ports.capacity[mine[0]]), int(ports.headroom_bind[mine[0]])
        used, most = int(ports.used[mine].sum()), int(ports.used[mine].max())
        others, shared = used - most, used - (capacity - left)
        if used >= MANY * capacity and others >= OTHERS and shared <= SHARED * others:
            yield _each_finding(seen, limits, rule, mine, left)


def _each_finding(
    seen: Observations, limits: Limits, rule: str, groups: Index, left: int
) -> Finding:
    ports = seen.snapshot.ports
    first, capacity = int(groups[0]), int(ports.capacity[groups[0]])
    zone = seen.sample.zone(int(ports.netns[first]), int(ports.interface[first]))
    source = address.local_text(ports, first) + zone
    rows = np.flatnonzero(np.isin(ports.group, groups))
    who = parties.parties(seen, rows)
    return Finding(
        rule,
        words.key(rule, int(ports.netns[first]), source, "bind"),
        "critical" if left <= limits["critical_share"] * capacity else "warning",
        f"{parties.first_name(who) or 'this host'} runs out of local ports to bind() on {source}: "
        f"{words.number(left)} of {words.number(capacity)} left",
        named(seen, rows, (each.process for each in who)),
        {"headroom_bind": left, "capacity": capacity, "destinations": len(groups)},
        (
            f"{words.number(len(rows))} connections from {source} to "
            f"{words.count(len(groups), 'destination')} all have different ports, which "
            "connect() alone does not do, so they were apparently bound first. They then share "
            "one range, and bind() fails with EADDRINUSE once it is used up.",
            *([f"They belong to {parties.listed(who)}."] if who else []),
        ),
        ADVICE + f"{wider(seen, int(ports.netns[first]))}.",
        f"ss -Htan 'src {words.in_filter(source)}' | wc -l; sysctl net.ipv4.ip_local_port_range",
    )
