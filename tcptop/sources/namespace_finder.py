"""Which network namespaces there are: those of processes, of `ip netns`, and mounted anywhere, in
the mount namespaces of others too, or held open by a process.

One that only a socket keeps alive has no way in, and is not found.
"""

from __future__ import annotations

import os
import re
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress

from tcptop.model.named_tuple import NamedTuple
from tcptop.sources import namespaces, procfs
from tcptop.sources.container_names import ContainerNames

WHOLE_S = 5.0  # a process can change its namespace, and what is not by name makes no new process
PATHS = 8  # ways in that are remembered of each, beside its names
MOUNTS_S = 30.0  # between looks at the mounts of another mount namespace
_NSFS = re.compile(rb"^\S+ \S+ \S+ net:\[(\d+)\] (\S+) .*? - nsfs ", re.MULTILINE)


class Found(NamedTuple):
    """A namespace: its `ip netns` name, the first of its processes, how many it has, in which
    cgroup the very first is, and paths that open it, as long as they lead to `inode`."""

    inode: int
    name: str | None = None
    pids: tuple[int, ...] = ()
    processes: int = 0
    cgroup: str | None = None
    paths: tuple[str, ...] = ()

    @property
    def alive(self) -> bool:
        """Whether one of the ways in still leads there."""
        return any(_inode(path) == self.inode for path in self.paths)

    def open(self) -> int:
        """A descriptor of it, which the caller closes. Raises NamespaceError."""
        why_not = "it has ended"
        for path in self.paths:
            try:
                descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            except OSError as error:
                why_not = str(error.strerror)
                continue
            if os.fstat(descriptor).st_ino == self.inode:
                return descriptor
            os.close(descriptor)
        raise namespaces.NamespaceError(f"network namespace {self.inode}: {why_not}")

    def sockets_in_use(self) -> int | None:
        """By one of its processes, as `namespaces.sockets_in_use`; None where it has none."""
        for pid in self.pids[:1]:
            in_use = namespaces.sockets_in_use(f"/proc/{pid}/net")
            return in_use if _inode(f"/proc/{pid}/ns/net") == self.inode else None
        return None


