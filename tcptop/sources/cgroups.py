"""Control groups by id: which directory of cgroup2 a socket was made in."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping

from tcptop.model.arrays import sorted_unique
from tcptop.model.table import U64
from tcptop.sources import procfs

WALK_SHARE = 20  # walks may take this part of the time
KEPT_S = 90.0  # the path of a group whose sockets are gone: TIME_WAIT, without an id, lasts 60 s
MOUNTS = "/proc/self/mountinfo"


class Cgroups:
    """Paths by cgroup id, from one walk of the tree, and another when there are new ids.

    Without a cgroup2 mount nothing is known. A group that is gone keeps the path it had. `v1`:
    controllers of cgroup v1 are in use, as on hybrid hosts.
    """

    def __init__(
        self, root: str | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._root = root if root is not None else mount_point()
        self.v1 = root is None and has_v1(procfs.read(MOUNTS) or b"")
        self._clock = clock
        self._paths: dict[int, str] = {}
        self._last: set[int] = set()  # ids that were asked for last time
        self._left: dict[int, float] = {}  # when one was asked for no more
        self._gone: set[int] = set()
        self._next_walk = -math.inf

    def notes(self) -> list[str]:
        """What cannot be told, as nothing can be looked up."""
        missing = "cgroup v2 is not mounted here, so sockets without a process have no unit"
        return [] if self._root else [f"{missing} and no container."]

    def paths(self, ids: U64) -> Mapping[int, str]:
        """Path (from the mount, "/" is its root) of those of the ids that are known, and of those
        asked for shortly before; 0 is none."""
        wanted = self._lately(set(sorted_unique(ids).tolist()) - {0})
        self._gone &= wanted
        unknown = wanted - self._paths.keys() - self._gone
        if unknown and self._root and self._clock() >= self._next_walk:
            self._walk(self._root, wanted)
            # A group is older than its sockets: what this walk has not met, none will.
            self._gone |= wanted - self._paths.keys()
        return {number: self._paths[number] for number in wanted if number in self._paths}

    def members(self, ids: Iterable[int]) -> frozenset[int]:
        """The processes in those of the groups whose paths are known."""
        paths = (self._paths[number] for number in ids if number in self._paths)
        texts = (procfs.read(f"{self._root}{path}/cgroup.procs") or b"" for path in paths)
        return frozenset(int(pid) for text in texts for pid in text.split())

    def _lately(self, ids: set[int]) -> set[int]:
        left, self._last = self._last - ids, ids
        if left or self._left:
            now = self._clock()
            self._left |= dict.fromkeys(left, now)
            self._left = {n: at for n, at in self._left.items() if now - at < KEPT_S}
        return ids | self._left.keys()

    def _walk(self, root: str, wanted: set[int]) -> None:
        began = self._clock()
        kept = {number: path for number, path in self._paths.items() if number in wanted}
        self._paths = kept | dict(walk(root))
        now = self._clock()
        self._next_walk = now + WALK_SHARE * (now - began)


def walk(root: str) -> Iterator[tuple[int, str]]:
    """Each group below a cgroup2 mount: its id, which is its inode number, and its path."""
    try:
        yield os.stat(root).st_ino, "/"
    except OSError:
        return
    pending = [(root, "")]
    while pending:
        directory, path = pending.pop()
        for name, inode in _directories(directory):
            shown = f"{path}/{procfs.text(os.fsencode(name))}"
            yield inode, shown
            pending.append((f"{directory}/{name}", shown))


def _directories(directory: str) -> list[tuple[str, int]]:
    try:
        with os.scandir(directory) as entries:
            return [(e.name, e.inode()) for e in entries if e.is_dir(follow_symlinks=False)]
    except OSError:
        return []  # removed meanwhile


def mount_point(mountinfo: str = MOUNTS) -> str | None:
    """Where cgroup2 is mounted (with v1 beside it, usually at .../unified), or None."""
    return find_mount(procfs.read(mountinfo) or b"")


def find_mount(mountinfo: bytes) -> str | None:
    """The mount point of the widest cgroup2 mount: of several, that of the root is preferred."""
    found = []
    for line in mountinfo.splitlines():
        mount, _, source = line.partition(b" - ")
        words = mount.split()
        if source.split()[:1] == [b"cgroup2"] and len(words) > 4:
            found.append((len(words[3]), os.fsdecode(procfs.unescaped(words[4]))))
    return min(found)[1] if found else None


def has_v1(mountinfo: bytes) -> bool:
    """Whether a controller is mounted as cgroup v1; systemd's own hierarchy, name=systemd, is
    none."""
    for line in mountinfo.splitlines():
        _, _, source = line.partition(b" - ")
        kind, *_, options = source.split() or [b"", b""]
        if kind == b"cgroup" and b"name=systemd" not in options.split(b","):
            return True
    return False
