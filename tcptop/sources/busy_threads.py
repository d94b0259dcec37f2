"""The thread of a process that wants a CPU most: it runs, or is ready to and waits for its turn.

/proc/PID/task/TID/schedstat has both in ns (Documentation/scheduler/sched-stats.rst; with
CONFIG_SCHED_INFO, as all distributions have it). On a busy host CPU time alone would hide who does
nothing but compute, and gets little of it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from tcptop.model.digits import whole
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.sample import BusyThread
from tcptop.sources import procfs

MOST = 256  # threads of a process; each takes some 15 µs
LEAST_CPU = 0.03  # of a core, by the whole process: below it no thread is looked at


class _Times(NamedTuple):
    ran: int  # ns
    waited: int


class BusyThreads:
    """Keep one: what a thread did is known from the second look on."""

    def __init__(self, proc: str = "/proc") -> None:
        self._proc = proc
        self._before: dict[int, Mapping[str, _Times]] = {}

    def keep(self, pids: set[int]) -> None:
        """Forget every other process."""
        self._before = {pid: times for pid, times in self._before.items() if pid in pids}

    def of(self, pid: int, cpu_share: float | None, passed_s: float) -> BusyThread | None:
        """None where none has been busy, or that is not known."""
        before = self._before.pop(pid, {})
        if cpu_share is not None and cpu_share < LEAST_CPU:
            return None
        now = self._before[pid] = self._times(pid)
        grown = {
            tid: _Times(times.ran - before[tid].ran, times.waited - before[tid].waited)
            for tid, times in now.items()
            if tid in before
        }
        if not grown or passed_s <= 0:
            return None
        tid, most = max(grown.items(), key=lambda each: sum(each[1]))
        name = procfs.comm(procfs.read(f"{self._proc}/{pid}/task/{tid}/comm") or b"")
        return BusyThread(name, *(max(0.0, ns / 1e9 / passed_s) for ns in most))

    def _times(self, pid: int) -> Mapping[str, _Times]:
        directory = f"{self._proc}/{pid}/task"
        try:
            tids = os.listdir(directory)
        except OSError:
            return {}
        if len(tids) > MOST:
            return {}
        read = ((tid, procfs.read(f"{directory}/{tid}/schedstat")) for tid in tids)
        found = ((tid, _parsed(data)) for tid, data in read if data is not None)
        return {tid: times for tid, times in found if times is not None}


def _parsed(data: bytes) -> _Times | None:
    """`2300417 120031 17`: ns on a CPU, ns of waiting for one, times it got one."""
    numbers = [whole(word) for word in procfs.text(data).split()[:2]]
    ran, waited = numbers if len(numbers) == 2 else (None, None)
    return None if ran is None or waited is None else _Times(ran, waited)
