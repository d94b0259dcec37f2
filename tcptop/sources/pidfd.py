"""Copies of other processes' descriptors: pidfd_open(2) and pidfd_getfd(2), which Python lacks."""

from __future__ import annotations

import ctypes
import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

from tcptop.sources import procfs

# include/uapi/asm-generic/unistd.h; the same everywhere but on Alpha.
_OPEN, _GETFD = 434, 438
THREAD = 0x80  # include/uapi/linux/pidfd.h, since 6.9
_TRAFFIC = re.compile(rb"^\d+:[^:]*\bnet_(?:cls|prio)\b[^:]*:.*$", re.MULTILINE)

# PyDLL keeps the interpreter's lock, as these calls wait for nothing: to get it back from a busy
# thread takes up to 5 ms.
libc = ctypes.PyDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long


class NotCopiedError(Exception):
    """Why there is no copy, in a few words."""


@contextmanager
def copied_socket(pid: int, fd: int, inode: int, privileged: bool, flags: int = 0) -> Iterator[int]:
    """A copy of a process's descriptor of the socket with this inode, closed at the end.

    With THREAD in `flags`, `pid` is a thread: the descriptor is of its own table.

    The copy is the same open file: flags set on it are the owner's, and while it is there a
    close() of the owner sends no FIN. `privileged` says that CAP_SYS_PTRACE is there. Raises
    NotCopiedError.
    """
    try:
        copy = _copy(pid, fd, inode, flags)
    except OSError as error:
        raise NotCopiedError(_reason(error, privileged)) from error
    try:
        yield copy
    finally:
        os.close(copy)


def option(copy: int, level: int, name: int, size: int) -> bytes | None:
    """getsockopt(2); None where the kernel does not know the option, or it is no socket."""
    buffer, length = ctypes.create_string_buffer(size), ctypes.c_uint(size)
    if libc.getsockopt(copy, level, name, buffer, ctypes.byref(length)) < 0:
        return None
    return buffer.raw[: length.value]


def _copy(pid: int, fd: int, inode: int, flags: int) -> int:
    process = _syscall(_OPEN, pid, flags)
    try:
        _check(pid, fd, inode)
        return _syscall(_GETFD, process, fd, 0)  # close-on-exec, always
    finally:
        os.close(process)


def _check(pid: int, fd: int, inode: int) -> None:
    """That a copy does nothing to anybody.

    The close() of a copied file on FUSE or NFS would be told to its server, so the descriptor has
    to be the socket still; its link is read and not followed. And a received socket takes the
    traffic class of its receiver (__receive_sock in net/core/sock.c, since 5.8).
    """
    if os.readlink(f"/proc/{pid}/fd/{fd}") != f"socket:[{inode}]":
        raise NotCopiedError("this descriptor is something else now")
    own = traffic_groups(procfs.read("/proc/self/cgroup") or b"")
    if own and own != traffic_groups(procfs.read(f"/proc/{pid}/cgroup") or b""):
        raise NotCopiedError("reading would change its traffic class (net_cls, net_prio)")


def traffic_groups(cgroup: bytes) -> list[bytes]:
    """The lines of a /proc/PID/cgroup that class traffic, which control groups v1 can."""
    return _TRAFFIC.findall(cgroup)


def _reason(error: OSError, privileged: bool) -> str:
    if error.errno in (errno.EPERM, errno.EACCES):
        return _forbidden(privileged)
    return {
        errno.ESRCH: "the process has ended",
        errno.EBADF: "the process has closed it",
        errno.ENOENT: "the process has closed it, or has ended",
        errno.EINVAL: "in the descriptor table of one thread: no pidfd of those before Linux 6.9",
        errno.ENOSYS: "no pidfd_getfd before Linux 5.6, or a seccomp filter hides it",
    }.get(error.errno or 0, str(error.strerror))


def _forbidden(privileged: bool) -> str:
    """Of itself a process may copy any descriptor, unless the calls as such are forbidden."""
    try:
        process = _syscall(_OPEN, os.getpid(), 0)
        try:
            os.close(_syscall(_GETFD, process, process, 0))
        finally:
            os.close(process)
    except OSError:
        return "not permitted: a seccomp filter forbids pidfd_getfd"
    if privileged:
        return "not permitted, not even with CAP_SYS_PTRACE: a security module or a user namespace"
    return "not permitted: needs CAP_SYS_PTRACE"


def _syscall(number: int, *arguments: int) -> int:
    """A system call that makes a descriptor. Raises OSError."""
    result = int(libc.syscall(ctypes.c_long(number), *map(ctypes.c_long, arguments)))
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result