class NamespaceFinder:
    """Keep one, as it asks each process once (5 µs), and all anew every WHOLE_S."""

    def __init__(self, proc: str = "/proc", clock: Callable[[], float] = time.monotonic) -> None:
        self._proc = proc
        self._clock = clock
        self._pid = os.getpid()
        self._spaces: dict[int, int | None] = {}  # by pid; see _space
        self._own: tuple[int | None, int] = (None, 0)  # a file and the namespace of this thread
        self._numbers: dict[int, int] = {}  # the same of others that were entered
        self._named: dict[int, str] = {}
        self._names_changed: int | None = None
        self._mounts: dict[int, list[str]] = {}
        # By mount namespace, not the own: when its mounts are due again, and those of its root.
        self._mounts_of: dict[int, tuple[float, list[tuple[int, str]]]] = {}
        self._cgroups: dict[int, str | None] = {}  # by pid
        self._containers = ContainerNames(proc, clock)
        self._container_names: dict[int, str | None] = {}  # by pid
        self._due = 0.0
        # Those of which nothing but files of /proc/PID/net may be seen; `inode` is negative.
        self.hidden: list[Found] = []
        self._known: Mapping[int, Found] | None = None  # what was found last, if it still holds
        self._held: Mapping[int, list[str]] = {}

    def find(self, whole: bool = False) -> Mapping[int, Found]:
        """By inode, as far as it is permitted; `whole`: ask everybody anew."""
        anew = whole or self._clock() >= self._due
        if anew:
            self._spaces, self._names_changed = {}, None
            alive = self._known or {}
            self._numbers = {n: inode for n, inode in self._numbers.items() if inode in alive}
            self._cgroups, self._container_names = {}, {}
            self._own = (_inode("/proc/thread-self/net/sockstat"), namespaces.current_inode())
            self._due, self._known = self._clock() + WHOLE_S, None
        self._look_at_processes()
        self._look_at_names()
        if anew:
            self._mounts = self._look_at_mounts()
        if self._known is None:
            self._known = self._found()
        return self._known

    def hold(self, held: Mapping[int, list[str]]) -> None:
        """Paths of descriptors that are namespaces, by inode: ways into what has no other one."""
        if held != self._held:
            self._held, self._known = held, None

    def inside(self, inode: int) -> None:
        """Called in a namespace: its processes, of which only their files may be seen, are known to
        be in it from now on."""
        number = _inode("/proc/thread-self/net/sockstat") if self.hidden else None
        if number is not None and self._numbers.get(number) != inode:
            self._numbers[number] = inode
            moved = {pid: inode for pid, space in self._spaces.items() if space == -number}
            self._spaces, self._known = {**self._spaces, **moved}, None

    def container_name(self, found: Found) -> str | None:
        """Of its first process; kept until all are asked anew."""
        for pid in found.pids[:1]:
            if pid not in self._container_names:
                name = self._containers.of(f"{self._proc}/{pid}", found.cgroup)
                self._container_names[pid] = name
            return self._container_names[pid]
        return None

    def _look_at_processes(self) -> None:
        known, pids = self._spaces, procfs.pids(self._proc)
        if known.keys() == set(pids):
            return
        self._known = None
        self._spaces = {
            pid: known[pid] if pid in known else self._space(f"{self._proc}/{pid}") for pid in pids
        }

    def _space(self, path: str) -> int | None:
        """The namespace of a process; None where it has none any more.

        Who may not look at it sees at least which processes share one: a namespace has files of its
        own in /proc (proc_alloc_inum). Such a number, negative, is none of another namespace.
        """
        inode = _inode(f"{path}/ns/net")
        if inode is not None:
            return inode
        number = _inode(f"{path}/net/sockstat")
        if number is None:
            return None
        return self._own[1] if number == self._own[0] else self._numbers.get(number, -number)

    def _look_at_names(self) -> None:
        changed = None
        with suppress(OSError):
            changed = os.stat(namespaces.NAMED).st_mtime_ns
        if changed is None or changed != self._names_changed:
            self._named = {inode: name for name, inode in namespaces.named()}
            self._names_changed, self._known = changed, None

    def _look_at_mounts(self) -> dict[int, list[str]]:
        """Paths on which network namespaces are mounted, by inode: container runtimes do that too.
        In other mount namespaces only those are looked for that are not known otherwise."""
        found: dict[int, list[str]] = {}
        known = {*self._spaces.values(), *self._named}
        _add(found, mounted(procfs.read(f"{self._proc}/self/mountinfo") or b""), "")
        known |= found.keys()
        for root, mounts in self._other_mounts():
            _add(found, [each for each in mounts if each[0] not in known], root)
        return found

    def _other_mounts(self) -> Iterator[tuple[str, list[tuple[int, str]]]]:
        """(root directory, network namespaces mounted beneath it) of other mount namespaces."""
        seen = {_inode(f"{self._proc}/self/ns/mnt"), None}
        before, self._mounts_of = self._mounts_of, {}
        for pid in self._spaces:
            space = _inode(f"{self._proc}/{pid}/ns/mnt")
            if space in seen or space is None:
                continue
            seen.add(space)
            due, mounts = before.get(space, (0.0, []))
            if self._clock() >= due:
                mounts = mounted(procfs.read(f"{self._proc}/{pid}/mountinfo") or b"")
                due = self._clock() + MOUNTS_S
            self._mounts_of[space] = due, mounts
            yield f"{self._proc}/{pid}/root", mounts

    def _found(self) -> Mapping[int, Found]:
        pids: dict[int, list[int]] = defaultdict(list)
        for pid, inode in self._spaces.items():
            if inode is not None:
                pids[inode].append(pid)
        self.hidden = [self._one(i, sorted(pids[i])) for i in sorted(pids) if i < 0]
        inodes = pids.keys() | self._named.keys() | self._mounts.keys() | self._held.keys()
        known = sorted(inode for inode in inodes if inode > 0)
        return {inode: self._one(inode, sorted(pids.get(inode, ()))) for inode in known}

    def _one(self, inode: int, pids: list[int]) -> Found:
        name = self._named.get(inode)
        paths = [f"{namespaces.NAMED}/{name}"] if name is not None else []
        paths += [f"{self._proc}/{pid}/ns/net" for pid in pids[:PATHS]]
        paths += self._mounts.get(inode, ())
        paths += self._held.get(inode, ())[:PATHS]
        others = [pid for pid in pids if pid != self._pid] or pids  # who are there without us
        cgroup = self._cgroup(others[0]) if others else None
        return Found(inode, name, tuple(others[:PATHS]), len(pids), cgroup, tuple(paths))

    def _cgroup(self, pid: int) -> str | None:
        if pid not in self._cgroups:
            path = f"{self._proc}/{pid}/cgroup"
            self._cgroups[pid] = procfs.cgroup(procfs.read(path) or b"")
        return self._cgroups[pid]


def _inode(path: str) -> int | None:
    try:
        return os.stat(path).st_ino
    except OSError:
        return None


def _add(found: dict[int, list[str]], mounts: list[tuple[int, str]], root: str) -> None:
    for inode, path in mounts:
        paths = found.get(inode, [])
        # Else there are enough ways in, or it is hidden beneath another mount.
        if len(paths) < PATHS and _inode(root + path) == inode:
            found[inode] = [*paths, root + path]


def mounted(mountinfo: bytes) -> list[tuple[int, str]]:
    """(inode, path) of every network namespace in it (proc_pid_mountinfo(5))."""
    pairs = ((int(inode), path) for inode, path in _NSFS.findall(mountinfo))
    return [(inode, os.fsdecode(procfs.unescaped(path))) for inode, path in pairs]
