"""Ephemeral ports: how many are left for connect() and bind() towards each destination.

connect() skips every port that some socket was bound to, and then needs a port that is free for
its (local address, remote address, remote port): __inet_hash_connect, net/ipv4/inet_hashtables.c.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from tcptop.analysis.history import History, PortUse
from tcptop.analysis.identity import destination_keys
from tcptop.analysis.join import SocketJoin
from tcptop.analysis.peers import is_loopback
from tcptop.model import sysctls, tcp
from tcptop.model.arrays import index_of, paired, row_hash, sorted_unique
from tcptop.model.sample import Kernel, Sample
from tcptop.model.snapshot import Ports
from tcptop.model.table import F64, I64, U16, U32, U64, Bools, Index, SocketTable

TIMEWAIT_MS = 60_000  # TCP_TIMEWAIT_LEN, include/net/tcp.h: fixed at compile time
REUSE_DELAY_MS = 1_000  # tcp_tw_reuse_delay has been a sysctl since 6.14
GROWTH_S = 30.0  # the forecast looks back that far
USES = 64  # samples of port use that are kept for it
LOOPBACK_IFINDEX = 1  # include/net/flow.h; the same in every namespace


@dataclass(frozen=True, eq=False, slots=True)
class _Range:
    """The ports that connect() and bind(0) may pick in one namespace; masks over 65536 ports."""

    candidate: Bools
    missed: int  # candidates that one search leaves out: 1 in a range of an odd number of ports
    listening: Bools  # ports of present listeners, and of past ones whose connections live
    blocked: Bools  # candidates that no connect() can take: listening, or bound and idle
    reuse_after_ms: int | None  # age at which connect() takes a TIME_WAIT port; None: never
    reuse_loopback_only: bool

    @property
    def capacity(self) -> int:
        return max(int(np.count_nonzero(self.candidate)) - self.missed, 0)


def _ranges(sample: Sample, history: History) -> dict[int, _Range]:
    """By namespace; one whose range is not known has none."""
    found = {}
    for kernel in sample.kernel:
        picked = candidates(kernel.sysctls)
        if picked is not None:
            found[kernel.netns] = _range(sample, history, kernel, *picked)
    return found


def candidates(values: Mapping[str, str]) -> tuple[Bools, int] | None:
    """Mask of the ports that may be picked, the range less the reserved ones, and `missed`.

    A search takes an even number of steps (`remaining &= ~1`). Of an odd range it leaves out the
    first or the last port, depending on where it starts; 32768 to 32770 never give 32770.
    """
    bounds = sysctls.port_range(values)
    if bounds is None:
        return None
    lo, hi = bounds
    size = hi - lo + 1
    mask = np.zeros(65536, bool)
    mask[lo : hi + 1] = True
    for first, last in sysctls.reserved_ports(values):
        mask[first : last + 1] = False
    return mask, size & 1 if size > 1 else 0


def _range(
    sample: Sample, history: History, kernel: Kernel, candidate: Bools, missed: int
) -> _Range:
    table, bound = sample.sockets, sample.bound
    here = table.netns == kernel.netns
    listening = np.zeros(65536, bool)
    present = np.zeros(65536, bool)
    present[table.local_port[here]] = True
    listening[list(history.listener_ports.get(kernel.netns, ()))] = True
    listening &= present
    listening[table.local_port[here & (table.state == tcp.LISTEN)]] = True
    blocked = listening.copy()
    blocked[bound.local_port[bound.netns == kernel.netns]] = True
    reuse, loopback = _reuse(kernel)
    return _Range(candidate, missed, listening, blocked & candidate, reuse, loopback)


def _reuse(kernel: Kernel) -> tuple[int | None, bool]:
    """After how many ms a TIME_WAIT port is taken again (tcp_twsk_unique), loopback only or not."""
    mode, timestamps, delay_ms = (
        sysctls.number(kernel.sysctls, f"net.ipv4.tcp_{name}")
        for name in ("tw_reuse", "timestamps", "tw_reuse_delay")
    )
    if not mode or timestamps == 0:
        return None, False
    return REUSE_DELAY_MS if delay_ms is None else delay_ms, mode == 2


def ports(sample: Sample, joined: SocketJoin, history: History) -> Ports:
    """Groups in no order that means anything. The head of this module says what they count."""
    table, found = sample.sockets, _ranges(sample, history)
    rows, reusable = _rows(table, found)
    key = destination_keys(table, rows)
    keys, first, inverse = np.unique(key, return_index=True, return_inverse=True)
    groups = len(keys)
    lead = rows[first]
    blocked = _by_netns(table, rows, found, "blocked")
    busy = _distinct_ports(inverse[~reusable], table.local_port[rows][~reusable], groups)
    extra = ~reusable & ~blocked
    taken = _taken(table, lead, inverse[extra], table.local_port[rows][extra])
    netns = table.netns[lead]
    capacity = _of(netns, {n: r.capacity for n, r in found.items()})
    lost = _of(netns, {n: int(np.count_nonzero(r.blocked)) for n, r in found.items()})
    headroom = np.maximum(capacity - lost - taken, 0)
    opened = np.bincount(inverse[joined.arrived[rows]], minlength=groups).astype(np.float64)
    opened[joined.first_look[lead]] = np.nan
    group = np.full(len(table), -1, np.int64)
    group[rows] = inverse
    return Ports(
        group,
        netns,
        table.local_hi[lead],
        table.local_lo[lead],
        table.remote_hi[lead],
        table.remote_lo[lead],
        table.remote_port[lead].astype(np.int64),
        table.interface[lead],
        busy,
        np.bincount(inverse[table.state[rows] == tcp.TIME_WAIT], minlength=groups),
        lost,
        capacity,
        headroom,
        _headroom_bind(sample, lead, found),
        opened / (joined.dt or 1.0),
        _exhausted_in(keys, netns, busy, headroom, joined, history),
        {n: frozenset(np.flatnonzero(r.listening).tolist()) for n, r in found.items()},
    )


def use(found: Ports, sample: Sample) -> PortUse:
    """The port use of this moment, for the forecasts of later ones."""
    key = destination_keys(found, slice(None))
    order = np.argsort(key)
    return PortUse(sample.clock, key[order], found.used[order], sample.netns)


def _rows(table: SocketTable, found: Mapping[int, _Range]) -> tuple[Index, Bools]:
    """Rows that hold a port of the range, and which of them connect() could reuse."""
    holding = np.zeros(len(table), bool)
    reusable = np.zeros(len(table), bool)
    age = TIMEWAIT_MS - table.expires.astype(np.int64)
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


def _by_netns(table: SocketTable, rows: Index, found: Mapping[int, _Range], mask: str) -> Bools:
    hit = np.zeros(len(rows), bool)
    for netns, value in found.items():
        hit |= (table.netns[rows] == netns) & getattr(value, mask)[table.local_port[rows]]
    return hit


def _taken(table: SocketTable, lead: Index, group: Index, port: U16) -> I64:
    """Ports that are gone for each group.

    One bound to a device lacks those of sockets bound to none, too, but not the other way round:
    inet_match, include/net/inet_hashtables.h.
    """
    groups, ports = [group], [port]
    device = table.interface[lead]
    for one in np.unique(device[device != 0]).tolist():
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


def _headroom_bind(sample: Sample, lead: Index, found: Mapping[int, _Range]) -> I64:
    """Candidates less those with any socket on the same local address or the wildcard, unless
    both are bound to devices that differ: inet_bind_conflict, net/ipv4/inet_connection_sock.c."""
    both = _Places.of(sample.sockets, sample.bound)
    wild = (both.local_hi == 0) & ((both.local_lo == 0) | (both.local_lo == 0xFFFF_0000_0000))
    address = row_hash(both.local_hi, both.local_lo)
    left = np.zeros(len(lead), np.int64)
    links = paired(both.netns[lead], both.interface[lead])
    for link in np.unique(links).tolist():
        netns, device = divmod(link, 1 << 32)
        groups = np.flatnonzero(links == link)
        here = both.netns == netns
        if device:
            here &= (both.interface == 0) | (both.interface == device)
        wanted, inverse = np.unique(address[lead[groups]], return_inverse=True)
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
        here = np.isin(netns, namespaces)
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


def port_bounds(sample: Sample) -> dict[int, tuple[int, int]]:
    """The ephemeral range, first and last port, by namespace."""
    bounds = {kernel.netns: sysctls.port_range(kernel.sysctls) for kernel in sample.kernel}
    return {netns: value for netns, value in bounds.items() if value is not None}
