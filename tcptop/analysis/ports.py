"""Ephemeral ports: how many are left for connect() and bind() towards each destination.

connect() skips every port that some socket was bound to, and then needs a port that is free for
its (local address, remote address, remote port): __inet_hash_connect, net/ipv4/inet_hashtables.c.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np

from tcptop.analysis.history import History, KnownPorts, PortUse
from tcptop.analysis.identity import destination_keys
from tcptop.analysis.join import SocketJoin
from tcptop.analysis.peers import is_loopback
from tcptop.analysis.port_range import PortRange, port_ranges
from tcptop.model import tcp
from tcptop.model.arrays import distinct, index_of, isin, paired, row_hash, sorted_unique
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.sample import Sample
from tcptop.model.snapshot import Ports
from tcptop.model.table import F64, I64, U16, U32, U64, Bools, Index, SocketTable

GROWTH_S = 30.0  # the forecast looks back that far
USES = 64  # samples of port use that are kept for it
DECISIVE = (
    *("netns", "state", "interface", "local_hi", "local_lo", "local_port"),
    *("remote_hi", "remote_lo", "remote_port"),
)  # columns, but for the age of TIME-WAIT
LOOPBACK_IFINDEX = 1  # include/net/flow.h; the same in every namespace


def ports(sample: Sample, joined: SocketJoin, history: History) -> Ports:
    """Groups in the order of their keys. The head of this module says what they count."""
    before = history.ports
    if before is None or not _same(sample, joined, before):
        return anew(sample, joined, history)
    found, groups = before.found, len(before.found)
    forecast = _exhausted_in(found.key, found.netns, found.used, found.headroom, joined, history)
    return replace(
        found,
        opens_per_s=np.zeros(groups),
        closes_per_s=np.full(groups, np.nan),
        exhausted_in_s=forecast,
    )


def remembered(found: Ports, sample: Sample) -> KnownPorts | None:
    """For the next sample; None where the ports change as time goes by."""
    table = sample.sockets
    if len(sample.bound) or (table.state == tcp.TIME_WAIT).any():
        return None
    return KnownPorts(found, tuple(getattr(table, name) for name in DECISIVE), _sysctls(sample))


def _same(sample: Sample, joined: SocketJoin, before: KnownPorts) -> bool:
    """Whether the ports are those of the sample before. Past listeners are no others then: of
    these, those count whose ports are still there, as they did."""
    if len(sample.bound) or joined.new.any() or joined.first_look.any():
        return False
    columns = (getattr(sample.sockets, name) for name in DECISIVE)
    pairs = zip(columns, before.columns, strict=True)
    alike = all(len(now) == len(then) and (now == then).all() for now, then in pairs)
    return alike and _sysctls(sample) == before.sysctls


def _sysctls(sample: Sample) -> tuple[tuple[int, Mapping[str, str]], ...]:
    return tuple((each.netns, each.sysctls) for each in sample.kernel)


def anew(sample: Sample, joined: SocketJoin, history: History) -> Ports:
    """The same, whatever is known of the sample before."""
    table, ranges = sample.sockets, port_ranges(sample, history.listener_ports)
    rows, reusable = _rows(table, ranges)
    keys, first, inverse, _ = distinct(destination_keys(table, rows))
    lead, groups = rows[first], len(keys)
    netns, group = table.netns[lead], np.full(len(table), -1, np.int64)
    group[rows] = inverse
    extra = ~reusable & ~_blocked(table, rows, ranges)
    taken = _taken(table, lead, inverse[extra], table.local_port[rows[extra]])
    capacity = _of(netns, {n: r.capacity for n, r in ranges.items()})
    blocked = _of(netns, {n: int(np.count_nonzero(r.blocked)) for n, r in ranges.items()})
    used = _distinct_ports(inverse[~reusable], table.local_port[rows[~reusable]], groups)
    headroom = np.maximum(capacity - blocked - taken, 0)
    return Ports(
        key=keys,
        group=group,
        netns=netns,
        local_hi=table.local_hi[lead],
        local_lo=table.local_lo[lead],
        remote_hi=table.remote_hi[lead],
        remote_lo=table.remote_lo[lead],
        remote_port=table.remote_port[lead].astype(np.int64),
        interface=table.interface[lead],
        used=used,
        time_wait=np.bincount(inverse[table.state[rows] == tcp.TIME_WAIT], minlength=groups),
        blocked=blocked,
        capacity=capacity,
        headroom=headroom,
        headroom_bind=_headroom_bind(sample, lead, ranges),
        opens_per_s=_opens_per_s(joined, rows, inverse, lead),
        closes_per_s=np.full(groups, np.nan),
        exhausted_in_s=_exhausted_in(keys, netns, used, headroom, joined, history),
        listening={n: r.listening_ports for n, r in ranges.items()},
    )


def use(found: Ports, sample: Sample) -> PortUse:
    """The port use of this moment, for the forecasts of later ones."""
    return PortUse(sample.clock, found.key, found.used, sample.netns)


def _rows(table: SocketTable, found: Mapping[int, PortRange]) -> tuple[Index, Bools]:
    """Rows that hold a port of the range, and which of them connect() could reuse."""
    holding = np.zeros(len(table), bool)
    reusable = np.zeros(len(table), bool)
    age = table.time_wait_ms()
    loopback = _loopback(table)
    for netns, value in found.items():
        here = (table.netns == netns) & (table.remote_port != 0)
        # Connections accepted from a listener share its port: they take none of their own.
        holding |= here & (value.candidate & ~value.listening)[table.local_port]
        if value.reuse_after_ms is not None:
            old = here & (table.state == tcp.TIME_WAIT) & (age > value.reuse_after_ms)
            reusable |= old & loopback if value.reuse_loopback_only else old
    rows = np.flatnonzero(holding)
    return rows, reusable[rows]


def _loopback(table: SocketTable) -> Bools:
    """tcp_twsk_unique: either end in 127/8 or ::1, or bound to the device lo."""
    bound: Bools = table.interface == LOOPBACK_IFINDEX
    near = is_loopback(table.local_hi, table.local_lo)
    return near | is_loopback(table.remote_hi, table.remote_lo) | bound


def _blocked(table: SocketTable, rows: Index, found: Mapping[int, PortRange]) -> Bools:
    hit = np.zeros(len(rows), bool)
    for netns, value in found.items():
        hit |= (table.netns[rows] == netns) & value.blocked[table.local_port[rows]]
    return hit


def _opens_per_s(joined: SocketJoin, rows: Index, group: Index, lead: Index) -> F64:
    """NaN at the first look at a namespace."""
    opened = np.bincount(group[joined.arrived[rows]], minlength=len(lead)).astype(np.float64)
    opened[joined.first_look[lead]] = np.nan
    return opened / (joined.dt or 1.0)


def _taken(table: SocketTable, lead: Index, group: Index, port: U16) -> I64:
    """Ports that are gone for each group.

    One bound to a device lacks those of sockets bound to none, too, but not the other way round:
    inet_match, include/net/inet_hashtables.h.
    """
    groups, ports = [group], [port]
    device = table.interface[lead]
    for one in sorted_unique(device[device != 0]).tolist():
        also = _bound_beside(table, lead, device == one)[group]
        groups.append(also[also >= 0])
        ports.append(port[also >= 0])
    return _distinct_ports(np.concatenate(groups), np.concatenate(ports), len(lead))


def _bound_beside(table: SocketTable, lead: Index, bound: Bools) -> Index:
    """For each group of no device the one among `bound` with the same ends, or -1."""
    names = ("netns", "local_hi", "local_lo", "remote_hi", "remote_lo", "remote_port")
    ends = row_hash(*(getattr(table, name)[lead] for name in names))
    those = np.flatnonzero(bound)
    those = those[np.argsort(ends[those])]
    place = index_of(ends, ends[those])
    return np.where((place >= 0) & (table.interface[lead] == 0), those[place], -1)


def _distinct_ports(group: Index, port: U16, groups: int) -> I64:
    pairs = sorted_unique(group * 65536 + port)
    return np.bincount(pairs // 65536, minlength=groups)


def _of(netns: U32, values: Mapping[int, int]) -> I64:
    return np.array([values[n] for n in netns.tolist()], np.int64)


class _Places(NamedTuple):
    """Where sockets are bound: namespace, device, local address and port."""

    netns: U32
    interface: U32
    local_hi: U64
    local_lo: U64
    local_port: U16

    @classmethod
    def of(cls, *tables: SocketTable) -> _Places:
        return cls(*(np.concatenate([getattr(t, name) for t in tables]) for name in cls._fields))


def _headroom_bind(sample: Sample, lead: Index, found: Mapping[int, PortRange]) -> I64:
    """Candidates less those with any socket on the same local address or the wildcard, unless
    both are bound to devices that differ: inet_bind_conflict, net/ipv4/inet_connection_sock.c."""
    both = _Places.of(sample.sockets, sample.bound)
    wild = (both.local_hi == 0) & ((both.local_lo == 0) | (both.local_lo == 0xFFFF_0000_0000))
    address = row_hash(both.local_hi, both.local_lo)
    left = np.zeros(len(lead), np.int64)
    links = paired(both.netns[lead], both.interface[lead])
    for link in sorted_unique(links).tolist():
        netns, device = divmod(link, 1 << 32)
        groups = np.flatnonzero(links == link)
        here = both.netns == netns
        if device:
            here &= (both.interface == 0) | (both.interface == device)
        wanted, _, inverse, _ = distinct(address[lead[groups]])
        value = found[netns]
        free = value.candidate.copy()
        free[both.local_port[here & wild]] = False
        place = index_of(address, wanted)
        inside = here & (place >= 0) & free[both.local_port]
        taken = _distinct_ports(place[inside], both.local_port[inside], len(wanted))
        spare = np.maximum(np.count_nonzero(free) - value.missed - taken, 0)
        left[groups] = spare[inverse]
    return left


def _exhausted_in(
    keys: U64, netns: U32, used: I64, headroom: I64, joined: SocketJoin, history: History
) -> F64:
    """Seconds until the headroom is gone at the growth of the last half minute, or of the last
    interval where that is longer; NaN if there was none."""
    left = np.full(len(keys), np.nan)
    for then, namespaces in _first_uses(history, joined.clock):
        here = isin(netns, namespaces)
        place = index_of(keys[here], then.key)
        before = np.where(place >= 0, then.used[place] if len(then.used) else 0, 0)
        growth = (used[here] - before) / max(joined.clock - then.clock, 1e-3)
        with np.errstate(divide="ignore", invalid="ignore"):
            left[here] = np.where(growth > 0, headroom[here] / growth, np.nan)
    return left


def _first_uses(history: History, clock: float) -> Iterator[tuple[PortUse, list[int]]]:
    """The first use that is recent, and later ones with the namespaces that appeared then."""
    recent = [use for use in history.port_use if clock - use.clock <= GROWTH_S]
    known = frozenset[int]()
    for use in recent or history.port_use[-1:]:
        if fresh := use.namespaces - known:
            yield use, [*fresh]
            known |= fresh
