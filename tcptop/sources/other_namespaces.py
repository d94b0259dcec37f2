"""Every network namespace but the reader's own, each read by a thread that enters it for that.

A netlink socket keeps its namespace alive. So those of a namespace to which nothing else leads any
more, no process, name or mount, are closed.
"""

from __future__ import annotations

import errno
import math
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

from tcptop.model.sample import NO_PEAKS, Kernel
from tcptop.model.source import NO_REQUESTS, Requests
from tcptop.model.table import EMPTY
from tcptop.sources import namespaces
from tcptop.sources.namespace_finder import Found, NamespaceFinder
from tcptop.sources.namespace_reader import NamespaceReader, Reading
from tcptop.sources.sock_diag import Request, SockDiagError

IDLE_S = 2e-3  # a sample, to ask those that were empty whether they still are: 30 µs each
POLLS_S = 2e-3  # at a time, for the listeners of some: 50 µs a namespace


class OtherNamespaces:
    """`home` reads the caller's own. `budget_s` bounds the reading of one sample: those that were
    not read for longest come first, and of the others there is what was read last. Close it."""

    def __init__(
        self,
        home: NamespaceReader,
        finder: NamespaceFinder,
        dump: Request | None,
        budget_s: float | None,
    ) -> None:
        self._home = home
        self._finder = finder
        self._dump = dump
        self._budget_s = math.inf if budget_s is None else budget_s
        self._idle_s = math.inf if budget_s is None else IDLE_S
        self._requests = NO_REQUESTS
        self._found: Mapping[int, Found] = {}
        self._readers: dict[int, NamespaceReader] = {}
        self._readings: dict[int, Reading] = {}  # the last of each
        self._closed: dict[int, str] = {}  # why those could not be read
        self._polled = 0
        # A thread has a namespace of its own: that of the others stays as it is.
        self._thread = ThreadPoolExecutor(1, "namespaces")

    def close(self) -> None:
        self._thread.shutdown()
        for inode in [*self._readers]:
            self._readers.pop(inode).close()

    def request(self, wanted: Requests) -> None:
        self._requests = wanted
        for reader in self._readers.values():
            reader.request(wanted)

    def read(self, found: Mapping[int, Found]) -> list[Reading]:
        """The last reading of each that was ever read, new or not, by inode."""
        self._found = {inode: each for inode, each in found.items() if inode != self._home.netns}
        self._let_go(each for each in self._held() if each not in self._found)
        self._let_go(self._dead())
        for inode, each in self._readings.items():
            self._readings[inode] = _read_before(each)
        self._thread.submit(self._read_in_turn).result()
        return [self._readings[inode] for inode in sorted(self._readings)]

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
            self._let_go(self._dead())

    def unread(self) -> list[int]:
        """Those that could be read, but for which there was no time yet."""
        return [inode for inode in self._found if inode not in self._readings | self._closed]

    def refused(self) -> list[str]:
        """Why some were not read, a word for each."""
        return [*self._closed.values()]

    def _held(self) -> set[int]:
        return self._readers.keys() | self._readings.keys() | self._closed.keys()

    def _dead(self) -> list[int]:
        return [
            inode
            for inode in self._readers
            if inode not in self._found or not self._found[inode].alive
        ]

    def _let_go(self, inodes: Iterable[int]) -> None:
        for inode in [*inodes]:
            self._readings.pop(inode, None)
            self._closed.pop(inode, None)
            if reader := self._readers.pop(inode, None):
                reader.close()

    def _read_in_turn(self) -> None:
        idle = [inode for inode in self._readings if inode not in self._readers]
        self._within(self._idle_s, idle)
        self._within(self._budget_s, [inode for inode in self._found if inode not in idle])

    def _within(self, budget_s: float, inodes: Iterable[int]) -> None:
        end = time.monotonic() + budget_s
        for inode in sorted(inodes, key=self._read_at):
            if inode in self._found:
                self._visit(self._found[inode])
            if time.monotonic() > end:
                return

    def _read_at(self, inode: int) -> float:
        return self._readings[inode].clock if inode in self._readings else -math.inf

    def _visit(self, found: Found) -> None:
        try:
            self._readings[found.inode] = self._reading(found)
            self._closed.pop(found.inode, None)
        except (namespaces.NamespaceError, OSError) as error:
            self._let_go([found.inode])
            if found.alive:
                self._closed[found.inode] = str(error)

    def _reading(self, found: Found) -> Reading:
        clock = time.monotonic()
        if found.inode not in self._readers and found.sockets_in_use() == 0:
            return _empty(found.inode, clock)
        with _inside(found):
            if namespaces.sockets_in_use() == 0:
                self._let_go([found.inode])
                return _empty(found.inode, clock)
            return self._reader(found.inode).read()

    def _reader(self, inode: int) -> NamespaceReader:
        """To be called inside."""
        if inode not in self._readers:
            reader = NamespaceReader(inode, self._dump, self._home)
            reader.request(self._requests)
            self._readers[inode] = reader
            if reader.by_sock_diag != self._home.by_sock_diag:
                raise SockDiagError(errno.EOPNOTSUPP, reader.why_not)
        return self._readers[inode]


@contextmanager
def _inside(found: Found) -> Iterator[None]:
    descriptor = found.open()
    try:
        with namespaces.entered(descriptor):
            yield
    finally:
        os.close(descriptor)


def _empty(inode: int, clock: float) -> Reading:
    """Of a namespace without sockets, of which nothing else is read."""
    nothing = Kernel(inode)
    return Reading(inode, time.time(), clock, EMPTY, EMPTY, NO_PEAKS, {}, nothing, {}, (), None)


def _read_before(reading: Reading) -> Reading:
    """What still holds of it in the next sample."""
    return reading._replace(peaks=NO_PEAKS, failed=None)
