"""Who holds a socket: processes that share one, names that mislead, control groups.

Every function runs inside a namespace, in a process that holds sockets.
"""

import os
import signal
import socket
from pathlib import Path
from typing import NoReturn

from tcptop.demo import linux
from tcptop.demo.held import get

HOSTILE_NAME = b'\x1b[31m[b]\n"),x'  # colour, markup, a second line, the end of ss's own quotes


def share_by_fork(fd: int, count: int) -> list[int]:
    """Pids of new processes that inherit a held socket, as the workers of a prefork server do."""
    return [_worker(fd, by_message=False) for _ in range(count)]


def share_by_message(fd: int) -> int:
    """Pid of a new process that was handed a held socket with SCM_RIGHTS (unix(7))."""
    return _worker(fd, by_message=True)


def _worker(fd: int, by_message: bool) -> int:
    """Fork, and return once the child holds this one socket and nothing else."""
    ours, theirs = socket.socketpair()
    parent, pid = os.getpid(), os.fork()
    if pid == 0:
        _hold_only(theirs, None if by_message else fd, parent)
    theirs.close()
    with ours:
        if by_message:
            socket.send_fds(ours, [b"take"], [get(fd).fileno()])
        if ours.recv(5) != b"ready":
            raise ChildProcessError("a worker has ended early")
    return pid


def _hold_only(pipe: socket.socket, fd: int | None, parent: int) -> NoReturn:
    try:
        linux.die_with_parent()
        _close_all_but({0, 1, 2, pipe.fileno()} | ({fd} if fd is not None else set()))
        if fd is None:
            socket.recv_fds(pipe, 4, 1)
        pipe.send(b"ready")
        pipe.close()
        while os.getppid() == parent:
            signal.pause()
    finally:
        os._exit(1)


def _close_all_but(kept: set[int]) -> None:
    for name in os.listdir("/proc/self/fd"):
        if int(name) not in kept:
            os.closerange(int(name), int(name) + 1)


def enter_cgroup(name: str) -> int:
    """Move the calling process into a cgroup v2 of this name; its number as sock_diag gives it.

    Sockets keep the cgroup in which they were made. `remove_cgroup` when the process has ended.
    """
    path = _cgroups() / name
    path.mkdir(exist_ok=True)
    (path / "cgroup.procs").write_text(str(os.getpid()))
    return path.stat().st_ino


def remove_cgroup(name: str) -> None:
    """Remove an empty cgroup. Raises OSError."""
    (_cgroups() / name).rmdir()


def _cgroups() -> Path:
    """Where cgroup v2 is mounted. Raises FileNotFoundError."""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        mount, _, kind = line.partition(" - ")
        if kind.startswith("cgroup2 "):
            return Path(mount.split()[4])
    raise FileNotFoundError("cgroup v2 is not mounted")
