"""Network namespaces: which one a thread is in, and entering another."""

from __future__ import annotations

import ctypes
import errno
import os
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from sys import byteorder

from tcptop.sources import procfs

NAMED = "/run/netns"  # ip-netns(8)
OWN = "/proc/thread-self/ns/net"  # not /proc/self, which is the first thread's
SO_NETNS_COOKIE = 71  # include/uapi/asm-generic/socket.h
CLONE_NEWNET = 0x40000000  # linux/sched.h
CAP_SYS_ADMIN = 21  # linux/capability.h
_TCP = re.compile(rb"^TCP6?: inuse (\d+)(?:.* tw (\d+))?", re.MULTILINE)
_READ = os.O_RDONLY | os.O_CLOEXEC


class NamespaceError(Exception):
    """One line: which namespace, and why it cannot be had."""


def current_inode() -> int:
    """The calling thread's namespace, as lsns shows it. Raises OSError."""
    try:
        return os.stat(OWN).st_ino
    except FileNotFoundError as error:
        if os.path.exists("/proc/self"):
            raise
        raise OSError(errno.ENOENT, "not mounted", "/proc") from error


def cookie() -> int | None:
    """A number of the calling thread's namespace that no other one has, ever; since 5.14."""
    with suppress(OSError), socket.socket(socket.AF_NETLINK, socket.SOCK_RAW) as made:
        return int.from_bytes(made.getsockopt(socket.SOL_SOCKET, SO_NETNS_COOKIE, 8), byteorder)
    return None


def name_of(inode: int) -> str | None:
    """The name that ip-netns gave a namespace, or None."""
    return next((name for name, number in named() if number == inode), None)


def interfaces() -> dict[int, str]:
    """Index -> name of the interfaces in the calling thread's namespace."""
    try:
        return dict(socket.if_nameindex())
    except OSError:
        return {}


def open_namespace(spec: str) -> int:
    """A descriptor of a namespace, by name or by the pid (all digits) of a process in it.

    The caller closes it. Raises NamespaceError.
    """
    if spec.isdecimal():
        return _open_of_process(spec)
    if spec in ("", ".", "..") or "/" in spec or "\0" in spec:
        raise NamespaceError(f"{spec!r} is not the name of a network namespace")
    try:
        descriptor = os.open(f"{NAMED}/{spec}", _READ)
    except OSError as error:
        raise NamespaceError(f"no network namespace {spec!r}: {error.strerror}") from error
    if os.fstat(descriptor).st_dev != os.stat(OWN).st_dev:
        os.close(descriptor)
        raise NamespaceError(f"{NAMED}/{spec} is not a network namespace, or one no more")
    return descriptor


def _open_of_process(pid: str) -> int:
    try:
        return os.open(f"/proc/{pid}/ns/net", _READ)
    except PermissionError as error:
        why = "not permitted, it takes CAP_SYS_PTRACE (root)"
        raise NamespaceError(f"network namespace of process {pid}: {why}") from error
    except OSError as error:
        raise NamespaceError(f"there is no process {pid}") from error


@contextmanager
def entered(descriptor: int) -> Iterator[None]:
    """Put the calling thread, and only it, into a namespace for a while.

    Raises NamespaceError, and OSError where there is no way back.
    """
    if os.fstat(descriptor).st_ino == current_inode():
        yield  # nothing to do, and so nothing that takes a right
        return
    home = os.open(OWN, _READ)
    try:
        _enter(descriptor)
        try:
            yield
        finally:
            _setns(home)
    finally:
        os.close(home)


def _enter(descriptor: int) -> None:
    try:
        _setns(descriptor)
    except PermissionError as error:
        why = "not permitted, it takes CAP_SYS_ADMIN (root)"
        raise NamespaceError(f"entering another network namespace: {why}") from error
    except OSError as error:
        raise NamespaceError(f"entering another network namespace: {error.strerror}") from error


@cache
def _libc() -> ctypes.CDLL:
    """For setns, which os has since Python 3.12; to load it takes 0.1 ms."""
    return ctypes.CDLL(None, use_errno=True)


def _setns(descriptor: int) -> None:
    if _libc().setns(descriptor, CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def sockets_in_use(net: str = "/proc/thread-self/net") -> int:
    """TCP sockets and TIME_WAITs that the sockstat files of a /proc/PID/net count.

    0 means that a dump there would find nothing but half-open connections.
    """
    files = (procfs.read(f"{net}/{name}") or b"" for name in ("sockstat", "sockstat6"))
    found = (each.groups(b"0") for data in files for each in _TCP.finditer(data))
    return sum(int(in_use) + int(waiting) for in_use, waiting in found)


def may_enter() -> bool:
    """Whether other namespaces may be entered, as far as that is known without trying."""
    effective = procfs.capabilities(procfs.read("/proc/thread-self/status") or b"")
    return bool(effective >> CAP_SYS_ADMIN & 1)


def named() -> list[tuple[str, int]]:
    """(name, inode) of the namespaces that are mounted on their names."""
    found = []
    with suppress(OSError):
        device = os.stat(OWN).st_dev
        for name in os.listdir(NAMED):
            with suppress(OSError):  # removed meanwhile
                status = os.stat(f"{NAMED}/{name}")
                if status.st_dev == device:
                    found.append((name, status.st_ino))
    return found


def first_inode() -> int | None:
    """The host's first namespace; None where it is not known, as in a container.

    Who may not look at the first process still sees whether its files are those of this thread: a
    namespace has its own, with numbers of their own (proc_alloc_inum).
    """
    if procfs.in_container():
        return None
    with suppress(OSError):
        return os.stat("/proc/1/ns/net").st_ino
    with suppress(OSError):
        here, there = (os.stat(f"/proc/{of}/net/sockstat") for of in ("thread-self", "1"))
        return current_inode() if here.st_ino == there.st_ino else None
    return None
