"""What one network namespace says at one moment: its sockets, queues, counters, limits, routes."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from tcptop.model import tcp
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.route import Route, RouteKey
from tcptop.model.sample import (
    NO_PEAKS,
    Deaths,
    Kernel,
    ListenerPeaks,
    UnixListener,
)
from tcptop.model.source import Requests
from tcptop.model.table import EMPTY, SocketTable
from tcptop.sources import counters, namespaces, proc_net_tcp, unix_listeners
from tcptop.sources.deaths import DeathListener, DeathReader
from tcptop.sources.routes import RouteReader
from tcptop.sources.sock_diag import (
    ACCEPT_QUEUES,
    EVERYTHING,
    EXT,
    EXT_CONG,
    Request,
    SockDiag,
    SockDiagError,
)

CONG_UP_TO = 20_000  # sockets; it never changes and costs 16 bytes a row: large hosts go without


class Reading(NamedTuple):
    """`taken_at` is the Unix time of the first reply, `clock` a monotonic one when it began. The
    rest is as in Sample."""

    netns: int
    cookie: int | None  # of the namespace
    taken_at: float
    clock: float
    sockets: SocketTable
    bound: SocketTable
    peaks: ListenerPeaks
    interfaces: Mapping[int, str]
    kernel: Kernel
    routes: dict[RouteKey, Route]
    unix_listeners: tuple[UnixListener, ...] | None
    deaths: Deaths | None


class NamespaceReader:
    """Made, and asked to read, by threads that are in the namespace. It pins it: close it.

    `dump` asks for less than everything. `home` is the reader of another namespace, from which a
    thread comes only to read this one: then as few files as possible are kept open. Raises
    SockDiagError or OSError where neither sock_diag nor /proc/net/tcp can be read.
    """

    def __init__(
        self,
        netns: int,
        dump: Request | None = None,
        home: NamespaceReader | None = None,
        deaths: DeathListener | None = None,
    ) -> None:
        self.netns = netns
        self._cookie = namespaces.cookie()
        self.why_not = ""  # there is no sock_diag
        self.listens = False  # there were listeners in the last reading
        self.open = 0  # sockets in it whose end will be told
        self._dump = dump
        self._routes = RouteReader(netns)
        self._kernel = (
            counters.VisitingKernelReader(netns) if home else counters.KernelReader(netns)
        )
        self._queues: dict[int, int] = {}  # the longest since the last reading, by cookie
        self._polls = 0
        self._rows = namespaces.sockets_in_use()
        self._diag: SockDiag | None = self._open(home._diag if home else None)
        self.not_told = ""  # why it is not told what ends
        self._opens: tuple[float, int] | None = None  # when, and how many there were
        self._deaths = self._listening(deaths) if deaths and self._diag else None

    def close(self) -> None:
        self._kernel.close()
        if self._deaths:
            self._deaths.close()
        if self._diag:
            self._diag.close()

    @property
    def by_sock_diag(self) -> bool:
        """Else from /proc/net/tcp."""
        return self._diag is not None

    def request(self, wanted: Requests) -> None:
        self._routes.request(wanted.routes)

    def read(self) -> Reading:
        """What the kernel says now."""
        clock = time.monotonic()
        deaths = self.deaths()  # before the dump, which has the TIME_WAIT rows of these
        table, taken_at = self._sockets()
        sockets, bound = self._apart(table)
        self._rows = len(sockets)
        self.open = _open(sockets)
        listening = sockets.local_port[sockets.state == tcp.LISTEN].tolist()
        self.listens = bool(listening)
        return Reading(
            netns=self.netns,
            cookie=self._cookie,
            taken_at=taken_at,
            clock=clock,
            sockets=sockets,
            bound=bound,
            peaks=self._take_peaks(),
            interfaces=namespaces.interfaces(),
            kernel=self._counted(clock),
            routes=self._routes.read(),
            unix_listeners=unix_listeners.read(self.netns),
            deaths=deaths,
        )

    def _counted(self, clock: float) -> Kernel:
        """Counters and limits; how many connections open says how many will end."""
        kernel = self._kernel.read()
        told = kernel.counters.get("Tcp", {})
        opens, before = told.get("ActiveOpens", 0) + told.get("PassiveOpens", 0), self._opens
        self._opens = (clock, opens)
        if self._deaths and before and clock > before[0]:
            self._deaths.expect((opens - before[1]) / (clock - before[0]))
        return kernel

    def deaths(self) -> Deaths | None:
        """What has ended since the last time; None where that is not told."""
        return replace(self._deaths.read(), cookie=self._cookie) if self._deaths else None

    def last_deaths(self) -> Deaths | None:
        """The same, once nobody is in there: what was open has ended, told or not, unless a process
        elsewhere holds it."""
        told = self.deaths()
        if told is None or told.lost is None or self._diag is None:
            return told
        try:
            left = _open(self._diag.dump(EVERYTHING._replace(ext=0)))
        except OSError:
            left = 0
        return replace(told, lost=max(told.lost, self.open - left - len(told.sockets)))

    def poll_listeners(self) -> None:
        """Remember each listener's longest accept queue until the next reading. From any thread."""
        if self._diag is None:
            return
        queues = self._diag.accept_queues()
        self._polls += 1
        for cookie, queued in queues:
            if queued > self._queues.get(cookie, -1):
                self._queues[cookie] = queued

    def _open(self, beside: SockDiag | None) -> SockDiag | None:
        try:
            diag = SockDiag(self.netns, beside)
        except SockDiagError as error:
            self.why_not = str(error.strerror)
            return None
        try:
            diag.dump(ACCEPT_QUEUES)
        except SockDiagError as error:
            self.why_not = str(error.strerror)
            diag.close()
            return None
        diag.expected = self._rows
        return diag

    def _listening(self, deaths: DeathListener) -> DeathReader | None:
        try:
            return deaths.open(self.netns)
        except OSError as error:
            self.not_told = str(error.strerror)
            return None

    def _sockets(self) -> tuple[SocketTable, float]:
        if self._diag is None:
            taken_at = time.time()
            return proc_net_tcp.read(self.netns), taken_at
        ext = EXT | EXT_CONG if self._rows <= CONG_UP_TO else EXT
        table = self._diag.dump(self._dump or EVERYTHING._replace(ext=ext))
        return table, self._diag.replied_at

    def _apart(self, table: SocketTable) -> tuple[SocketTable, SocketTable]:
        """Sockets, and those that are only bound: CLOSE without tcp_info (icsk is NULL)."""
        idle = (table.state == tcp.CLOSE) & ~table.came(tcp.INFO)
        if self._diag is None or not idle.any():
            return table, EMPTY
        return table.take(~idle), table.take(idle)

    def _take_peaks(self) -> ListenerPeaks:
        if not self._queues:
            return NO_PEAKS
        cookies = np.fromiter(self._queues.keys(), np.uint64)
        longest = np.fromiter(self._queues.values(), np.uint32)
        netns = np.full(len(cookies), self.netns, np.uint32)
        peaks = ListenerPeaks(netns, cookies, longest, self._polls)
        self._queues, self._polls = {}, 0
        return peaks


def _open(sockets: SocketTable) -> int:
    """How many there are whose end will be told; one that was reset looks like one never used."""
    never = (sockets.state == tcp.LISTEN) | (sockets.state == tcp.CLOSE)
    return int(np.count_nonzero(~sockets.mini() & ~never))
