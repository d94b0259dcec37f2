"""Network namespaces: which one a thread is in, entering another, and which others hold sockets."""

from __future__ import annotations

import ctypes
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple

from tcptop.sources import procfs

NAMED = "/run/netns"  # ip-netns(8)
OWN = "/proc/thread-self/ns/net"  # not /proc/self, which is the first thread's
CLONE_NEWNET = 0x40000000  # linux/sched.h
_READ = os.O_RDONLY | os.O_CLOEXEC


class NamespaceError(Exception):
    """One line: which namespace, and why it cannot be had."""


class Found(NamedTuple):
    """A namespace that a process or a name leads to; `path` opens it."""

    inode: int
    name: str | None
    pid: int | None
    path: str


def current_inode() -> int:
    """The calling thread's namespace, as lsns shows it."""
    return os.stat(OWN).st_ino


def name_of(inode: int) -> str | None:
    """The name that ip-netns gave a namespace, or None."""
    return next((name for name, number in _named() if number == inode), None)


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


def _setns(descriptor: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)  # os.setns came with Python 3.12
    if libc.setns(descriptor, CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def discover(proc: str = "/proc") -> list[Found]:
    """Every namespace that processes or names lead to, by inode, as far as it is permitted.

    5 µs a process, so once in a few seconds is enough; a process can change its namespace, so
    that remembering it by pid would save nothing.
    """
    names = {inode: name for name, inode in _named()}
    found: dict[int, Found] = {}
    for pid in sorted(procfs.pids(proc)):
        path = f"{proc}/{pid}/ns/net"
        try:
            inode = os.stat(path).st_ino
        except OSError:
            continue
        found.setdefault(inode, Found(inode, names.get(inode), pid, path))
    for inode, name in names.items():
        found.setdefault(inode, Found(inode, name, None, f"{NAMED}/{name}"))
    return [found[inode] for inode in sorted(found)]


def others_with_sockets(proc: str = "/proc") -> list[Found]:
    """Namespaces other than the calling thread's in which TCP sockets are in use.

    Those without a process are left out, and so are those that may not be seen.
    """
    own = current_inode()
    others = (found for found in discover(proc) if found.inode != own)
    return [found for found in others if found.pid and sockets_in_use(f"{proc}/{found.pid}/net")]


def sockets_in_use(net: str = "/proc/thread-self/net") -> int:
    """TCP sockets and TIME_WAITs that the sockstat files of a /proc/PID/net count.

    0 means that a dump there would find nothing but half-open connections.
    """
    total = 0
    for name in ("sockstat", "sockstat6"):
        sections = procfs.sockstat(procfs.read(f"{net}/{name}") or b"")
        for protocol in ("TCP", "TCP6"):
            section = sections.get(protocol, {})
            total += section.get("inuse", 0) + section.get("tw", 0)
    return total


def _named() -> list[tuple[str, int]]:
    """(name, inode) of the namespaces that are mounted on their names."""
    with suppress(OSError):
        device = os.stat(OWN).st_dev
        statuses = [(name, os.stat(f"{NAMED}/{name}")) for name in os.listdir(NAMED)]
        return [(name, status.st_ino) for name, status in statuses if status.st_dev == device]
    return []
