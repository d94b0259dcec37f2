"""Sample: what the kernel and /proc said at one moment. Nothing here is derived."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import field
from functools import lru_cache

import numpy as np

from tcptop import __version__
from tcptop.model.arrays import index_of
from tcptop.model.container import Container, container_of, unit_of
from tcptop.model.dataclass import dataclass
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.route import Route, RouteKey
from tcptop.model.socket_id import SocketId, socket_keys
from tcptop.model.sockopt import SocketOptions
from tcptop.model.sysctls import SOMAXCONN, Sysctls, number
from tcptop.model.table import EMPTY, F64, I64, U32, U64, SocketTable

# Names of devices that may stand in a filter and in a shell as they are. Others may be anything but
# blank, "/" and ":" (dev_valid_name, net/core/dev.c).
_PLAIN = re.compile(r"(?!(?:and|or|not)$)[A-Za-z0-9_.@-]+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Host:
    hostname: str
    kernel: str
    uptime_s: float
    boot_id: str | None = None  # another one after each boot; None where it is not known


NOT_TOLD = (1 << 42) - 1  # when a process was started, by who does not tell it: in 1,400 years


@dataclass(frozen=True, slots=True)
class Process:
    """What /proc tells of a process; None where it was not permitted or the process was gone."""

    pid: int
    name: str
    cmdline: str
    uid: int | None
    start_time: int  # clock ticks after boot, field 22 of /proc/PID/stat: with pid, the identity
    cgroup: str | None
    open_fds: int | None
    fd_limit: int | None
    netns: int | None
    label: str | None = None  # what the operator calls it, where that says more than the name
    container_name: str | None = None  # the host name of its container, or what that is called

    @property
    def opens_no_more(self) -> bool:
        """Whether its limit is there to forbid it new files, as in a sandbox, not to ration them:
        sshd's is 1 (sandbox-rlimit.c of OpenSSH), others' 0."""
        return self.fd_limit is not None and self.fd_limit <= 1

    @property
    def fd_share(self) -> float | None:
        """Of its soft limit; None where it is not known, or no matter."""
        if self.open_fds is None or self.fd_limit is None or self.opens_no_more:
            return None
        return self.open_fds / self.fd_limit

    @property
    def unit(self) -> str | None:
        """The systemd unit, or slice, that it belongs to."""
        return unit_of(self.cgroup)

    @property
    def container(self) -> Container | None:
        return container_of(self.cgroup, self.container_name)


class Frozen(NamedTuple):
    """`file`, of a control group, is what thaws it: freezer.state of cgroup v1, cgroup.freeze of
    v2; empty where it is not known."""

    file: str


class Throttled(NamedTuple):
    """CPU time that a control group was refused: in `throttled` of some `periods` its processes
    wanted more than their quota, which is in `file` (None: no limit any more)."""

    file: str
    cores: float | None
    periods: int
    throttled: int

    @property
    def share(self) -> float:
        return self.throttled / self.periods


class BusyThread(NamedTuple):
    """The thread of a process that wants a CPU most: it `ran` so much of the time since the look
    before, and `waited` for a CPU, ready to run, so much of it."""

    name: str
    ran: float
    waited: float

    @property
    def wants(self) -> float:
        return self.ran + self.waited


class StuckThreads(NamedTuple):
    """How many threads of a process are in uninterruptible sleep, the longest for so long at
    least."""

    number: int
    for_s: float


class Tracer(NamedTuple):
    """Who holds a process in a tracing stop, as a debugger does; None and 0 are unknown."""

    name: str | None
    pid: int


class SocketMemory(NamedTuple):
    """The limit in `file` of a control group: `used` of `limit` bytes, `sockets` of them by these.

    cgroup v1 limits those of TCP alone, and `used` is the most that they ever had; v2 limits all
    memory, and `met` is how often that was met in the last 10 s. None is unknown.
    """

    file: str
    limit: int
    used: int
    sockets: int | None
    met: int | None = None

    @property
    def share(self) -> float:
        return self.used / self.limit

    @property
    def of_tcp(self) -> bool:
        """As v1 counts it."""
        return self.file.endswith(".kmem.tcp.limit_in_bytes")


@dataclass(frozen=True, slots=True)
class ProcessFacts:
    """What a requested process is doing; None where that is not told."""

    pid: int
    state: str  # as psutil names it: running, sleeping, disk-sleep, stopped, zombie …
    state_s: float  # seconds, at least: since when it was seen so
    cpu_share: float | None  # of one core, since the sample before
    threads: int
    rss: int  # bytes
    started_at: float  # Unix time
    parent: int
    sleeps_in: str | None  # kernel function
    waits_for: frozenset[int] | None  # inodes of the files that its epoll descriptors watch
    parent_name: str | None = None
    directory: str | None = None  # that it works in
    replaced: bool | None = None  # its program file is not there any more, as after an upgrade
    frozen: Frozen | None = None
    writes_to: int | None = None  # the descriptor, a pipe, that its first thread waits to write to
    throttled: Throttled | None = None  # in the last 10 s, or since the look before
    memory: SocketMemory | None = None  # the limit that is nearest
    busiest: BusyThread | None = None
    dns_servers: tuple[str, ...] = ()  # that it has UDP sockets to, where its first thread polls
    tracer: Tracer | None = None  # of one that is in a tracing stop
    stuck: StuckThreads | None = None


@dataclass(frozen=True, slots=True)
class UnixListener:
    """A listening UNIX socket; it holds `backlog` + 1 connections.

    `clients` are the sockets of those that wait, the oldest first, by inode: 0 has closed its end.
    Empty where that is not told.
    """

    inode: int
    path: str  # as ss writes it: @ for an abstract name
    queued: int
    backlog: int
    clients: tuple[int, ...] = ()
    netns: int = 0


class LostSocket(NamedTuple):
    """A TCP socket that is in no dump, as far as is known: 0 and "" are unknown.

    `was` "connected" until a reset or a timeout; a connect() has "failed"; or "unused".
    """

    was: str = ""
    local_port: int = 0
    remote_hi: int = 0
    remote_lo: int = 0
    remote_port: int = 0


@dataclass(frozen=True, slots=True)
class Unlisted:
    """Descriptors of one process whose TCP sockets are in no dump; `known` are some of those."""

    sockets: int
    known: tuple[LostSocket, ...] = ()


IN_RING = -2  # in place of a descriptor


@dataclass(frozen=True, eq=False, slots=True)
class Owners:
    """Who holds which socket inode: one row per (socket, process, descriptor), sorted by inode.

    `unreadable` counts processes whose descriptors may not be read; `unreadable_uids` says whose
    they are. `hidden_from` is the user to whom /proc shows no process of another one (hidepid).
    `complete` is false where the search ran out of its time budget. `unlisted` has, by pid, the
    TCP sockets that are in no dump, of processes that have many. `contained`: processes outside
    this pid namespace are not seen. `threads` has, by inode, thread and descriptor where that is in
    the thread's own table: /proc/PID/fd does not show it, /proc/PID/task/TID/fd does. A descriptor
    IN_RING is none: a ring of io_uring holds the socket. `in_flight` has, by pid, how many
    descriptors wait in its UNIX sockets; it is looked for where sockets have no holder.
    """

    inodes: U32
    pids: I64
    fds: I64
    processes: Mapping[int, Process]
    unreadable: int = 0
    unreadable_uids: frozenset[int] = frozenset()
    complete: bool = True
    hidden_from: int | None = None
    unlisted: Mapping[int, Unlisted] = field(default_factory=dict)
    contained: bool = False
    threads: Mapping[int, tuple[int, int]] = field(default_factory=dict)
    in_flight: Mapping[int, int] = field(default_factory=dict)


NO_OWNERS = Owners(np.zeros(0, np.uint32), np.zeros(0, np.int64), np.zeros(0, np.int64), {})


@dataclass(frozen=True, eq=False, slots=True)
class ListenerPeaks:
    """The longest accept queue of each listener in the polls since the last sample."""

    netns: U32
    cookies: U64
    peaks: U32
    polls: int = 0

    @property
    def key(self) -> U64:
        """What `SocketTable.key` says of these listeners."""
        return socket_keys(self.netns, self.cookies)

    def of(self, keys: U64) -> I64:
        """Those of some listeners by `SocketTable.key`; 0 where none was polled."""
        order = np.argsort(self.key)
        place = index_of(keys, self.key[order])
        longest = np.zeros(len(keys), np.int64)
        longest[place >= 0] = self.peaks[order][place[place >= 0]]
        return longest


NO_PEAKS = ListenerPeaks(EMPTY.netns, EMPTY.cookie, EMPTY.recv_q)


@dataclass(frozen=True, eq=False, slots=True)
class Deaths:
    """Sockets of one namespace that the kernel has destroyed since the sample before.

    Of `sockets` nothing is known but their ends, cookies and tcp_info; listeners and what never
    had another end are left out. `at` is the Unix time at which each was told. As many as `lost`
    were not told, None: some; nor were those of the last `deaf_s` seconds, as there were too many.
    `cookie` is the namespace's.
    """

    netns: int
    sockets: SocketTable = EMPTY
    at: F64 = field(default_factory=lambda: np.zeros(0))
    lost: int | None = 0
    deaf_s: float = 0.0
    cookie: int | None = None


@dataclass(frozen=True, slots=True)
class Kernel:
    """Counters and limits of one namespace; names as the kernel writes them."""

    netns: int
    counters: Mapping[str, Mapping[str, int]] = field(default_factory=dict)  # section -> name
    sockstat: Mapping[str, Mapping[str, int]] = field(default_factory=dict)  # protocol -> name
    sysctls: Sysctls = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Namespace:
    """A network namespace whose sockets are known.

    `pids` are the first of its `processes`, of which the very first is in `cgroup` and in the
    container of that name; None and () where that was not looked for. `clock` is that of the
    moment at which it was looked at; None: with the sample. Only of those without sockets may that
    be earlier.
    """

    inode: int
    name: str | None  # that ip-netns(8) gave it
    interfaces: Mapping[int, str] = field(default_factory=dict)
    pids: tuple[int, ...] = ()
    processes: int | None = None
    cgroup: str | None = None
    container_name: str | None = None
    first: bool = False  # the host's
    clock: float | None = None
    path: str | None = None  # a way in, where it has neither a name nor a process
    cookie: int | None = None  # never that of another one, as the inode may be later

    @property
    def container(self) -> Container | None:
        return container_of(self.cgroup, self.container_name)

    @property
    def title(self) -> str:
        """What the operator calls it, as far as that is known."""
        if self.name is not None or self.first:
            return self.name or "host"
        box = self.container
        named = box and (box.name or (box.id or "")[:12])
        return named or unit_of(self.cgroup) or str(self.inode)


@dataclass(frozen=True, slots=True)
class SampleFilter:
    """What is shown of a sample where nobody asks for something else, as it was typed."""

    filter: tuple[str, ...] = ()
    process: tuple[str, ...] = ()
    port: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False, slots=True)
class Sample:
    """One sample, a value: what it holds belongs to it alone, and it can be stored as it is.

    `taken_at` is the Unix time of the first reply, `clock` a monotonic clock when it began, both in
    seconds.
    """

    taken_at: float
    clock: float
    host: Host
    source: str  # sock_diag, procfs or ss-dump
    privileged: bool
    poll_ms: float
    via: str | None = None  # the command behind which another host was asked
    interval_s: float | None = None  # for which was waited before it; None for the first
    version: str = __version__  # of the tcptop that took it
    sockets: SocketTable = EMPTY
    bound: SocketTable = EMPTY  # bound-inactive: they hold ports and are in no total
    owners: Owners = NO_OWNERS
    peaks: ListenerPeaks = NO_PEAKS
    namespaces: tuple[Namespace, ...] = ()
    kernel: tuple[Kernel, ...] = ()
    # Counters of namespaces that may not be entered, in which no socket is seen.
    unentered: tuple[Kernel, ...] = ()
    cgroups: Mapping[int, str] = field(default_factory=dict)  # cgroup2 id -> path
    cgroups_v1: bool = False  # controllers of cgroup v1 are in use
    users: Mapping[int, str] = field(default_factory=dict)  # uid -> login name
    options: Mapping[SocketId, SocketOptions] = field(default_factory=dict)  # those asked for
    routes: Mapping[RouteKey, Route] = field(default_factory=dict)  # those asked for
    facts: Mapping[int, ProcessFacts] = field(default_factory=dict)  # by pid: those asked for
    # None where the kernel does not tell.
    unix_listeners: tuple[UnixListener, ...] | None = ()
    deaths: tuple[Deaths, ...] = ()  # of the namespaces whose notices are read
    shown: SampleFilter | None = None  # what was asked for when it was recorded; it has everything
    notes: tuple[str, ...] = ()

    @property
    def netns(self) -> frozenset[int]:
        """The namespaces that were looked at for this sample."""
        told = ((each.inode, each.clock) for each in self.namespaces)
        return frozenset(inode for inode, clock in told if clock is None or clock >= self.clock)

    def space(self, netns: int) -> str:
        """What the operator calls a namespace, or its inode; no two are called the same."""
        return titles(self).get(netns, str(netns))

    def kernel_of(self, netns: int) -> Kernel:
        """Counters and limits of a namespace; empty where they were not read."""
        return next((each for each in self.kernel if each.netns == netns), Kernel(netns))

    @property
    def of_file(self) -> bool:
        """A dump that ss wrote to a file has sockets and nothing else."""
        return self.source == "ss-dump" and self.via is None

    @property
    def backlog_told(self) -> bool:
        """/proc/net/tcp has no backlog: 0 there is not a limit."""
        return self.source != "procfs"

    def backlog_clamped(self, row: int) -> bool | None:
        """Whether a listener's backlog is all that its namespace allows, of which listen() may
        have asked for more; None where either is not known."""
        most = number(self.kernel_of(int(self.sockets.netns[row])).sysctls, SOMAXCONN)
        if most is None or not self.backlog_told:
            return None
        return int(self.sockets.send_q[row]) == most

    def zone(self, netns: int, index: int) -> str:
        """`%eth0` after an address, as ss prints it, or `%if7`, which filters take as well; empty
        where the index is 0."""
        if not index:
            return ""
        name = self.device(netns, index) or ""
        return f"%{name}" if _PLAIN.fullmatch(name) else f"%if{index}"

    def device(self, netns: int, index: int) -> str | None:
        """The name of an interface; None where it has none there (any more)."""
        here = (each for each in self.namespaces if each.inode == netns)
        return next((each.interfaces.get(index) for each in here), None)


@lru_cache(maxsize=2)
def titles(sample: Sample) -> Mapping[int, str]:
    """Of every namespace what `Namespace.title` says, with its inode where others are called the
    same: replicas of one container, shells of one unit."""
    called = {each.inode: each.title for each in sample.namespaces}
    number = Counter(called.values())
    return {i: f"{title}/{i}" if number[title] > 1 else title for i, title in called.items()}
