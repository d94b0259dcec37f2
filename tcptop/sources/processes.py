"""Facts of processes: name, command line, user, cgroup, limits."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from tcptop.model.label import label_of, name_of
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.sample import Process
from tcptop.sources import procfs
from tcptop.sources.container_names import ContainerNames

# A process renames itself, drops its rights or is moved to another cgroup without a sign.
KEPT_S = 10.0
CMDLINE = 4096  # bytes of it that are kept; a Java class path may have a megabyte


class _Known(NamedTuple):
    process: Process
    identity: int
    comm: bytes
    read_at: float


class ProcessReader:
    """Facts by pid, remembered while it is the same process running the same program.

    Read without psutil: that takes 170 µs a process against 60 µs here, 30 ms to import, lists
    a descriptor table to count it, and knows neither cgroup nor namespace.
    """

    def __init__(self, proc: str = "/proc", clock: Callable[[], float] = time.monotonic) -> None:
        self._proc = proc
        self._clock = clock
        self._known: dict[int, _Known] = {}
        self._containers = ContainerNames(proc, clock)

    def get(self, pid: int, open_fds: int | None = None) -> Process | None:
        """A process, or None where it is gone; `open_fds` is for kernels that do not count."""
        path = f"{self._proc}/{pid}"
        comm = procfs.read(f"{path}/comm")
        try:
            directory = os.stat(f"{path}/fd")
        except OSError:
            comm = None
        if comm is None:
            self._known.pop(pid, None)
            return None
        known = self._known.get(pid)
        if known is None or not self._holds(known, directory.st_ino, comm):
            process = self._read(pid, comm)
            if process is None:
                return None
            known = _Known(process, directory.st_ino, comm, self._clock())
        # st_size counts the descriptors since 6.2 (fs/proc/fd.c), for any user.
        count = directory.st_size or open_fds
        if count != known.process.open_fds:
            known = known._replace(process=replace(known.process, open_fds=count))
        self._known[pid] = known
        return known.process

    def keep(self, pids: set[int]) -> None:
        """Forget every other process."""
        self._known = {pid: known for pid, known in self._known.items() if pid in pids}

    def _holds(self, known: _Known, identity: int, comm: bytes) -> bool:
        young = self._clock() - known.read_at < KEPT_S
        return young and (identity, comm) == (known.identity, known.comm)

    def _read(self, pid: int, comm: bytes) -> Process | None:
        path = f"{self._proc}/{pid}"
        started = procfs.start_time(procfs.read(f"{path}/stat") or b"")
        if started is None:
            return None
        alive = _alive(path)
        cmdline = procfs.read(f"{alive}/cmdline", CMDLINE) or b""
        arguments = procfs.arguments(cmdline)
        name = name_of(procfs.comm(comm), arguments)
        cgroup = procfs.cgroup(procfs.read(f"{alive}/cgroup") or b"")
        return Process(
            pid=pid,
            name=name,
            cmdline=procfs.cmdline(cmdline),
            uid=owner(path),
            start_time=started,
            cgroup=cgroup,
            open_fds=None,
            fd_limit=procfs.open_files_limit(procfs.read(f"{path}/limits") or b""),
            netns=netns(alive),
            label=label_of(name, arguments),
            container_name=self._containers.of(alive, cgroup),
        )


def _alive(path: str) -> str:
    """/proc/PID, or of a process whose first thread has ended another one's directory: a task that
    has ended shows neither command line nor namespaces."""
    if procfs.read(f"{path}/cmdline", 1):
        return path
    tasks = f"{path}/task"
    pid = os.path.basename(path)
    with suppress(OSError):
        return next((f"{tasks}/{tid}" for tid in os.listdir(tasks) if tid != pid), path)
    return path


def name(path: str) -> str | None:
    """What the process behind a /proc/PID is called; None where it is gone."""
    comm, arguments = procfs.read(f"{path}/comm"), procfs.read(f"{path}/cmdline", CMDLINE) or b""
    return name_of(procfs.comm(comm), procfs.arguments(arguments)) if comm else None


def owner(path: str) -> int | None:
    """The effective uid of the process behind /proc/PID; None where it is gone.

    The directory itself belongs to it even where the files inside are root's because the process
    may not be dumped (task_dump_owner in fs/proc/base.c).
    """
    try:
        return os.stat(path).st_uid
    except OSError:
        return None


def netns(path: str) -> int | None:
    """The network namespace of the process behind /proc/PID; None where not permitted."""
    try:
        return os.stat(f"{path}/ns/net").st_ino
    except OSError:
        return None
