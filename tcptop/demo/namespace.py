"""Private network namespaces, each held by a forked process.

Without the right to make one, a user namespace of our own gives it, where the host allows that.
"""

import os
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import ParamSpec, Self, TypeVar

from tcptop.demo import linux
from tcptop.demo.holder import Holder

P = ParamSpec("P")
T = TypeVar("T")

_SYSCTLS = Path("/proc/sys")
_HASH_BUCKETS = 1024  # a small table of its own: the shared one makes each dump walk the host


class DemoNamespace:
    """A network namespace with `lo` up, gone with `close` or with the process that made it.

    `beside` shares that one's user namespace, which a veth pair between the two needs.
    """

    def __init__(self, beside: "DemoNamespace | None" = None) -> None:
        self._holders = [Holder(lambda: _make(beside.pid if beside else None))]

    @property
    def pid(self) -> int:
        """The first process inside."""
        return self._holders[0].pid

    @property
    def inode(self) -> int:
        """The namespace's number, as lsns and /proc/PID/ns/net show it."""
        return os.stat(f"/proc/{self.pid}/ns/net").st_ino

    def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a top-level function inside; what it puts into `held` stays open there."""
        return self._holders[0].run(function, *args, **kwargs)

    def helper(self) -> Holder:
        """Another process inside, for sockets of another owner."""
        pid = self.pid
        self._holders.append(Holder(lambda: _join(pid)))
        return self._holders[-1]

    def sysctl(self, name: str, value: object) -> None:
        """Set a sysctl of this namespace, such as ("net.ipv4.tcp_syncookies", 0)."""
        self.run(_write_sysctl, name, value)

    def command(self, words: Sequence[str], timeout: float = 10.0) -> str:
        """What a command prints inside. Raises RuntimeError with its complaint if it fails."""
        return self.run(_command, list(words), timeout)

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Put the calling thread inside for a while; for those who may (root)."""
        with open("/proc/thread-self/ns/net") as home, open(f"/proc/{self.pid}/ns/net") as there:
            linux.setns(there.fileno(), linux.CLONE_NEWNET)
            try:
                yield
            finally:
                linux.setns(home.fileno(), linux.CLONE_NEWNET)

    def in_thread(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run any callable of this process in a thread that has entered the namespace."""
        outcome: list[T] = []
        failure: list[BaseException] = []

        def work() -> None:
            try:
                with self.entered():
                    outcome.append(function(*args, **kwargs))
            except BaseException as error:
                failure.append(error)

        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        if failure:
            raise failure[0]
        return outcome[0]

    def close(self) -> None:
        """Kill every process inside."""
        for holder in reversed(self._holders):
            holder.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _write_sysctl(name: str, value: object) -> None:
    """Set a sysctl of the calling thread's namespace, by its dotted name."""
    (_SYSCTLS / name.replace(".", "/")).write_text(f"{value}\n")


def _make(beside: int | None) -> None:
    if beside:
        _enter_user_namespace(beside)
    _unshare_network()
    # A namespace gets the table size that its maker's namespace asks for, hence the second one.
    with suppress(FileNotFoundError):
        _write_sysctl("net.ipv4.tcp_child_ehash_entries", _HASH_BUCKETS)
        linux.unshare(linux.CLONE_NEWNET)
    for which in ("all", "default"):  # addresses are usable at once, not after a second
        _write_sysctl(f"net.ipv6.conf.{which}.accept_dad", 0)
    _command(["ip", "link", "set", "lo", "up"], 10)


def _unshare_network() -> None:
    uid, gid = os.getuid(), os.getgid()
    try:
        linux.unshare(linux.CLONE_NEWNET)
    except PermissionError:
        linux.unshare(linux.CLONE_NEWUSER | linux.CLONE_NEWNET)
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {uid} 1")
        Path("/proc/self/gid_map").write_text(f"0 {gid} 1")


def _join(pid: int) -> None:
    _enter_user_namespace(pid)
    _enter(pid, "net", linux.CLONE_NEWNET)


def _enter_user_namespace(pid: int) -> None:
    if os.readlink(f"/proc/{pid}/ns/user") != os.readlink("/proc/self/ns/user"):
        _enter(pid, "user", linux.CLONE_NEWUSER)


def _enter(pid: int, name: str, kind: int) -> None:
    with open(f"/proc/{pid}/ns/{name}") as file:
        linux.setns(file.fileno(), kind)


def _command(words: list[str], timeout: float) -> str:
    """What a command prints, run in the calling process's namespace. Raises RuntimeError."""
    done = subprocess.run(words, capture_output=True, timeout=timeout)
    if done.returncode:
        complaint = done.stderr.decode(errors="replace").strip()
        raise RuntimeError(f"{' '.join(words)}: {complaint or done.returncode}")
    return done.stdout.decode(errors="surrogateescape")
