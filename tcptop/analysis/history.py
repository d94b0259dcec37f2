"""What is remembered between samples: bounded, and rebuilt by feeding the samples again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcptop.analysis.findings.active import Active
from tcptop.analysis.findings.summary import SampleSummary
from tcptop.model import tcp
from tcptop.model.arrays import index_of
from tcptop.model.sample import Kernel, Process, Sample
from tcptop.model.snapshot import Trend
from tcptop.model.table import F64, I64, U8, U64, Bools, Index, SocketTable

MISSES = 2  # a crowded hash may skip a live socket in one dump, so one miss proves nothing
TREND = 120  # samples of the state counts
COUNTERS = ("bytes_sent", "bytes_received", "total_retrans")


@dataclass(frozen=True, eq=False, slots=True)
class KnownSockets:
    """Sockets seen before, one row each, sorted by key; NaN and -1 are unknown."""

    key: U64  # SocketTable.key
    clock: F64  # when it was last seen
    first_seen: F64
    witnessed: Bools  # it was not there in the sample before it was first seen
    state: U8
    misses: U8
    process: Index  # last process that held it: a key of History.people
    peak: I64
    drops: F64
    bytes_sent: F64
    bytes_received: F64
    total_retrans: F64
    state_since: F64  # clocks of the first sample that showed it as it still is
    unacked_since: F64
    unread_since: F64
    silent_since: F64
    acked: F64  # bytes_acked; NaN while nothing waits for it
    consumed: F64  # bytes_received less Recv-Q; NaN while that is empty
    ack_pause: F64  # the longest time for which they stood still and went on
    read_pause: F64
    segs_in: F64
    send_q: F64
    rises: U8
    delayed: U8

    def __len__(self) -> int:
        return len(self.key)

    def take(self, rows: Index | Bools) -> KnownSockets:
        return KnownSockets(*(getattr(self, item.name)[rows] for item in fields(self)))


def _no_sockets() -> KnownSockets:
    kinds = ["u8", "f8", "f8", "?", "u1", "u1", "i8", "i8", *["f8"] * 14, "u1", "u1"]
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
    opens: int = 0  # connections seen to open since `began`
    counted: int = 0  # those that the kernel counted
    namespaces: frozenset[int] = frozenset()  # of the last sample
    kernel: Mapping[int, Kernel] = field(default_factory=dict)
    listener_ports: Mapping[int, frozenset[int]] = field(default_factory=dict)
    port_use: tuple[PortUse, ...] = ()
    trend: Trend = field(default_factory=lambda: Trend(np.zeros(0), np.zeros((0, 12), np.int64)))
    summaries: tuple[SampleSummary, ...] = ()
    active: Mapping[str, Active] = field(default_factory=dict)  # findings by key


@dataclass(frozen=True, eq=False, slots=True)
class SocketJoin:
    """This sample's sockets joined with the known ones.

    `order` sorts the rows by key; `place` is each row's place in the known sockets, or -1.
    """

    order: Index
    place: Index
    clock: float
    dt: float | None  # since the sample before; None at the first
    first_look: Bools  # rows of namespaces that the sample before had not

    @property
    def new(self) -> Bools:
        """Rows that were not there before; all of them at the first sample."""
        return self.place < 0

    @property
    def arrived(self) -> Bools:
        """Rows that were not there before, in a namespace that was looked at."""
        return self.new & ~self.first_look


def join(sample: Sample, history: History) -> SocketJoin:
    table, clock = sample.sockets, sample.clock
    dt = None if history.began is None else max(clock - history.clock, 1e-3)
    key = table.key
    fresh = np.unique(table.netns) if dt is None else [*sample.netns - history.namespaces]
    first_look = np.isin(table.netns, fresh)
    return SocketJoin(np.argsort(key), index_of(key, history.known.key), clock, dt, first_look)


def recalled(values: F64, joined: SocketJoin) -> F64:
    """A known column for this sample's rows; NaN for new ones."""
    out = np.full(len(joined.place), np.nan)
    old = joined.place >= 0
    out[old] = values[joined.place[old]]
    return out


def counter(table: SocketTable, name: str) -> F64:
    """A cumulative tcp_info field as float; NaN where the kernel did not say.

    `bytes_sent` counts since 4.19; before that what was acknowledged stands in.
    """
    values = table.info_of(name)
    if name == "bytes_sent":
        values = np.where(np.isnan(values), table.info_of("bytes_acked"), values)
    return values


def rate(values: F64, before: F64, joined: SocketJoin, known: KnownSockets) -> F64:
    """Per second since a row was last seen; the counter of a new socket began at 0.

    So did that of one that was half-open, whose counters the kernel did not tell then. NaN at the
    first look at a namespace, where unknown, and where a counter ran backwards.
    """
    if joined.dt is None:
        return np.full(len(values), np.nan)
    elapsed = np.where(joined.new, joined.dt, joined.clock - recalled(known.clock, joined))
    elapsed[joined.new & joined.first_look] = np.nan
    grown = values - np.nan_to_num(before)
    return np.where(grown >= 0, grown / np.maximum(elapsed, 1e-3), np.nan)


def remember(
    known: KnownSockets,
    table: SocketTable,
    joined: SocketJoin,
    process: Index,
    peak: I64,
    progress: Iterable[NDArray[Any]],
) -> KnownSockets:
    """The known sockets after this sample: all of its rows, and those missed fewer than twice."""
    old = joined.place >= 0
    first_seen = np.where(old, recalled(known.first_seen, joined), joined.clock)
    # While a socket is handed over or closed nobody has it open: its process is not forgotten.
    alone = old & (process < 0)
    holder = process.copy()
    holder[alone] = known.process[joined.place[alone]]
    witnessed = joined.arrived
    witnessed[old] = known.witnessed[joined.place[old]]
    columns: list[NDArray[Any]] = [
        table.key,
        np.full(len(table), joined.clock),
        first_seen,
        witnessed,
        table.state,
        np.zeros(len(table), np.uint8),
        holder,
        peak,
        table.drops(),
        *(counter(table, name) for name in COUNTERS),
        *progress,
    ]
    rows = KnownSockets(*columns).take(joined.order)
    return _merged(rows, _missed(known, joined))


def _missed(known: KnownSockets, joined: SocketJoin) -> KnownSockets:
    seen = np.zeros(len(known), bool)
    seen[joined.place[joined.place >= 0]] = True
    missed = known.take(~seen)
    missed.misses[:] += 1
    return missed.take(missed.misses < MISSES)


def _merged(rows: KnownSockets, missed: KnownSockets) -> KnownSockets:
    if not len(missed):
        return rows
    both = KnownSockets(
        *(
            np.concatenate([getattr(rows, item.name), getattr(missed, item.name)])
            for item in fields(KnownSockets)
        )
    )
    return both.take(np.argsort(both.key))


def with_trend(trend: Trend, clock: float, by_state: tuple[int, ...]) -> Trend:
    """The trend with one more sample, the oldest forgotten."""
    clocks = np.append(trend.clock, clock)[-TREND:]
    counts = np.vstack([trend.by_state, np.array([by_state], np.int64)])[-TREND:]
    return Trend(clocks, counts)


def witnessed_opens(table: SocketTable, joined: SocketJoin, known: KnownSockets) -> int:
    """Connections first seen open in this sample; half-open ones count when they are open."""
    fresh, old = joined.arrived, ~joined.new
    fresh[old] = known.state[joined.place[old]] == tcp.SYN_RECV
    return int(np.count_nonzero(fresh & ~np.isin(table.state, (tcp.SYN_RECV, tcp.LISTEN))))
