"""Descriptor tables that /proc/PID/fd does not show, as it shows that of the first thread.

A thread may have one of its own (unshare(2), CLONE_FILES), and where the first thread has ended,
the others keep the table: /proc/PID/task/TID/fd shows these.
"""

from __future__ import annotations

import ctypes
import os
import sys
import time
from collections.abc import Iterator, Sequence
from functools import cmp_to_key
from itertools import pairwise

from tcptop.sources import procfs
from tcptop.sources.fd_table import FdTable

_LEAST_LINKS = 4  # of a task directory: two, and one for each thread (proc_task_getattr)
# kcmp(2) tells whether two tasks have one table; on 64 bits, as the numbers of 32 are others.
_KCMP = {"x86_64": 312, "aarch64": 272, "riscv64": 272, "ppc64le": 354, "s390x": 343}
_NUMBER = _KCMP.get(os.uname().machine) if sys.maxsize > 1 << 32 else None
_KCMP_FILES = 2  # include/uapi/linux/kcmp.h

libc = ctypes.PyDLL(None, use_errno=True)  # PyDLL: see pidfd
libc.syscall.restype = ctypes.c_long


class ThreadTables:
    """Those that were found; keep one. To look for them takes some µs for each thread of the host:
    it is for sockets that are in no other table."""

    def __init__(self, proc: str = "/proc") -> None:
        self._proc = proc
        self._found: dict[int, FdTable] = {}  # by thread
        self._left: list[int] = []  # processes that a search was cut before

    def __iter__(self) -> Iterator[FdTable]:
        return iter(self._found.values())

    def of(self, pid: int) -> FdTable | None:
        """One of a process; None where none was found."""
        return next((table for table in self if table.pid == pid), None)

    def look(self) -> bool:
        """Note which are there still, and their sizes; whether one is not."""
        before, self._found = self._found, {}
        for tid, table in before.items():
            self._note(table.pid, tid, table)
        return any(self._found.get(tid) is not table for tid, table in before.items())

    def search(self, deadline: float) -> bool:
        """Look for new ones; False where the deadline (of the monotonic clock) came first. Then the
        next search goes on from there."""
        self._left = self._left or procfs.pids(self._proc)
        while self._left:
            pid = self._left.pop()
            for tid in self._apart(pid):
                self._note(pid, tid, self._found.get(tid))
            if time.monotonic() > deadline:
                break
        return not self._left

    def _note(self, pid: int, tid: int, known: FdTable | None) -> None:
        path = f"{self._proc}/{pid}/task/{tid}/fd"
        try:
            status = os.stat(path)
        except OSError:
            return
        if known is None or known.identity != status.st_ino:
            known = FdTable(pid, path, status.st_ino, tid)
        known.size = status.st_size
        self._found[tid] = known

    def _apart(self, pid: int) -> list[int]:
        """A thread for each table that is not the first thread's."""
        directory = f"{self._proc}/{pid}/task"
        try:
            if os.stat(directory).st_nlink < _LEAST_LINKS:
                return []
            tids = sorted(map(int, os.listdir(directory)))
            return [tid for tid in _distinct(tids) if _compare(tid, pid)]
        except OSError:  # ended, or not permitted
            return []


def _distinct(tids: Sequence[int]) -> list[int]:
    """One thread for each table. Where all share one, which is usual, each is compared twice."""
    ordered = sorted(tids, key=cmp_to_key(_compare))
    return ordered[:1] + [tid for before, tid in pairwise(ordered) if _compare(before, tid)]


def _compare(one: int, other: int) -> int:
    """0 where two threads have one table; the sign orders tables. Raises OSError."""
    number = -1 if _NUMBER is None else _NUMBER  # ENOSYS
    result = int(libc.syscall(*map(ctypes.c_long, (number, one, other, _KCMP_FILES, 0, 0))))
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return -1 if result == 1 else result
