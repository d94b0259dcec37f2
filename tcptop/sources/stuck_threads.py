"""Threads of a process that stay in uninterruptible sleep (state D), as of a dead disk.

The process itself shows the state of its first thread only (/proc/PID/task/TID/stat has each).
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping

from tcptop.model.sample import StuckThreads
from tcptop.sources import procfs

MOST = 256  # threads of a process; each takes some 15 µs


class StuckThreadsReader:
    """Keep one: for how long a thread sleeps so is known from the second look on."""

    def __init__(self, proc: str = "/proc") -> None:
        self._proc = proc
        self._since: dict[int, Mapping[str, float]] = {}

    def keep(self, pids: Collection[int]) -> None:
        """Forget every other process."""
        self._since = {pid: since for pid, since in self._since.items() if pid in pids}

    def of(self, pid: int, clock: float) -> StuckThreads | None:
        """Those that slept so at two looks or more; None where there is none, or it is not told."""
        before = self._since.get(pid, {})
        now = {tid: before.get(tid, clock) for tid in self._stuck(pid)}
        self._since[pid] = now
        stuck = [clock - since for since in now.values() if since < clock]
        return StuckThreads(len(stuck), max(stuck)) if stuck else None

    def _stuck(self, pid: int) -> Iterator[str]:
        directory = f"{self._proc}/{pid}/task"
        try:
            tids = os.listdir(directory)
        except OSError:
            return
        for tid in tids if len(tids) <= MOST else ():
            if procfs.state(procfs.read(f"{directory}/{tid}/stat") or b"") == "D":
                yield tid
