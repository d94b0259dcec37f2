"""What is remembered between samples: bounded, and rebuilt by feeding the samples again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcptop.analysis.dialing import Dialing
from tcptop.analysis.findings.active import Active
from tcptop.analysis.findings.summary import SampleSummary
from tcptop.model.closed import Closed, joined
from tcptop.model.dataclass import dataclass
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.pace import NONE as NO_PACES
from tcptop.model.pace import Paces
from tcptop.model.sample import Kernel, Namespace, Process, Sample
from tcptop.model.snapshot import Apparent, FormerSpace, Ports, Trend
from tcptop.model.table import EMPTY, F64, I64, U8, U16, U32, U64, Bools, Index, SocketTable

TREND = 120  # samples of the state counts
CLOSED = 40_000  # connections that have ended
GAPS = 8
PART = 4096  # of them, from which no more are put together


@dataclass(frozen=True, eq=False, slots=True)
class KnownSockets:
    """Sockets seen before, one row each; NaN and -1 are unknown.

    First those of the last sample, in its order, then those that it missed.
    """

    key: U64  # SocketTable.key
    clock: F64  # when it was last seen
    first_seen: F64
    witnessed: Bools  # it was not there in the sample before it was first seen
    state: U8
    misses: U8
    process: Index  # last process that held it: a key of History.processes
    peak: I64
    drops: F64
    bytes_sent: F64
    bytes_received: F64
    total_retrans: F64
    state_since: F64  # clocks of the first sample that showed it as it still is
    unacked_since: F64
    unread_since: F64
    silent_since: F64
    acked: F64  # bytes_acked when it last rose; NaN while nothing waits for it
    consumed: F64  # bytes_received less Recv-Q at unread_since; NaN while that is empty
    ack_pause: F64  # the longest time for which they stood still and went on
    read_pause: F64
    segs_in: F64
    send_q: F64
    rises: U8
    delayed: U8
    cgroup: U64  # id; 0 while the kernel has not told it

    def __len__(self) -> int:
        return len(self.key)

    def take(self, rows: Index | Bools) -> KnownSockets:
        return KnownSockets(*(getattr(self, item.name)[rows] for item in fields(self)))


def _no_sockets() -> KnownSockets:
    kinds = ["u8", "f8", "f8", "?", "u1", "u1", "i8", "i8", *["f8"] * 14, "u1", "u1", "u8"]
    return KnownSockets(*(np.zeros(0, kind) for kind in kinds))


def _no_destinations() -> Apparent:
    return Apparent(np.zeros(0, np.uint64), np.zeros(0, np.int64), np.zeros(0), {})


class SocketEnds(NamedTuple):
    """Columns of the last sample's sockets: between which ends they are."""

    netns: U32
    local_hi: U64
    local_lo: U64
    local_port: U16
    remote_hi: U64
    remote_lo: U64
    remote_port: U16


def ends(table: SocketTable) -> SocketEnds:
    return SocketEnds(*(getattr(table, name) for name in SocketEnds._fields))


class AbsentSockets(NamedTuple):
    """Sockets that a sample has missed, the newest last, and their ends."""

    key: U64  # SocketTable.key
    ends: SocketEnds


class Looks(NamedTuple):
    """When a namespace was read last, and the seconds between the last few times."""

    clock: float
    gaps: tuple[float, ...] = ()


def looks(sample: Sample, before: Mapping[int, Looks]) -> dict[int, Looks]:
    """With those of this sample."""
    clocks = {s.inode: sample.clock if s.clock is None else s.clock for s in sample.namespaces}
    return {inode: _look(clock, before.get(inode)) for inode, clock in clocks.items()}


def _look(clock: float, before: Looks | None) -> Looks:
    if before is None or clock <= before.clock:
        return before or Looks(clock)
    return Looks(clock, (*before.gaps, clock - before.clock)[-GAPS:])


@dataclass(frozen=True, eq=False, slots=True)
class PortUse:
    """Used ports of each destination at one moment, sorted by key."""

    clock: float
    key: U64
    used: I64
    namespaces: frozenset[int]  # that were looked at


class KnownPorts(NamedTuple):
    """Ports that were found in the last sample, and what decides them (`ports.DECISIVE`)."""

    found: Ports
    columns: tuple[NDArray[Any], ...]
    sysctls: tuple[tuple[int, Mapping[str, str]], ...]  # by namespace


@dataclass(frozen=True, eq=False, slots=True)
class History:
    """Everything `derive` wants to know of the samples before this one."""

    began: float | None = None  # clock of the first sample
    clock: float = 0.0  # of the last
    looks: Mapping[int, Looks] = field(default_factory=dict)  # by namespace
    known: KnownSockets = field(default_factory=_no_sockets)
    ends: SocketEnds = field(default_factory=lambda: ends(EMPTY))  # of the first of those known
    pending: SocketTable = field(default_factory=lambda: EMPTY)  # of the last sample
    absent: AbsentSockets = field(default_factory=lambda: AbsentSockets(EMPTY.key, ends(EMPTY)))
    # In no dump any more, though their end was not told: the newest last.
    vanished: KnownSockets = field(default_factory=_no_sockets)
    closed: tuple[Closed, ...] = ()  # the newest last
    apparent: Apparent = field(default_factory=_no_destinations)
    open: int = 0  # sockets of the last sample whose end will be told
    closes_seen: int = 0  # since `began`
    closes_lost: int = 0
    processes: Mapping[int, Process] = field(default_factory=dict)
    opened: int = 0  # connections seen to open since `began`
    counted: int = 0  # those that the kernel counted
    namespaces: frozenset[int] = frozenset()  # of the last sample
    spaces: Mapping[int, Namespace] = field(default_factory=dict)  # the same, by inode
    former: Mapping[int, FormerSpace] = field(default_factory=dict)  # as in Snapshot
    kernel: Mapping[int, Kernel] = field(default_factory=dict)
    listener_ports: Mapping[int, frozenset[int]] = field(default_factory=dict)
    port_use: tuple[PortUse, ...] = ()
    ports: KnownPorts | None = None  # None: they are found anew
    dialing: Dialing = field(default_factory=Dialing)  # of the last sample
    trend: Trend = field(default_factory=lambda: Trend(np.zeros(0), np.zeros((0, 12), np.int64)))
    paces: Paces = NO_PACES
    summaries: tuple[SampleSummary, ...] = ()
    active: Mapping[str, Active] = field(default_factory=dict)  # findings by key


def with_trend(trend: Trend, clock: float, by_state: tuple[int, ...]) -> Trend:
    """The trend with one more sample, the oldest forgotten."""
    clocks = np.append(trend.clock, clock)[-TREND:]
    counts = np.vstack([trend.by_state, np.array([by_state], np.int64)])[-TREND:]
    return Trend(clocks, counts)


def with_closed(before: tuple[Closed, ...], present: Closed) -> tuple[Closed, ...]:
    """Those that ended with some more, the oldest forgotten.

    In parts, which snapshots share; small ones are put together, each row some ten times.
    """
    if not len(present):
        return before
    parts = list(before)
    while parts and len(parts[-1]) <= len(present) and len(present) < PART:
        present = joined([parts.pop(), present])
    parts.append(present)
    number = sum(map(len, parts))
    while number - len(parts[0]) >= CLOSED:
        number -= len(parts.pop(0))
    return tuple(parts)
