"""TCP sockets that are in no dump: reset or refused and never closed, or never connected.

Their descriptors stay, and with them the leak. What kind of socket a descriptor is tells its
attribute system.sockprotoname (sockfs_xattr_get, net/socket.c; since 3.7), as lsof reads it.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator, Mapping

import numpy as np

from tcptop.model.arrays import distinct, isin
from tcptop.model.sample import LostSocket, Owners, Unlisted
from tcptop.model.table import EMPTY, I64, Index, SocketTable
from tcptop.sources import lost
from tcptop.sources.processes import netns

LEAST = 20  # sockets of one process that are no TCP socket of the dump; below that none is asked
AT_ONCE = 2_000  # descriptors a call, some 10 ms
BUDGET_S = 0.02  # of processor time a call, to ask those what they were: 0.1 ms each
MOST = 1_000  # sockets of a process that are told of one by one
ALIVE_S = 60.0  # before one that lives in another namespace is asked again
ALIVE_MOST = 100  # of one process; what has more is a proxy of other namespaces, and left alone
PROTOCOLS = (b"TCP", b"TCPv6")
UNKNOWN = LostSocket()


class UnlistedSockets:
    """Finds them; keep one, as it remembers what each socket was, and which were there before.

    A socket counts when two calls in a row miss it: it may be younger than the dump.
    """

    def __init__(self, proc: str = "/proc") -> None:
        self._proc = proc
        self._is_tcp: dict[int, bool] = {}  # by inode, of those that are not listed
        self._was: dict[int, LostSocket] = {}  # of these the TCP sockets of which it was asked
        self._alive: dict[int, float] = {}  # and when those were asked that are not over
        self._missed: frozenset[int] = frozenset()
        self._dump = EMPTY  # the last one

    def find(
        self, known: Owners, rows: Index, dump: SocketTable, inside: frozenset[int]
    ) -> Mapping[int, Unlisted]:
        """By pid: TCP sockets that are not listed.

        `known` are all sockets of all processes, of which `rows` are in no list; those of
        namespaces that are not `inside` are in other dumps. A process with fewer than LEAST such
        descriptors is left out. `dump` are the listed sockets, by which a later call knows what
        those were that it misses.
        """
        many = self._many(known.pids[rows], inside)
        if not many:  # most hosts
            self._forget(dump)
            return {}
        rows = rows[isin(known.pids[rows], many)]
        missed, before = self._tcp(known, rows), self._missed
        self._remember(known, missed)
        missed = self._over(known, missed)
        self._missed = frozenset(known.inodes[missed].tolist())
        self._dump = dump
        again = missed[isin(known.inodes[missed], before)] if before else missed[:0]
        held = np.array([row for row in again.tolist() if self._held(known, row)], np.int64)
        pids, counts = np.unique(known.pids[held], return_counts=True)
        return {pid: self._unlisted(known, held, pid) for pid in pids[counts >= LEAST].tolist()}

    def _forget(self, dump: SocketTable) -> None:
        self._is_tcp, self._was, self._alive = {}, {}, {}
        self._missed, self._dump = frozenset(), dump

    def _many(self, pids: I64, inside: frozenset[int]) -> list[int]:
        """Processes of the namespaces with so many sockets that are not listed."""
        found = distinct(pids)
        many = found.values[found.counts >= LEAST].tolist()
        return [pid for pid in many if netns(f"{self._proc}/{pid}") in inside]

    def _tcp(self, known: Owners, rows: Index) -> Index:
        """Those of the rows that are TCP sockets; new ones are asked, some at each call."""
        inodes = known.inodes[rows].tolist()
        self._is_tcp = {i: self._is_tcp[i] for i in inodes if i in self._is_tcp}
        unasked = (row for row, i in zip(rows, inodes, strict=True) if i not in self._is_tcp)
        for row in _first(unasked, AT_ONCE):
            self._is_tcp[int(known.inodes[row])] = self._protocol(known, row) in PROTOCOLS
        return rows[[self._is_tcp.get(inode, False) for inode in inodes]]

    def _protocol(self, known: Owners, row: int) -> bytes:
        path = f"{self._proc}/{known.pids[row]}/fd/{known.fds[row]}"
        try:
            return os.getxattr(path, "system.sockprotoname").rstrip(b"\0")
        except OSError:
            return b""

    def _remember(self, known: Owners, missed: Index) -> None:
        """What each of them was: by the dump before, else asked of the socket itself."""
        inodes, began = known.inodes[missed].tolist(), time.monotonic()
        spent = time.thread_time()
        self._was = {i: self._was[i] for i in inodes if i in self._was}
        alive = {i: self._alive[i] for i in inodes if i in self._alive}
        self._alive = {i: at for i, at in alive.items() if began - at < ALIVE_S}
        told = self._was.keys() | self._alive.keys()
        new = [row for row, i in zip(missed.tolist(), inodes, strict=True) if i not in told]
        if new:
            self._was |= lost.dumped(self._dump, known.inodes[new])
        alive_of = Counter(known.pids[missed[isin(known.inodes[missed], self._alive)]].tolist())
        for row in new:
            if alive_of[int(known.pids[row])] >= ALIVE_MOST:
                continue
            if int(known.inodes[row]) not in self._was:
                self._ask(known, row)
            if time.thread_time() - spent > BUDGET_S:
                return

    def _ask(self, known: Owners, row: int) -> None:
        inode = int(known.inodes[row])
        was = lost.asked(int(known.pids[row]), int(known.fds[row]), inode)
        if was.was == lost.ALIVE:
            self._alive[inode] = time.monotonic()
        else:
            self._was[inode] = was

    def _over(self, known: Owners, missed: Index) -> Index:
        """Without those that live in another namespace. A process with such sockets has more of
        them: of its others those count that were asked."""
        inodes, pids = known.inodes[missed], known.pids[missed]
        alive = isin(inodes, self._alive)
        asked = isin(inodes, self._was)
        over: Index = missed[~alive & (asked | ~isin(pids, pids[alive]))]
        return over

    def _held(self, known: Owners, row: int) -> bool:
        """Whether the descriptor is that socket still: tables are read now and then."""
        path = f"{self._proc}/{known.pids[row]}/fd/{known.fds[row]}"
        try:
            return os.readlink(path) == f"socket:[{known.inodes[row]}]"
        except OSError:
            return False

    def _unlisted(self, known: Owners, held: Index, pid: int) -> Unlisted:
        inodes = known.inodes[held[known.pids[held] == pid]].tolist()
        were = (self._was.get(inode, UNKNOWN) for inode in inodes)
        told = [each for each in were if each != UNKNOWN]
        return Unlisted(len(inodes), tuple(told[:MOST]))


def _first(rows: Iterator[int], most: int) -> Iterator[int]:
    for _, row in zip(range(most), rows, strict=False):
        yield int(row)
