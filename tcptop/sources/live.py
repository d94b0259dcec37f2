"""The live source: one Sample a call from sock_diag and /proc of one network namespace."""

from __future__ import annotations

import os
import pwd
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import cache

import numpy as np

from tcptop.model.arrays import isin_sorted
from tcptop.model.sample import Host, Owners, Sample
from tcptop.model.source import Requests, Stop
from tcptop.model.table import U32, SocketTable
from tcptop.sources import namespaces, proc_net_tcp, procfs
from tcptop.sources.cgroups import Cgroups
from tcptop.sources.namespace_reader import NamespaceReader
from tcptop.sources.owners import OwnerFinder
from tcptop.sources.process_facts import FactsReader
from tcptop.sources.sock_diag import Request
from tcptop.sources.sockopts import OptionReader

LEAST_REST_S = 0.05  # between samples, however long they take
LISTENER_POLLS_S = 0.125  # 30 µs each: only the listeners' own hash is walked
OTHERS_S = 5.0
SEARCHED = 100  # sockets without an owner of which it is said that the search goes on
CAP_SYS_PTRACE = 19


class LiveSource:
    """Reads the namespace of the thread that makes it; use it in that thread. Close it.

    `budget_s` bounds the search for owners in one sample. `dump` asks for less than everything:
    then only what it asks for is right, and totals may not be. Raises SockDiagError or OSError
    where neither sock_diag nor /proc/net/tcp can be read.
    """

    def __init__(self, budget_s: float | None = None, dump: Request | None = None) -> None:
        self._clock = time.monotonic()
        self._interval: float | None = None
        self.netns = namespaces.current_inode()
        self._home = NamespaceReader(self.netns, namespaces.name_of(self.netns), dump)
        self._owners = OwnerFinder(budget_s=budget_s, netns=self.netns)
        self._options = OptionReader()
        self._facts = FactsReader()
        self._cgroups = Cgroups()
        self._users: dict[int, str] = {}
        self._others, self._others_due = 0, 0.0

    def close(self) -> None:
        self._home.close()

    def request(self, wanted: Requests) -> None:
        self._options.request(wanted.sockets)
        self._facts.request(wanted.processes)
        self._home.request(wanted)

    def sample(self) -> Sample:
        """What the kernel says now."""
        self._clock = time.monotonic()
        read = self._home.read()
        sockets, unix = read.sockets, read.unix_listeners
        beside = [inode for each in unix or () for inode in (each.inode, *each.clients) if inode]
        owners = self._owners.find(_inodes(sockets, read.bound), beside, sockets)
        rights = privileged()
        by_sock_diag = self._home.by_sock_diag
        sample = Sample(
            taken_at=read.taken_at,
            clock=self._clock,
            host=host(),
            source="sock_diag" if by_sock_diag else "procfs",
            privileged=rights,
            poll_ms=0.0,
            interval_s=self._interval,
            sockets=sockets,
            bound=read.bound,
            owners=owners,
            peaks=read.peaks,
            namespaces=(read.namespace,),
            kernel=(read.kernel,),
            cgroups=self._cgroups.paths(sockets.cgroup_id),
            users=self._names(sockets.uid, owners),
            options=self._options.read(sockets, owners, rights) if by_sock_diag else {},
            routes=read.routes,
            facts=self._facts.read(),
            unix_listeners=unix,
            failed=read.failed,
            notes=self._notes(owners, sockets.inode, rights),
        )
        return replace(sample, poll_ms=(time.monotonic() - self._clock) * 1000)

    def poll_listeners(self) -> None:
        """Remember each listener's longest accept queue until the next sample, and connects that
        have failed."""
        self._home.poll_listeners()

    def wait(self, interval: float, stop: Stop) -> bool:
        """Poll listeners meanwhile. Where that fails, so does the next sample, and says why."""
        self._interval = interval
        due = max(self._clock + interval, time.monotonic() + LEAST_REST_S)
        while (left := due - time.monotonic()) > 0:
            if stop.wait(min(left, LISTENER_POLLS_S)):
                return True
            if left > LISTENER_POLLS_S:
                with suppress(OSError):
                    self.poll_listeners()
        return stop.is_set()

    def _names(self, uids: U32, owners: Owners) -> Mapping[int, str]:
        wanted = {p.uid for p in owners.processes.values() if p.uid is not None}
        wanted.update(np.unique(uids).tolist())
        new = {uid: user_name(uid) for uid in wanted - self._users.keys()}
        if new:  # those before belong to samples before
            self._users = self._users | new
        return self._users

    def _notes(self, owners: Owners, inodes: U32, rights: bool) -> tuple[str, ...]:
        why_not = self._home.why_not
        notes = [f"sock_diag: {why_not}. {proc_net_tcp.NOTE}"] if why_not else []
        notes += owner_notes(owners, inodes, rights)
        others = self._others_with_sockets()
        if others:
            many = "namespaces have" if others > 1 else "namespace has"
            notes.append(f"See --netns NAME|PID: {others} other network {many} sockets.")
        return tuple(notes)

    def _others_with_sockets(self) -> int:
        """Looked for now and then: it takes 5 µs for each process of the host."""
        if time.monotonic() >= self._others_due:
            self._others = len(namespaces.others_with_sockets())
            self._others_due = time.monotonic() + OTHERS_S
        return self._others


def _inodes(sockets: SocketTable, bound: SocketTable) -> U32:
    """Of all that holds a port; most hosts have nothing that is only bound."""
    return np.concatenate([sockets.inode, bound.inode]) if len(bound) else sockets.inode


def owner_notes(owners: Owners, inodes: U32, rights: bool) -> Iterator[str]:
    """Why the owners of some sockets are unknown; `rights` is what `privileged` said."""
    if owners.unreadable and not rights:
        many = "processes" if owners.unreadable > 1 else "process"
        yield (
            f"Run as root or with CAP_SYS_PTRACE: {owners.unreadable} {many} of other users may "
            "not be read, so the owners of their sockets are unknown."
        )
    if owners.hidden_from is not None:
        yield (
            "Run as root or with CAP_SYS_PTRACE: /proc hides the processes of other users "
            "(hidepid), so the owners of their sockets are unknown."
        )
    if owners.complete and not owners.contained:
        return
    missing = np.count_nonzero(~isin_sorted(inodes[inodes != 0], owners.inodes))
    if owners.contained and missing:
        yield (
            "Run in the host's pid namespace: processes outside this container are not visible, "
            "so the owners of their sockets are unknown."
        )
    if not owners.complete and missing >= SEARCHED:
        yield f"{missing:,} sockets have no owner yet: still searching."


def host() -> Host:
    """This machine, from uname(2) and the boot clock."""
    system = os.uname()
    return Host(system.nodename, system.release, time.clock_gettime(time.CLOCK_BOOTTIME), boot_id())


@cache
def boot_id() -> str | None:
    """Of the running kernel."""
    data = procfs.read("/proc/sys/kernel/random/boot_id")
    return procfs.text(data).strip() if data else None


def privileged() -> bool:
    """Whether the descriptors of every user's processes may be read (CAP_SYS_PTRACE).

    In a user namespace of its own a process has every capability, over what is inside.
    """
    effective = procfs.capabilities(procfs.read("/proc/self/status") or b"")
    return bool(effective >> CAP_SYS_PTRACE & 1) and _sees_every_user()


def _sees_every_user() -> bool:
    """Whether all users are mapped to themselves, as in the first user namespace."""
    return (procfs.read("/proc/self/uid_map") or b"").split() == [b"0", b"0", b"4294967295"]


def user_name(uid: int) -> str:
    """The login name, or the number where it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
