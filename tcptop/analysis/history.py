"""What is remembered between samples: bounded, and rebuilt by feeding the samples again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields

import numpy as np

from tcptop.analysis.dialing import Dialing
from tcptop.analysis.findings.active import Active
from tcptop.analysis.findings.summary import SampleSummary
from tcptop.model.sample import Kernel, Process
from tcptop.model.snapshot import Trend
from tcptop.model.table import F64, I64, U8, U64, Bools, Index

TREND = 120  # samples of the state counts


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


@dataclass(frozen=True, eq=False, slots=True)
class PortUse:
    """Used ports of each destination at one moment, sorted by key."""

    clock: float
    key: U64
    used: I64
    namespaces: frozenset[int]  # that were looked at


@dataclass(frozen=True, eq=False, slots=True)
class History:
    """Everything `derive` wants to know of the samples before this one."""

    began: float | None = None  # clock of the first sample
    clock: float = 0.0  # of the last
    known: KnownSockets = field(default_factory=_no_sockets)
    processes: Mapping[int, Process] = field(default_factory=dict)
    opened: int = 0  # connections seen to open since `began`
    counted: int = 0  # those that the kernel counted
    namespaces: frozenset[int] = frozenset()  # of the last sample
    kernel: Mapping[int, Kernel] = field(default_factory=dict)
    listener_ports: Mapping[int, frozenset[int]] = field(default_factory=dict)
    port_use: tuple[PortUse, ...] = ()
    dialing: Dialing = field(default_factory=Dialing)  # of the last sample
    trend: Trend = field(default_factory=lambda: Trend(np.zeros(0), np.zeros((0, 12), np.int64)))
    summaries: tuple[SampleSummary, ...] = ()
    active: Mapping[str, Active] = field(default_factory=dict)  # findings by key


def with_trend(trend: Trend, clock: float, by_state: tuple[int, ...]) -> Trend:
    """The trend with one more sample, the oldest forgotten."""
    clocks = np.append(trend.clock, clock)[-TREND:]
    counts = np.vstack([trend.by_state, np.array([by_state], np.int64)])[-TREND:]
    return Trend(clocks, counts)
