"""What the control groups of a process hold back: all of it (frozen), its CPU time (throttled), or
the memory of its sockets.

cgroup v1: freezer.state and freezer.self_freezing (Documentation/admin-guide/cgroup-v1/
freezer-subsystem.rst), cpu.stat and cpu.cfs_quota_us (Documentation/scheduler/sched-bwc.rst).
cgroup v2: cgroup.events, cgroup.freeze, cpu.stat and cpu.max (admin-guide/cgroup-v2.rst). Both may
be in use on one host.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from functools import cached_property

from tcptop.model.digits import whole
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.sample import Frozen, SocketMemory, Throttled
from tcptop.sources import procfs
from tcptop.sources.cgroups import MOUNTS
from tcptop.sources.memory_limits import MemoryLimits, fields, text

WINDOW_S = 10.0  # periods are counted over so long, and at least since the last look
FREEZING = ("FROZEN", "FREEZING")  # a task in a system call may take long to freeze
V2 = ""  # its only hierarchy, in what follows beside the controllers of v1


class Mount(NamedTuple):
    """Where a hierarchy is mounted, and which of its groups is seen there."""

    root: str
    point: str


class _Count(NamedTuple):
    clock: float
    periods: int
    throttled: int


class Restraints:
    """Reads what restrains processes; keep one, as throttling is counted between looks."""

    def __init__(
        self, mountinfo: bytes | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._mountinfo = mountinfo
        self._clock = clock
        self._counts: dict[str, list[_Count]] = {}  # by directory, oldest first
        self._read: dict[str, Throttled | None] = {}  # of one look: siblings share their groups
        self._memory = MemoryLimits(clock)

    @cached_property
    def _mounts(self) -> dict[str, Mount]:
        return mounts(procfs.read(MOUNTS) or b"" if self._mountinfo is None else self._mountinfo)

    def look(self) -> None:
        """Processes that are asked for from here on are looked at anew."""
        self._counts = {path: found for path, found in self._counts.items() if path in self._read}
        self._read = {}
        self._memory.look()

    def of(self, cgroup: bytes) -> tuple[Frozen | None, Throttled | None, SocketMemory | None]:
        """What freezes a process with that /proc/PID/cgroup, the group that throttles it most, and
        the limit on its sockets' memory that is nearest; None each where nothing is known to. A
        first look knows of no throttling."""
        paths = groups(cgroup)
        memory = (self._directories(paths, each) for each in ("memory", V2))
        return self._frozen(paths), self._throttled(paths), self._memory.tightest(*memory)

    def _frozen(self, paths: dict[str, str]) -> Frozen | None:
        own = next(self._directories(paths, V2), None)
        if own and fields(f"{own}/cgroup.events").get("frozen") == 1:
            upwards = self._directories(paths, V2)
            by = (each for each in upwards if text(f"{each}/cgroup.freeze") == "1")
            return Frozen(f"{next(by, own)}/cgroup.freeze")
        own = next(self._directories(paths, "freezer"), None)
        if own and text(f"{own}/freezer.state") in FREEZING:
            upwards = self._directories(paths, "freezer")
            by = (each for each in upwards if text(f"{each}/freezer.self_freezing") == "1")
            return Frozen(f"{next(by, own)}/freezer.state")
        return None

    def _throttled(self, paths: dict[str, str]) -> Throttled | None:
        every = [*self._directories(paths, V2), *self._directories(paths, "cpu")]
        found = [self._of_group(each) for each in every]
        return max((each for each in found if each), key=lambda each: each.share, default=None)

    def _of_group(self, directory: str) -> Throttled | None:
        if directory not in self._read:
            self._read[directory] = self._counted(directory)
        return self._read[directory]

    def _counted(self, directory: str) -> Throttled | None:
        stat, clock = fields(f"{directory}/cpu.stat"), self._clock()
        periods, throttled = stat.get("nr_periods"), stat.get("nr_throttled")
        if periods is None or throttled is None:
            return None
        now = _Count(clock, periods, throttled)
        before = self._counts.setdefault(directory, [])
        while len(before) > 1 and before[1].clock <= clock - WINDOW_S:
            del before[0]
        first = before[0] if before else now
        before.append(now)
        if throttled <= first.throttled or periods <= first.periods:
            return None
        file, quota = _quota(directory)
        return Throttled(file, quota, periods - first.periods, throttled - first.throttled)

    def _directories(self, paths: dict[str, str], hierarchy: str) -> Iterator[str]:
        """The directories of a process's group and those above: the mount is that of a container,
        or has none of these files."""
        mount, path = self._mounts.get(hierarchy), paths.get(hierarchy)
        if mount is None or path is None or path.startswith("/.."):  # outside our own root
            return
        root = "" if mount.root == "/" else mount.root
        if root and path != root and not path.startswith(f"{root}/"):
            return
        below = path[len(root) :].rstrip("/")
        while below:
            yield mount.point + below
            below = below.rpartition("/")[0]
        yield mount.point


def mounts(mountinfo: bytes) -> dict[str, Mount]:
    """By controller of cgroup v1, and `V2`: the widest mount of each."""
    found: dict[str, Mount] = {}
    for line in mountinfo.splitlines():
        before, _, after = line.partition(b" - ")
        words, (kind, *_, options) = before.split(), after.split() or [b"", b""]
        if kind not in (b"cgroup", b"cgroup2") or len(words) < 5:
            continue
        mount = Mount(*(os.fsdecode(procfs.unescaped(word)) for word in words[3:5]))
        for name in [V2] if kind == b"cgroup2" else os.fsdecode(options).split(","):
            if name not in found or len(mount.root) < len(found[name].root):
                found[name] = mount
    return found


def groups(cgroup: bytes) -> dict[str, str]:
    """Paths in a /proc/PID/cgroup by controller of cgroup v1, and `V2`."""
    found: dict[str, str] = {}
    for line in os.fsdecode(cgroup).splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        found |= dict.fromkeys(controllers.split(","), path)
    return found


def _quota(directory: str) -> tuple[str, float | None]:
    """The file that sets it, and how many cores it is; None where there is no limit (any more)."""
    file = f"{directory}/cpu.max"
    words = text(file).split()
    if len(words) != 2:
        file = f"{directory}/cpu.cfs_quota_us"
        words = [text(file), text(f"{directory}/cpu.cfs_period_us")]
    quota, period = map(whole, words)
    return file, quota / period if quota and period and quota > 0 else None
