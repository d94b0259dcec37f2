"""Processes that live as in a container: a control group as a runtime names it, a host name.

Every function runs inside a namespace, in a process that holds sockets.
"""

import ctypes
import os
import signal
import socket
import subprocess
from contextlib import suppress
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import NoReturn

from tcptop.demo import linux
from tcptop.sources.cgroups import mount_point

CLONE_NEWNS, CLONE_NEWUTS, CLONE_NEWPID = 0x20000, 0x04000000, 0x20000000  # linux/sched.h
PR_SET_DUMPABLE = 4  # linux/prctl.h
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


def enter_own_user_namespace() -> None:
    """In which the calling process may make every other namespace."""
    uid, gid = os.getuid(), os.getgid()
    ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)  # else /proc/self is not one's own
    linux.unshare(linux.CLONE_NEWUSER)
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"0 {uid} 1")
    Path("/proc/self/gid_map").write_text(f"0 {gid} 1")


def tree(name: str, file: str | None = None) -> int:
    """The pid of a new process tree like a container's, made without a runtime: pid, mount and UTS
    namespaces of its own. It holds what this process holds. `file` is what its /etc/hostname says.
    """
    reading, writing = os.pipe()
    if os.fork() == 0:
        _grow(name, file, writing)
    os.close(writing)
    pid = os.read(reading, 20)
    os.close(reading)
    if not pid:
        raise ChildProcessError("the tree has ended early")
    return int(pid)


def _grow(name: str, file: str | None, told: int) -> NoReturn:
    try:
        linux.die_with_parent()
        linux.unshare(CLONE_NEWNS | CLONE_NEWUTS)
        socket.sethostname(name)
        if file is not None:
            _over_etc_hostname(file)
        linux.unshare(CLONE_NEWPID)  # last, as the first process after it is the first inside
        first = os.fork()
        if first == 0:
            linux.die_with_parent()
            signal.pause()
        os.write(told, b"%d" % first)
        os.close(told)
        os.waitpid(first, 0)
    finally:
        os._exit(1)


def _over_etc_hostname(text: str) -> None:
    """In a mount namespace of its own."""
    with NamedTemporaryFile("w") as made:
        made.write(f"{text}\n")
        made.flush()
        for words in (("--make-rprivate", "/"), ("--bind", made.name, "/etc/hostname")):
            subprocess.run(["mount", *words], check=True)
