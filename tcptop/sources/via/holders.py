"""Who holds which socket of another host, by asking for as little as will do.

Tables of descriptors are asked for when a socket is unknown or gone, and every LISTED_S; those are
read again that have changed, all where that does not help. What is known costs nothing there.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from tcptop.model.arrays import isin, isin_sorted, sorted_unique
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.sample import NO_OWNERS, Owners, Process
from tcptop.model.table import I64, U32
from tcptop.sources.via import facts
from tcptop.sources.via.answers import MAX_U32, There

Ask = Callable[..., Mapping[str, bytes]]
AT_ONCE = 200  # processes of a request, whose words a shell copies for each of them
MOST = 32 << 20  # bytes of an answer
SHARE, LONGEST_REST_S = 20, 5.0  # searches may take this part of the time
LISTED_S, GONE_S = 10.0, 2.0
FACTS_S = 30.0  # a process renames itself without a sign
VAIN_S, LONGEST_S = 1.0, 60.0  # before what nobody held is sought again; doubled each time

_TABLE = re.compile(
    rb"^ *(\d{1,20}) \S{10}\S* +\d+ +(\d{1,10}) +\d+ +(\d{1,10}) .* /proc/(\d{1,10})/fd$",
    re.MULTILINE,
)
_FOUND = re.compile(rb"^/proc/(\d{1,10})/fd/(\d{1,10}) socket:\[(\d{1,10})\]$", re.MULTILINE)
_LISTED = re.compile(
    rb"^/proc/(\d{1,10})/fd:$|^l\S{9}.* (\d{1,10}) -> socket:\[(\d{1,10})\]$", re.MULTILINE
)


class ListedTable(NamedTuple):
    """Of descriptors: another process has another `identity`; `size` is 0 before Linux 6.2."""

    identity: int
    uid: int
    size: int


class HolderFinder:
    """Keep one, as it knows what it was told; `find` for every sample."""

    def __init__(self, ask: Ask, lists: bool, clock: Callable[[], float] = time.monotonic) -> None:
        """`lists`: there is no find there that knows -lname, and ls lists all descriptors."""
        self._ask, self._lists, self._clock = ask, lists, clock
        self._tables: dict[int, ListedTable] = {}
        self._read: dict[int, ListedTable] = {}  # as it was when it was read
        self._held: dict[int, I64] = {}  # by pid: inode and descriptor
        self._known: tuple[U32, I64, I64] = _joined({})
        self._facts: dict[int, tuple[Process, float]] = {}
        self._vain: dict[int, tuple[float, float]] = {}  # by inode: when to try again, then wait
        self._wanted = NO_OWNERS.inodes
        self._listed_at = self._next = -LISTED_S

    @property
    def listed(self) -> bool:
        """Whether there are processes at all, of which the shell is one."""
        return bool(self._tables)

    def find(self, inodes: U32, there: There) -> Owners:
        """The holders of these sockets. Raises ViaError, and KeyError where answers lack parts."""
        wanted, now = sorted_unique(inodes[inodes != 0]), self._clock()
        due = self._due(wanted, now)
        since = now - self._listed_at
        gone = since >= GONE_S and not isin_sorted(self._wanted, wanted).all()
        postponed = bool(due) and now < self._next
        if now >= self._next and (due or gone or since >= LISTED_S):
            self._search(due, there, now)
        self._wanted = wanted
        return self._owners(wanted, there, self.listed and not postponed)

    def _due(self, wanted: U32, now: float) -> list[int]:
        """Those without a holder whose turn it is."""
        missing = wanted[~isin(wanted, self._known[0])].tolist()
        self._vain = {each: self._vain[each] for each in missing if each in self._vain}
        return [each for each in missing if self._vain.get(each, (0.0, 0.0))[0] <= now]

    def _search(self, due: Sequence[int], there: There, now: float) -> None:
        self._list()
        readable = [pid for pid in self._tables if self._may_read(pid, there)]
        moved = [pid for pid in readable if self._moved(pid)]
        self._read_tables(moved)
        fresh = [each for each in self._left(due) if each not in self._vain]
        if fresh and len(moved) < len(readable):
            # One socket may take another's descriptor and leave the size as it was.
            done = {*moved}
            self._read_tables([pid for pid in readable if pid not in done])
        for each in self._left(due):
            wait = min(2 * self._vain.get(each, (0.0, VAIN_S / 2))[1], LONGEST_S)
            self._vain[each] = (now + wait, wait)
        self._listed_at = self._clock()
        self._next = self._listed_at + min(SHARE * (self._listed_at - now), LONGEST_REST_S)

    def _left(self, due: Sequence[int]) -> list[int]:
        sought = np.array(due, np.uint32)
        left: list[int] = sought[~isin(sought, self._known[0])].tolist()
        return left

    def _list(self) -> None:
        found = _TABLE.finditer(self._ask("tables", MOST)["tables"])
        tables = {int(m[4]): ListedTable(int(m[1]), int(m[2]) & MAX_U32, int(m[3])) for m in found}
        if any(table.size for table in tables.values()):  # else the kernel does not count
            tables = {pid: table for pid, table in tables.items() if table.size}
        self._tables = tables
        for pid in [*self._read]:
            if pid not in tables or tables[pid].identity != self._read[pid].identity:
                self._read.pop(pid)
                self._held.pop(pid, None)
                self._facts.pop(pid, None)
        self._known = _joined(self._held)

    def _may_read(self, pid: int, there: There) -> bool:
        return there.privileged or self._tables[pid].uid == there.uid

    def _moved(self, pid: int) -> bool:
        table = self._tables[pid]
        return self._read.get(pid) != table or not table.size

    def _read_tables(self, pids: Sequence[int]) -> None:
        for some in _chunks(pids):
            data = self._ask(_request("sockets", some), MOST)["sockets"]
            held = _listed(data) if self._lists else _found(data)
            for pid in some:
                self._held[pid] = np.array(held.get(pid, []), np.int64).reshape(-1, 2)
                self._read[pid] = self._tables[pid]
        self._known = _joined(self._held)

    def _owners(self, wanted: U32, there: There, complete: bool) -> Owners:
        inodes, pids, fds = self._known
        rows = isin_sorted(inodes, wanted)
        known = self._processes(sorted_unique(pids[rows]).tolist())
        rows &= isin(pids, known)
        denied = [
            table.uid for pid, table in self._tables.items() if not self._may_read(pid, there)
        ]
        return Owners(
            inodes[rows],
            pids[rows],
            fds[rows],
            known,
            len(denied),
            frozenset(denied),
            complete,
            there.uid if there.hides else None,
            contained=there.contained,
        )

    def _processes(self, pids: Sequence[int]) -> dict[int, Process]:
        now = self._clock()
        old = {pid for pid in pids if now - self._facts.get(pid, (None, -FACTS_S))[1] >= FACTS_S}
        for some in _chunks(sorted(old)):
            told = facts.processes(some, self._ask(_request("processes", some), MOST))
            for pid in some:
                self._facts.pop(pid, None)
            self._facts |= {pid: (process, now) for pid, process in told.items()}
        known = {pid: self._facts[pid][0] for pid in pids if pid in self._facts}
        return {pid: self._counted(process) for pid, process in known.items()}

    def _counted(self, process: Process) -> Process:
        table = self._tables.get(process.pid)
        held = len(self._held.get(process.pid, ()))
        return replace(process, open_fds=table.size or None) if table and held else process


def _chunks(pids: Sequence[int]) -> Iterable[Sequence[int]]:
    return (pids[at : at + AT_ONCE] for at in range(0, len(pids), AT_ONCE))


def _request(word: str, pids: Sequence[int]) -> str:
    return " ".join((word, *map(str, pids)))


def _found(data: bytes) -> dict[int, list[tuple[int, int]]]:
    """Of find: inode and descriptor, by pid."""
    held: dict[int, list[tuple[int, int]]] = {}
    for pid, fd, inode in _FOUND.findall(data):
        held.setdefault(int(pid), []).append((int(inode) & MAX_U32, int(fd)))
    return held


def _listed(data: bytes) -> dict[int, list[tuple[int, int]]]:
    """The same of ls, which has each process's below its own line."""
    held: dict[int, list[tuple[int, int]]] = {}
    pid = -1
    for begun, fd, inode in _LISTED.findall(data):
        if begun:
            pid = int(begun)
        else:
            held.setdefault(pid, []).append((int(inode) & MAX_U32, int(fd)))
    return held


def _joined(held: Mapping[int, I64]) -> tuple[U32, I64, I64]:
    """Inodes, pids and descriptors, in the order of the inodes."""
    holding = {pid: rows for pid, rows in held.items() if len(rows)}
    if not holding:
        return NO_OWNERS.inodes, NO_OWNERS.pids, NO_OWNERS.fds
    rows = np.concatenate([*holding.values()])
    pids = np.repeat([*holding], [len(each) for each in holding.values()]).astype(np.int64)
    inodes, fds = rows[:, 0].astype(np.uint32), rows[:, 1]
    order = np.lexsort((fds, pids, inodes))
    return inodes[order], pids[order], fds[order]
