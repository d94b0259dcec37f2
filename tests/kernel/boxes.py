"""Processes that live as in a container: a control group as a runtime names it, a host name.

Every function runs inside a namespace, in a process that holds sockets.
"""

import os
import signal
import socket
from contextlib import suppress
from pathlib import Path

from tcptop.demo import linux
from tcptop.sources.cgroups import mount_point

CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWPID = 0x20000, 0x04000000, 0x20000000  # linux/sched.h
ID, POD = "3f2a" * 16, "0b1c2d3e-4f50-6172-8394-a5b6c7d8e9f0"
KUBERNETES = f"kubepods.slice/kubepods-pod{POD.replace('-', '_')}.slice/cri-containerd-{ID}.scope"


def root() -> Path:
    """Where cgroup v2 is mounted, and below it what is of this run of the tests."""
    return Path(mount_point() or "") / f"tcptop-{os.getppid()}"


def enter(path: str, name: str | None = None) -> None:
    """Move the calling process into a control group, and where a host name is given into a UTS
    namespace of this name."""
    group = root() / path
    group.mkdir(parents=True, exist_ok=True)
    (group / "cgroup.procs").write_text(str(os.getpid()))
    if name is not None:
        linux.unshare(CLONE_NEWUTS)
        socket.sethostname(name)


def removed() -> None:
    """Remove the groups of this process's parent, which must be empty."""
    made = Path(mount_point() or "") / f"tcptop-{os.getpid()}"
    for directory, _, _ in sorted(os.walk(made, topdown=False), key=lambda each: -len(each[0])):
        with suppress(OSError):
            os.rmdir(directory)


def tree(name: str) -> int:
    """The pid of a new process tree like a container's, made without a runtime: pid, mount and UTS
    namespaces of its own. It holds what this process holds."""
    reading, writing = os.pipe()
    if os.fork() == 0:
        linux.die_with_parent()
        linux.unshare(CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWPID)
        socket.sethostname(name)
        first = os.fork()
        if first == 0:
            linux.die_with_parent()
            signal.pause()
        os.write(writing, b"%d" % first)
        os.waitpid(first, 0)
        os._exit(0)
    pid = int(os.read(reading, 20))
    os.close(reading)
    os.close(writing)
    return pid
