"""Snapshot: what a sample and those before it mean. Views show nothing else.

Columns are numpy arrays; NaN is an unknown number, -1 an unknown index or count.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

import numpy as np

from tcptop.model.closed import Closed
from tcptop.model.dataclass import dataclass
from tcptop.model.finding import Finding, Silence
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.pace import NONE as NO_PACES
from tcptop.model.pace import Paces
from tcptop.model.sample import Process, Sample
from tcptop.model.source import NO_REQUESTS, Requests
from tcptop.model.table import ALL, F64, I64, U8, U32, U64, Bools, Index, Rows


@dataclass(frozen=True, eq=False, slots=True)
class Holders:
    """Who holds each socket: entries start[i] to start[i + 1] belong to row i of the table.

    `process` indexes `processes`; `fd` is -1 where the process no longer holds the socket but is
    remembered for it, and IN_RING where a ring of io_uring holds it. A process is listed once a
    socket.
    """

    start: Index
    row: Index
    process: Index
    fd: I64
    processes: tuple[Process, ...]

    @property
    def held(self) -> Bools:
        """The entries of processes that hold the socket still."""
        held: Bools = self.fd != -1
        return held

    def first(self, rows: Rows = ALL) -> Index:
        """Of each row its first holder, a place in `processes`; -1 where it has none."""
        start, end = self.start[:-1][rows], self.start[1:][rows]
        some, first = start < end, np.full(len(start), -1, np.int64)
        first[some] = self.process[start[some]]
        return first

    def at(self, places: Index) -> list[Process | None]:
        """The processes at places in `processes`; None for -1."""
        return [self.processes[n] if n >= 0 else None for n in places.tolist()]

    def of(self, row: int) -> list[tuple[Process, int]]:
        """The holders of one socket, with a descriptor."""
        entries = range(int(self.start[row]), int(self.start[row + 1]))
        return [(self.processes[int(self.process[i])], int(self.fd[i])) for i in entries]


@dataclass(frozen=True, eq=False, slots=True)
class Listeners:
    """One per LISTEN row; `row` is its place in the socket table."""

    row: Index
    peak: I64  # longest accept queue seen since start
    syn_queue: I64  # half-open connections; members of one SO_REUSEPORT group share the number
    drops_per_s: F64
    siblings: I64  # LISTEN sockets on the same address and port, itself included

    def __len__(self) -> int:
        return len(self.row)


@dataclass(frozen=True, eq=False, slots=True)
class Processes:
    """Sockets by (process, namespace); process -1 gathers those that nobody can be named for.

    `members` is how many processes a row stands for, of which `process` is one; 0 for none.
    `workload` is -1 for a process, else the number of the unit or container that a row gathers.
    """

    process: Index
    owner: U8
    netns: U32
    sockets: I64
    shared: I64
    by_state: I64  # (n, 12), indexed by the kernel's number
    recv_q: I64
    send_q: I64
    bytes_sent_per_s: F64
    bytes_received_per_s: F64
    retransmits_per_s: F64
    members: I64
    workload: I64

    def __len__(self) -> int:
        return len(self.process)


@dataclass(frozen=True, eq=False, slots=True)
class Ports:
    """Ephemeral ports by (namespace, device, local address, remote address and port).

    `group` has, for each row of the socket table, the number of its group here, or -1.
    """

    key: U64  # what identifies them, sorted
    group: Index
    netns: U32
    local_hi: U64
    local_lo: U64
    remote_hi: U64
    remote_lo: U64
    remote_port: I64
    interface: U32  # that the sockets are bound to; 0: none
    used: I64
    time_wait: I64
    blocked: I64
    capacity: I64
    headroom: I64
    headroom_bind: I64
    opens_per_s: F64
    closes_per_s: F64
    exhausted_in_s: F64
    listening: Mapping[int, frozenset[int]]  # netns -> ports of listeners, of past ones too

    def __len__(self) -> int:
        return len(self.netns)


@dataclass(frozen=True, eq=False, slots=True)
class Remotes:
    """Sockets by remote address (remote_port -1), or by address and port, and by device; `group`
    and `interface` as in Ports."""

    group: Index
    netns: U32
    remote_hi: U64
    remote_lo: U64
    remote_port: I64
    interface: U32
    sockets: I64
    by_state: I64
    recv_q: I64
    send_q: I64
    retransmits_per_s: F64
    rtt_us: F64  # median

    def __len__(self) -> int:
        return len(self.netns)


@dataclass(frozen=True, eq=False, slots=True)
class NamespaceTotals:
    """Sockets by network namespace, sorted by `netns`: all of the sample's, those without sockets
    too."""

    netns: U32
    sockets: I64
    by_state: I64
    recv_q: I64
    send_q: I64
    retransmits_per_s: F64

    def __len__(self) -> int:
        return len(self.netns)


@dataclass(frozen=True, eq=False, slots=True)
class Durations:
    """How long sockets have been as they are: seconds, at least; 0 where only just seen.

    `unacked_s`: bytes wait in Send-Q and none was acknowledged. `unread_s`: bytes wait in Recv-Q
    and none was consumed, or `crawled` bytes, as good as none. `ack_pause_s` and `read_pause_s`:
    the longest such time after which it went on. `silent_s`: no segment came. NaN where the kernel
    does not count those.
    `rises`: samples in a row in which Send-Q grew. `delayed`: a bit for each of the last five
    samples, lowest the present one: less than a segment waits unsent behind a single unacked one.
    """

    state_s: F64
    unacked_s: F64
    unread_s: F64
    crawled: F64
    ack_pause_s: F64
    read_pause_s: F64
    silent_s: F64
    rises: U8
    delayed: U8


@dataclass(frozen=True, slots=True)
class Totals:
    sockets: int
    by_state: tuple[int, ...]  # indexed by the kernel's number
    attributed: int
    opened: int  # connections that were seen to open since the first sample
    counted: int  # those that the kernel counted as opened
    closes_seen: int = 0  # sockets whose end was told since the first sample
    closes_lost: int = 0  # and those whose end was not, as far as that is known

    @property
    def opens_seen_ratio(self) -> float | None:
        """None while nothing was counted; at most 1: counters are read after the sockets."""
        return min(self.opened / self.counted, 1.0) if self.counted > 0 else None


@dataclass(frozen=True, eq=False, slots=True)
class Ended:
    """What has ended since the sample before, in so many `seconds` (NaN at the first), in the
    namespaces of which it was told; `unseen` are those that no sample saw open."""

    closed: Closed
    unseen: Bools
    told: frozenset[int]
    seconds: float


@dataclass(frozen=True, eq=False, slots=True)
class Apparent:
    """Destinations, sorted by key, and whose the connections to each are that were seen with a
    process: a key of `processes`, -1 where they are of several programs. `clock` is when the last
    one was first seen."""

    key: U64
    process: Index
    clock: F64
    processes: Mapping[int, Process]


class FormerSpace(NamedTuple):
    """A network namespace that has ended; None where it was not told."""

    inode: int
    title: str
    cookie: int | None


@dataclass(frozen=True, eq=False, slots=True)
class Trend:
    """Sockets by state of the last samples, oldest first: `clock` (k,), `by_state` (k, 12)."""

    clock: F64
    by_state: I64


@dataclass(frozen=True, eq=False, slots=True)
class Snapshot:
    """One moment, understood. Per-socket columns lie beside `sample.sockets`."""

    sample: Sample
    over_s: float | None  # how long was watched; None after a single sample: no rate is known
    owner: U8  # codes of model.owner
    note: U8  # codes of model.owner: why the owner is not a process
    queue: Index  # the listener's row a connection waits at, in accept or SYN queue; else -1
    cgroup: U64  # the id of that it was made in, where it was told once; 0: unknown
    holders: Holders
    age_s: F64
    seen_s: F64
    bytes_sent_per_s: F64
    bytes_received_per_s: F64
    retransmits_per_s: F64
    totals: Totals
    listeners: Listeners
    processes: Processes
    ports: Ports
    remotes: Remotes
    namespaces: NamespaceTotals
    kernel_rates: Mapping[int, Mapping[str, Mapping[str, float]]]  # netns -> section -> name
    trend: Trend
    durations: Durations
    changes: I64  # (12, 12): sockets by state in the sample before, 0 new, and now, 0 gone
    ended: Ended
    apparent: Apparent  # whose connections are that nobody holds any more
    closed: tuple[Closed, ...] = ()  # since the first sample, the newest last
    # Namespaces that have ended, of which some of `closed` were: by inode, and by a small number
    # where another one has that inode now.
    former: Mapping[int, FormerSpace] = field(default_factory=dict)
    paces: Paces = NO_PACES  # of connections that have much to move, what holds them back
    findings: tuple[Finding, ...] = ()  # worst first
    silent: tuple[Silence, ...] = ()  # the rules whose input could not be read
    idle_timeout_s: float = 350.0  # after which what is on the way forgets a connection
    requests: Requests = NO_REQUESTS  # what the findings would be surer with

    def space(self, netns: int) -> str:
        """What the operator calls a namespace, or its inode, whether it is there or has ended."""
        former = self.former.get(netns)
        return former.title if former else self.sample.space(netns)
