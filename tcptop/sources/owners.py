"""Which processes hold which socket, by reading as few descriptors of /proc as will do.

A socket has a holder for each descriptor of it: fork and SCM_RIGHTS make more. Reading all
descriptors of 100,000 sockets takes the kernel most of a second, so what was read is remembered.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from tcptop.model.arrays import index_of, isin, isin_sorted, sorted_unique
from tcptop.model.sample import NO_OWNERS, Owners, Process, Unlisted
from tcptop.model.table import EMPTY, I64, U32, Bools, SocketTable
from tcptop.sources import procfs
from tcptop.sources.fd_table import FdTable
from tcptop.sources.in_flight import in_flight
from tcptop.sources.processes import ProcessReader, owner
from tcptop.sources.threads import ThreadTables
from tcptop.sources.unlisted import UnlistedSockets

# A table whose size changed is read again, to see shared sockets come and go, when its last
# reading is this old for each of its descriptors. As that lists 1 µs of each, it is 2% of a CPU.
PATIENCE_S = 50e-6
# One socket may take another's descriptor and leave the size as it was. Where no missing socket
# leads there, reading everything does: soon where sockets are shared (a forking server closes its
# copy), and where the kernel does not count (before 6.2).
WHOLE_S, WHOLE_UNCOUNTED_S, WHOLE_SHARING_S = 30.0, 5.0, 2.0
WHOLE_PATIENCE_S = 2.5e-3  # more for each descriptor
WHOLE_AT_ONCE = 10_000  # descriptors a call
SMALL = 500  # descriptors; such a table is always read in whole, in 3 ms
AT_ONCE = 500  # descriptors a call of tables that changed, while no socket is without a holder
WALK_SHARE = 20  # walks through all tables may take this part of the time
# All processes are looked at this often while no socket comes or goes: who holds one cannot change
# then but by fork and SCM_RIGHTS. To look takes 10 µs a process, on a small host a third of all.
LOOK_S = 2.0


class OwnerFinder:
    """Finds the holders of sockets; keep one, as it knows what it read before.

    `budget_s` bounds the reading of one `find` (the first one of many sockets is long); what was
    not reached is read by the next. `clock` is a monotonic clock.
    """

    def __init__(
        self,
        proc: str = "/proc",
        budget_s: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._proc = proc
        self._contained = procfs.in_container(proc)
        self._unlisted = UnlistedSockets(proc)
        self._budget = math.inf if budget_s is None else budget_s
        self._clock = clock
        self._counted = _kernel_counts(proc)
        self._tables: dict[int, FdTable] = {}
        self._threads = ThreadTables(proc)
        self._kernel_threads = KernelThreads(proc)
        self._closed: list[int] = []  # processes of which not even the directory may be looked at
        self._processes = ProcessReader(proc, clock)
        self._known = NO_OWNERS  # every socket that was read, wanted or not
        self._sharing: frozenset[int] = frozenset()  # processes
        self._wanted = NO_OWNERS.inodes
        self._vain = _Vain()
        self._in_flight: Mapping[int, int] = {}
        self._next_walk = -math.inf
        self._next_look = -math.inf
        self._complete = False  # all was read that was due
        self._first: frozenset[int] = frozenset()  # processes

    def find(
        self,
        inodes: U32,
        others: Sequence[int] = (),
        dump: SocketTable = EMPTY,
        inside: frozenset[int] = frozenset(),
        first: frozenset[int] = frozenset(),
    ) -> Owners:
        """The holders of these sockets; 0 is no socket, order and repetition do not matter.

        `others` are sockets of another family, which are no reason to read a table again. `dump` is
        what tells, later, where a socket led that is in none any more; it was made just now of the
        namespaces `inside`.
        The processes that come `first` are read before all others.
        """
        now = self._clock()
        self._first = first
        wanted = sorted_unique(inodes[inodes != 0])
        held = isin_sorted(self._known.inodes, wanted)
        missing = _missing(wanted, self._known.inodes, held)
        reading = _Reading(wanted, self._vain.due(missing, now), now, self._budget)
        ended = False
        if reading.missing or now >= self._next_look or not np.array_equal(wanted, self._wanted):
            ended = self._look()
            self._next_look = now + LOOK_S
            self._complete = False
        if not self._complete:
            self._complete = self._read(reading)
        if ended or reading.changed:
            self._known = _join(self._all())
            self._sharing = _sharing(self._known)
            held = isin_sorted(self._known.inodes, wanted)
        if self._in_flight and not len(_missing(wanted, self._known.inodes, held)):
            self._in_flight = {}
        self._wanted = wanted
        unlisted = self._unlisted.find(self._known, np.flatnonzero(~held), dump, inside)
        if others:
            held |= isin(self._known.inodes, np.array(others, np.uint32))
        return self._select(held, unlisted, self._complete)

    def namespaces(self) -> dict[int, list[str]]:
        """Network namespaces that processes hold open, by inode: paths of such descriptors. As of
        the last `find`, before which all is read."""
        if self._known is NO_OWNERS:
            self._look()
            none = NO_OWNERS.inodes
            self._read(_Reading(none, none, self._clock(), self._budget))
            self._known = _join(self._all())
        found: dict[int, list[str]] = {}
        for table in self._all():
            for fd, inode in table.namespaces.items():
                found.setdefault(inode, []).append(f"{table.path}/{fd}")
        return found

    def _look(self) -> bool:
        """Note new and changed processes (a stat of 5 µs each); whether any has ended."""
        tables = {}
        self._closed = []
        for pid in self._kernel_threads.others(procfs.pids(self._proc), self._clock()):
            path = f"{self._proc}/{pid}/fd"
            try:
                status = os.stat(path)
            except PermissionError:  # hidepid=1
                self._closed.append(pid)
                continue
            except OSError:
                continue
            if self._counted and not status.st_size:
                self._kernel_threads.add_if(pid)
                continue
            table = self._tables.get(pid)
            if table is None or table.identity != status.st_ino:
                table = FdTable(pid, path, status.st_ino)
            table.size = status.st_size if self._counted else 0
            tables[pid] = table
        ended = any(tables.get(pid) is not table for pid, table in self._tables.items())
        self._tables = tables
        return self._threads.look() or ended

    def _all(self) -> Iterable[FdTable]:
        return (*self._tables.values(), *self._threads)

    def _read(self, reading: _Reading) -> bool:
        """Read what is due, and for missing sockets what may hold them; whether that was all."""
        postponed = False
        reading.read(self._due(reading))
        if reading.missing:
            reading.read(self._in_order(table for table in self._all() if table.moved))
        if reading.missing:
            reading.read(self._in_order(self._losers(reading.wanted)))
        if reading.missing:
            postponed = reading.now < self._next_walk
            if not postponed:
                self._walk(reading)
        reading.read(self._due_wholly(reading.now), wholly=True)
        return not (postponed or reading.cut)

    def _due(self, reading: _Reading) -> list[FdTable]:
        """Where many processes open files all the time, those read again first that were read
        longest ago; new ones at once."""
        tables = [table for table in self._all() if table.moved]
        due = [t for t in tables if reading.now - t.read_at >= t.count * PATIENCE_S]
        if reading.missing or sum(table.count for table in due) <= AT_ONCE:
            return self._in_order(due)
        due.sort(key=lambda table: table.read_at)
        total = np.cumsum([0, *(table.count for table in due)])
        turn = zip(due, total, strict=False)
        return self._in_order(t for t, n in turn if n < AT_ONCE or t.read_at == -math.inf)

    def _due_wholly(self, now: float) -> list[FdTable]:
        due = [
            table for table in self._all() if now - table.wholly_read_at >= self._patience(table)
        ]
        due.sort(key=lambda table: table.wholly_read_at)
        total = np.cumsum([0, *(table.count for table in due)])
        return [table for table, before in zip(due, total, strict=False) if before < WHOLE_AT_ONCE]

    def _patience(self, table: FdTable) -> float:
        base = WHOLE_S if self._counted else WHOLE_UNCOUNTED_S
        if table.pid in self._sharing:
            base = WHOLE_SHARING_S
        return base + table.count * WHOLE_PATIENCE_S

    def _in_order(self, tables: Iterable[FdTable]) -> list[FdTable]:
        """The small ones are read soonest."""
        return sorted(tables, key=lambda table: (table.pid not in self._first, table.count))

    def _losers(self, wanted: U32) -> Iterable[FdTable]:
        """Processes that held a socket which is gone: another may have its descriptor now."""
        gone = self._wanted[~isin_sorted(self._wanted, wanted)]
        pids = set(self._known.pids[isin_sorted(self._known.inodes, gone)].tolist())
        return (table for table in self._all() if table.pid in pids)

    def _walk(self, reading: _Reading) -> None:
        began = self._clock()
        reading.read(self._in_order(self._tables.values()), until_found=True)
        if reading.missing and not reading.cut:
            reading.cut = not self._threads.search(reading.deadline)
            reading.read(self._in_order(self._threads), until_found=True)
        if reading.missing and not reading.cut:
            self._in_flight = in_flight(self._all(), reading.wanted, reading.deadline)
        self._next_walk = reading.now + WALK_SHARE * (self._clock() - began)
        if not reading.cut:
            self._vain.add(reading.left(), reading.now)

    def _select(self, rows: Bools, unlisted: Mapping[int, Unlisted], complete: bool) -> Owners:
        pids = {*self._known.pids[rows].tolist(), *unlisted, *self._in_flight}
        facts = self._facts(pids)
        if len(facts) < len(pids):  # ended since
            rows &= isin(self._known.pids, facts)
        denied = [table.pid for table in self._tables.values() if table.denied] + self._closed
        uids = {owner(f"{self._proc}/{pid}") for pid in denied}
        return Owners(
            self._known.inodes[rows],
            self._known.pids[rows],
            self._known.fds[rows],
            facts,
            len(denied),
            frozenset(uid for uid in uids if uid is not None),
            complete,
            os.geteuid() if procfs.hides(self._proc) else None,
            unlisted,
            self._contained,
            self._known.threads,
            {pid: number for pid, number in self._in_flight.items() if pid in facts},
        )

    def _facts(self, pids: set[int]) -> dict[int, Process]:
        self._processes.keep(pids)
        found = {}
        for pid in pids:
            table = self._tables.get(pid) or self._threads.of(pid)
            process = self._processes.get(pid, table.count if table else None)
            if process:
                found[pid] = process
        return found


class _Reading:
    """The reading of one call: each table once, until its time is up."""

    def __init__(self, wanted: U32, missing: U32, now: float, budget_s: float) -> None:
        self.wanted = wanted
        self.now = now
        self.cut = False
        self.changed = False  # rows of a table
        self.done: set[FdTable] = set()
        self.deadline = time.monotonic() + budget_s
        self._trusted: frozenset[int] | None = None
        self._sought = missing  # sorted
        self._found = np.zeros(len(missing), bool)

    @property
    def missing(self) -> bool:
        """Whether a socket is still without a holder."""
        return not self._found.all()

    def left(self) -> U32:
        return self._sought[~self._found]

    def read(
        self, tables: Iterable[FdTable], *, wholly: bool = False, until_found: bool = False
    ) -> None:
        for table in tables:
            if self.cut or (until_found and not self.missing):
                return
            if table not in self.done:
                self.done.add(table)
                small = table.count <= SMALL
                trusted = frozenset[int]() if wholly or small else self._trust()
                before = table.inodes
                self.cut = not table.read(trusted, self.now, self.deadline)
                self.changed = self.changed or table.inodes is not before
                self._strike(table.inodes)

    def _trust(self) -> frozenset[int]:
        """Sockets that still exist: a descriptor that held one is taken to hold it still."""
        if self._trusted is None:
            self._trusted = frozenset(self.wanted.tolist())
        return self._trusted

    def _strike(self, inodes: U32) -> None:
        if len(self._sought):
            place = index_of(inodes, self._sought)
            self._found[place[place >= 0]] = True


class KernelThreads:
    """Processes that have no descriptors and never will: half of all on many hosts.

    Forgotten every WHOLE_S seconds, as a pid may be that of another process meanwhile.
    """

    def __init__(self, proc: str) -> None:
        self._proc = proc
        self._pids: set[int] = set()
        self._since = -math.inf

    def others(self, pids: Iterable[int], now: float) -> list[int]:
        """The pids of all others. What is in none of these is forgotten."""
        if now - self._since >= WHOLE_S:
            self._pids, self._since = set(), now
        listed = [*pids]
        self._pids.intersection_update(listed)
        return [pid for pid in listed if pid not in self._pids]

    def add_if(self, pid: int) -> None:
        """Remember a process without descriptors, if it is one."""
        if procfs.is_kernel_thread(procfs.read(f"{self._proc}/{pid}/stat") or b""):
            self._pids.add(pid)


class _Vain:
    """Sockets that were searched for everywhere and not found, each with its next turn.

    They are the kernel's, other users', or were in flight: a race is worth a few quick retries.
    """

    LONGEST_S = 60.0

    def __init__(self) -> None:
        self._inodes = NO_OWNERS.inodes
        self._waits = np.zeros(0)
        self._turns = np.zeros(0)

    def due(self, missing: U32, now: float) -> U32:
        """Those of the missing whose turn it is; what is missing no more is forgotten."""
        kept = isin(self._inodes, missing)
        self._inodes, self._waits = self._inodes[kept], self._waits[kept]
        self._turns = self._turns[kept]
        due: U32 = missing[~isin(missing, self._inodes[self._turns > now])]
        return due

    def add(self, inodes: U32, now: float) -> None:
        """Wait a second after the first search in vain, then twice as long each time."""
        again = isin(self._inodes, inodes)
        waits = np.where(again, np.minimum(2 * self._waits, self.LONGEST_S), self._waits)
        new = inodes[~isin(inodes, self._inodes)]
        self._turns = np.append(np.where(again, now + waits, self._turns), now + np.ones(len(new)))
        self._waits = np.append(waits, np.ones(len(new)))
        self._inodes = np.append(self._inodes, new)


def _missing(wanted: U32, known: U32, held: Bools) -> U32:
    """Those of `wanted` that are not `known`, both sorted; `held` says which of the known are
    wanted. Mostly none, and to count is faster than to look for each."""
    found = known[held]
    if len(wanted) and np.count_nonzero(found[1:] != found[:-1]) + len(found[:1]) == len(wanted):
        return wanted[:0]
    return wanted[~isin_sorted(wanted, known)]


def _join(tables: Iterable[FdTable]) -> Owners:
    holding = [table for table in tables if len(table.inodes)]
    if not holding:
        return NO_OWNERS
    inodes: U32 = np.concatenate([table.inodes for table in holding])
    fds: I64 = np.concatenate([table.fds for table in holding])
    pids = np.repeat([table.pid for table in holding], [len(table.inodes) for table in holding])
    order = np.lexsort((fds.view(np.uint64), pids, inodes))  # with descriptors first
    inodes, pids, fds = inodes[order], pids[order].astype(np.int64), fds[order]
    threads = _threads(holding)
    if threads:  # such a table began as a copy of the process's
        new = np.append(True, (np.diff([inodes, pids, fds]) != 0).any(axis=0))
        inodes, pids, fds = inodes[new], pids[new], fds[new]
    return Owners(inodes, pids, fds, {}, threads=threads)


def _threads(tables: Sequence[FdTable]) -> dict[int, tuple[int, int]]:
    """What only tables of threads have."""
    theirs = {
        inode: (table.tid, fd)
        for table in tables
        if table.tid is not None
        for inode, fd in zip(table.inodes.tolist(), table.fds.tolist(), strict=True)
    }
    for table in tables if theirs else ():
        if table.tid is None:
            for inode in table.inodes.tolist():
                theirs.pop(inode, None)
    return theirs


def _sharing(known: Owners) -> frozenset[int]:
    """Processes with a socket that another process holds too."""
    same = (known.inodes[1:] == known.inodes[:-1]) & (known.pids[1:] != known.pids[:-1])
    return frozenset([*known.pids[1:][same].tolist(), *known.pids[:-1][same].tolist()])


def _kernel_counts(proc: str) -> bool:
    """Whether st_size of a descriptor directory is their number: ours is not empty."""
    try:
        return os.stat(f"{proc}/self/fd").st_size > 0
    except OSError:
        return False
