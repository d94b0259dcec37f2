"""Every network namespace but the reader's own, each read by a thread that enters it for that.

A netlink socket keeps its namespace alive. So those of a namespace to which nothing else leads any
more, no process, name or mount, are closed.
"""

from __future__ import annotations

import errno
import math
import os
import resource
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

from tcptop.model.sample import Deaths
from tcptop.model.source import NO_REQUESTS, Requests
from tcptop.sources import namespaces
from tcptop.sources.deaths import DeathListener
from tcptop.sources.namespace_finder import Found, NamespaceFinder
from tcptop.sources.namespace_reader import NamespaceReader, Reading
from tcptop.sources.sock_diag import Request, SockDiagError

IDLE_S = 1e-3  # a sample, to ask those that were empty whether they still are: 30 µs each
DESCRIPTORS = 1 << 16
WORKER_S = 0.02
POLLS_S = 2e-3  # at a time, for the listeners of some: 50 µs a namespace


class OtherNamespaces:
    """`home` reads the caller's own. `sparing`: of many without sockets only some are asked in each
    sample whether they still have none. Close it."""

    def __init__(
        self,
        home: NamespaceReader,
        finder: NamespaceFinder,
        dump: Request | None = None,
        sparing: bool = False,
        deaths: DeathListener | None = None,
    ) -> None:
        self._home = home
        self._finder = finder
        self._dump = dump
        self._deaths = deaths
        # What has ended in those that are empty now, or let go, at the last reading and since.
        self.ended: list[Deaths] = []
        self._last: list[Deaths] = []
        self._idle_s = IDLE_S if sparing else math.inf
        self._requests = NO_REQUESTS
        self._found: Mapping[int, Found] = {}
        self._readers: dict[int, NamespaceReader] = {}
        # Those without sockets, by inode: a monotonic clock when they were asked for the last time.
        self.empty: dict[int, float] = {}
        # The cookie of each of those, and by whom it was known when that was asked for.
        self._cookies: dict[int, tuple[tuple[int, ...], int | None]] = {}
        self.refused: dict[int, str] = {}  # by inode: why those could not be read
        self._polled = 0
        self.took_s = 0.0  # of a processor, for the last reading of all
        _allow_descriptors()
        # A thread has a namespace of its own: that of the others stays as it is.
        self._thread = ThreadPoolExecutor(1, "namespaces")

    def close(self) -> None:
        self._thread.shutdown()
        for reader in self._readers.values():
            reader.close()

    def request(self, wanted: Requests) -> None:
        self._requests = wanted
        for reader in self._readers.values():
            reader.request(wanted)

    def read(self, found: Mapping[int, Found]) -> list[Reading]:
        """Of each that has sockets, by inode; the others are `empty`."""
        self._found = {inode: each for inode, each in found.items() if inode != self._home.netns}
        self._bury(self._dead())
        self.empty = {i: clock for i, clock in self.empty.items() if i in self._found}
        self._cookies = {i: each for i, each in self._cookies.items() if i in self._found}
        self.refused = {}
        readings = self._thread.submit(self._read_all).result()
        self.ended, self._last = self._last, []
        return readings

    def cookie(self, inode: int) -> int | None:
        """Of one without sockets."""
        return self._cookies.get(inode, ((), None))[1]

    def not_told(self) -> list[str]:
        """Why it is not told what ends, of each where it is not."""
        return [each.not_told for each in self._readers.values() if each.not_told]

    def poll_listeners(self) -> None:
        """Those of some namespaces, the next ones at the next call."""
        readers = [each for each in self._readers.values() if each.listens]
        end = time.monotonic() + POLLS_S
        for _ in readers:
            self._polled = (self._polled + 1) % len(readers)
            with suppress(OSError):
                readers[self._polled].poll_listeners()
            if time.monotonic() > end:
                return

    def let_go(self) -> None:
        """Close what keeps a namespace alive that has ended."""
        if any(self._dead()):
            self._found = self._finder.find(whole=True)  # it may have other processes by now
            self._bury(self._dead())

    def _dead(self) -> list[int]:
        return [
            inode
            for inode in self._readers
            if inode not in self._found or not self._found[inode].alive
        ]

    def _bury(self, inodes: list[int]) -> None:
        """Let go of those that have ended, a moment later: a worker of the kernel tells what ended
        with them."""
        if any(self._readers[inode].open for inode in inodes):
            time.sleep(WORKER_S)
        self._let_go(inodes)

    def _let_go(self, inodes: Iterable[int]) -> None:
        """Of those in which no socket is left."""
        for inode in inodes:
            if reader := self._readers.pop(inode, None):
                self._cookies.pop(inode, None)
                if ended := reader.last_deaths():
                    self._last.append(ended)
                reader.close()

    def _read_all(self) -> list[Reading]:
        """By the thread that may enter them."""
        began = time.thread_time()
        self._ask_the_empty()
        busy = (each for inode, each in self._found.items() if inode not in self.empty)
        readings = [each for each in map(self._visit, busy) if each]
        self.took_s = time.thread_time() - began
        return readings

    def _ask_the_empty(self) -> None:
        """Those first that were not asked for longest."""
        end = time.monotonic() + self._idle_s
        for inode in sorted(self.empty, key=lambda inode: self.empty[inode]):
            clock = time.monotonic()
            if clock > end:
                return
            del self.empty[inode]
            with suppress(namespaces.NamespaceError, OSError):
                if _sockets_in_use(self._found[inode]) == 0:
                    self._ask_for_cookie(self._found[inode])
                    self.empty[inode] = clock

    def _ask_for_cookie(self, found: Found) -> None:
        """Again where others are in there by now: it may be a new one with the same inode."""
        inside = found.pids[:1]
        if self._cookies.get(found.inode, (None, None))[0] != inside:
            cookie = None
            with suppress(namespaces.NamespaceError, OSError), _inside(found):
                cookie = namespaces.cookie()
            self._cookies[found.inode] = inside, cookie

    def _visit(self, found: Found) -> Reading | None:
        """None where there is nothing to be read."""
        inode, clock = found.inode, time.monotonic()
        try:
            if _sockets_in_use(found):
                with _inside(found):
                    self._finder.inside(inode)
                    return self._reader(inode).read()
            self._ask_for_cookie(found)
            self.empty[inode] = clock
        except (namespaces.NamespaceError, OSError) as error:
            if found.alive:
                self.refused[inode] = str(error)
        self._let_go([inode])
        return None

    def _reader(self, inode: int) -> NamespaceReader:
        """To be called inside."""
        if inode not in self._readers:
            reader = NamespaceReader(inode, self._dump, self._home, self._deaths)
            reader.request(self._requests)
            self._readers[inode] = reader
            if reader.by_sock_diag != self._home.by_sock_diag:
                raise SockDiagError(errno.EOPNOTSUPP, reader.why_not)
        return self._readers[inode]


def _allow_descriptors() -> None:
    """A namespace takes two of them, and the usual limit is 1024: have what may be had."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < DESCRIPTORS:
        most = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, DESCRIPTORS)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, most), hard))


@contextmanager
def _inside(found: Found) -> Iterator[None]:
    descriptor = found.open()
    try:
        with namespaces.entered(descriptor):
            yield
    finally:
        os.close(descriptor)


def _sockets_in_use(found: Found) -> int:
    """Asked from outside where that is possible: to enter takes twice as long."""
    in_use = found.sockets_in_use()
    if in_use is not None:
        return in_use
    with _inside(found):
        return namespaces.sockets_in_use()
