"""What a container is called: its host name, which in Kubernetes is the pod's, else its runtime's
name for it.

Whatever runs in a container may have chosen the name: it is text to be shown, and nothing else.
"""

from __future__ import annotations

import json
import os
import stat
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from itertools import pairwise

from tcptop.model.container import Container, container_of
from tcptop.sources import procfs
from tcptop.sources.pidfd import libc

KEPT_S = 10.0  # a container may change its host name
LONGEST = 64  # __NEW_UTS_LEN, include/uapi/linux/utsname.h
CLONE_NEWUTS = 0x04000000  # linux/sched.h
PROC_UTS_INIT_INO = 0xEFFFFFFE  # of the first UTS namespace, the host's: include/linux/proc_ns.h
UNNAMED = ("", "(none)", "localhost", "localhost.localdomain")
DOCKER = "/var/lib/docker/containers"
ANCESTORS = 32
# A file in a container may be on a server that does not answer, and then so does its reader not.
LOCAL = frozenset(
    (
        *("bcachefs", "btrfs", "erofs", "ext2", "ext3", "ext4", "f2fs", "overlay"),
        *("ramfs", "rootfs", "squashfs", "tmpfs", "xfs", "zfs"),
    )
)


class ContainerNames:
    """Names by process, remembered for a while by UTS namespace."""

    def __init__(self, proc: str = "/proc", clock: Callable[[], float] = time.monotonic) -> None:
        self._proc = proc
        self._clock = clock
        self._names: dict[int, tuple[float, str | None]] = {}  # by inode; when it was read

    def of(self, path: str, cgroup: str | None) -> str | None:
        """The name of the container that a process, a directory of /proc, is in; None where it is
        in none that is known, or where it has no name but its id.

        Without a runtime that its cgroup tells of, a process is in a container when it has UTS and
        pid namespaces of its own, and another host name.
        """
        box = container_of(cgroup)
        name = self._host_name(path) if box or self._apart(path) else None
        if box is not None and (name is None or (box.id or "").startswith(name)):
            return _runtimes_name(self._proc, path, box)
        return name

    def _apart(self, path: str) -> bool:
        mine = f"{self._proc}/self"
        kinds = [(_inode(mine, kind), _inode(path, kind)) for kind in ("uts", "pid")]
        return all(own and other and own != other for own, other in kinds)

    def _host_name(self, path: str) -> str | None:
        """None where it is the host's, or may not be read."""
        inode, now = _inode(path, "uts"), self._clock()
        if inode is None or inode == PROC_UTS_INIT_INO:
            return None
        if inode == _inode("/proc/self", "uts"):  # tcptop is in it, too
            return _told(_own_name())
        read_at, name = self._names.get(inode, (-KEPT_S, None))
        if now - read_at >= KEPT_S:
            name = _told(_in_namespace(path) or etc_hostname(path))
            name = None if name == _own_name() else name
            self._names = {i: known for i, known in self._names.items() if now - known[0] < KEPT_S}
            self._names[inode] = (now, name)
        return name


def _told(name: str | None) -> str | None:
    return None if name is None or name in UNNAMED else name[:LONGEST]


def _own_name() -> str:
    return procfs.text(os.fsencode(os.uname().nodename))


def _inode(path: str, kind: str) -> int | None:
    with suppress(OSError):
        return os.stat(f"{path}/ns/{kind}").st_ino
    return None


def _in_namespace(path: str) -> str | None:
    """The host name of a UTS namespace, by a thread that enters it and ends; None where that takes
    a right that is not there."""
    found: list[str] = []

    def enter() -> None:
        with suppress(OSError):
            descriptor = os.open(f"{path}/ns/uts", os.O_RDONLY | os.O_CLOEXEC)
            try:
                if libc.setns(descriptor, CLONE_NEWUTS) == 0:
                    found.append(_own_name())
            finally:
                os.close(descriptor)

    thread = threading.Thread(target=enter, name="uts")
    thread.start()
    thread.join()
    return found[0] if found else None


# -- /etc/hostname, where a namespace may be looked at but not entered


def etc_hostname(path: str) -> str | None:
    """The first line of /etc/hostname below a /proc/PID/root. No link is followed, as it would lead
    to a file of the host; nothing but a plain file is opened; no server is asked."""
    if not _is_local(procfs.read(f"{path}/mountinfo", 1 << 20) or b""):
        return None
    here = os.O_PATH | os.O_CLOEXEC
    opened: list[int] = []
    try:
        opened.append(os.open(f"{path}/root", here | os.O_DIRECTORY))
        opened.append(os.open("etc", here | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=opened[-1]))
        opened.append(os.open("hostname", here | os.O_NOFOLLOW, dir_fd=opened[-1]))
        if not stat.S_ISREG(os.fstat(opened[-1]).st_mode):
            return None
        again = f"/proc/self/fd/{opened[-1]}"
        opened.append(os.open(again, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC))
        lines = os.read(opened[-1], 4 * LONGEST).splitlines()
        return procfs.text(lines[0]).strip() if lines else None
    except OSError:
        return None
    finally:
        for descriptor in opened:
            os.close(descriptor)


def _is_local(mountinfo: bytes) -> bool:
    """Whether all that leads to /etc/hostname is on disks and in memory (proc_pid_mountinfo(5))."""
    kinds = []
    for line in mountinfo.splitlines():
        mount, _, source = line.partition(b" - ")
        if mount.split()[4:5] in ([b"/"], [b"/etc"], [b"/etc/hostname"]):
            kinds.append(procfs.text(source.partition(b" ")[0]))
    return bool(kinds) and LOCAL.issuperset(kinds)


# -- the runtimes' own names, which are easily had of two of them


def _runtimes_name(proc: str, path: str, box: Container) -> str | None:
    if box.runtime == "docker":
        return docker_name(procfs.read(f"{DOCKER}/{box.id}/config.v2.json", 1 << 20) or b"")
    return _conmon_name(proc, path, box.id or "") if box.runtime == "podman" else None


def docker_name(config: bytes) -> str | None:
    """Of a container's config.v2.json (daemon/container/container.go), where it begins with /."""
    try:
        name = json.loads(config)["Name"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return name.removeprefix("/")[:LONGEST] or None if isinstance(name, str) else None


def _conmon_name(proc: str, path: str, number: str) -> str | None:
    """Podman's monitor is an ancestor of what runs in the container, and was told its name."""
    for _ in range(ANCESTORS):
        pid = procfs.parent(procfs.read(f"{path}/stat") or b"") or 0
        if pid <= 1:
            return None
        path = f"{proc}/{pid}"
        if procfs.comm(procfs.read(f"{path}/comm") or b"") == "conmon":
            words = procfs.arguments(procfs.read(f"{path}/cmdline", 1 << 14) or b"")
            if _after("-c", words) == number:
                name = _after("-n", words)
                return name[:LONGEST] if name else None
    return None


def _after(option: str, words: list[str]) -> str | None:
    return dict(pairwise(words)).get(option)
