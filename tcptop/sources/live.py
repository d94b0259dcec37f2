"""The live source: one Sample a call from sock_diag and /proc, of one network namespace or all."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cache
from itertools import chain
from typing import TypeVar

import numpy as np

from tcptop.model.arrays import isin_sorted, sorted_unique
from tcptop.model.sample import (
    NO_PEAKS,
    Deaths,
    Host,
    Kernel,
    ListenerPeaks,
    Namespace,
    Owners,
    ProcessFacts,
    Sample,
)
from tcptop.model.source import Requests, Stop
from tcptop.model.table import U32, SocketTable, concat
from tcptop.sources import namespaces, proc_net_tcp, procfs
from tcptop.sources.cgroups import Cgroups
from tcptop.sources.counters import read_kernel
from tcptop.sources.deaths import MOST_PER_S, REST_S, DeathListener
from tcptop.sources.namespace_finder import Found, NamespaceFinder
from tcptop.sources.namespace_reader import NamespaceReader, Reading
from tcptop.sources.other_namespaces import OtherNamespaces
from tcptop.sources.owners import OwnerFinder
from tcptop.sources.process_facts import FactsReader
from tcptop.sources.sock_diag import Request
from tcptop.sources.sockopts import OptionReader
from tcptop.sources.users import UserNames

T = TypeVar("T")

LEAST_REST_S = 0.05  # between samples, however long they take
NAMES_S, NAMES_SPARING_S = 2.0, 0.1  # for which a sample waits for new names of users, once
LISTENER_POLLS_S = 0.2  # only the listeners' own hash is walked, but to wake up costs 0.2 ms
ELSEWHERE_S = 30.0  # between looks for other namespaces: 50 µs a process and a namespace
LET_GO_S = 1.0
NAMESPACES_SHARE = 0.15  # of a processor, for all but the reader's own: so seldom do samples come
SEARCHED = 100  # sockets without an owner of which it is said that the search goes on
CAP_SYS_PTRACE = 19


class LiveSource:
    """Reads the namespace of the thread that makes it; use it in that thread. Close it.

    `everywhere`: and every other one that may be entered. `budget_s` bounds the search for owners
    in one sample; then the other namespaces share a part of the time, and samples come as seldom
    as that takes. `dump` asks for less than everything: then only what it asks for is right, and
    totals may not be. `events`: whether sockets that end between samples are told. Raises
    SockDiagError or OSError where neither sock_diag nor /proc/net/tcp can be read.
    """

    def __init__(
        self,
        budget_s: float | None = None,
        dump: Request | None = None,
        everywhere: bool = False,
        events: bool = True,
    ) -> None:
        self._clock = time.monotonic()
        self._interval: float | None = None
        self.netns = namespaces.current_inode()
        self._first = namespaces.first_inode()
        self._finder = NamespaceFinder()
        self._deaths = DeathListener() if events else None
        self._home = NamespaceReader(self.netns, dump, deaths=self._deaths)
        self._sparing = budget_s is not None
        self._others = (
            OtherNamespaces(self._home, self._finder, dump, self._sparing, self._deaths)
            if everywhere
            else None
        )
        self._owners = OwnerFinder(budget_s=budget_s)
        self._options = OptionReader()
        self._facts = FactsReader()
        self._cgroups = Cgroups()
        self._sought: frozenset[int] = frozenset()  # groups in which owners are sought first
        self._users = UserNames(NAMES_S if budget_s is None else NAMES_SPARING_S)
        self._found: Mapping[int, Found] = {}
        self._namespaces: tuple[Namespace, ...] = ()
        self._elsewhere, self._elsewhere_due = 0, 0.0

    def close(self) -> None:
        if self._others:
            self._others.close()
        self._home.close()
        if self._deaths:
            self._deaths.close()

    def request(self, wanted: Requests) -> None:
        self._options.request(wanted.sockets)
        self._facts.request(wanted.processes)
        self._home.request(wanted)
        self._sought = wanted.cgroups
        if self._others:
            self._others.request(wanted)

    def facts(self) -> Mapping[int, ProcessFacts]:
        return self._facts.read()

    def sample(self) -> Sample:
        """What the kernel says now."""
        self._clock = time.monotonic()
        here = host()
        home = self._home.read()
        readings = [home, *self._others_read()]
        sockets = _rows([each.sockets for each in readings])
        bound = _rows([each.bound for each in readings])
        unix = _together([each.unix_listeners for each in readings])
        beside = [inode for each in unix or () for inode in (each.inode, *each.clients) if inode]
        empty = self._others.empty if self._others else {}
        inside = frozenset((*(each.netns for each in readings), *empty))
        first = self._cgroups.members(self._sought)
        owners = self._owners.find(_inodes(sockets, bound), beside, sockets, inside, first)
        ended = self._others.ended if self._others else []
        deaths = (*(each.deaths for each in readings if each.deaths is not None), *ended)
        rights = privileged()
        by_sock_diag = self._home.by_sock_diag
        sample = Sample(
            taken_at=home.taken_at,
            clock=self._clock,
            host=here,
            source="sock_diag" if by_sock_diag else "procfs",
            privileged=rights,
            poll_ms=0.0,
            interval_s=self._interval,
            sockets=sockets,
            bound=bound,
            owners=owners,
            peaks=_peaks(readings),
            namespaces=self._spaces(readings),
            kernel=tuple(each.kernel for each in readings),
            unentered=tuple(self._counters()),
            cgroups=self._cgroups.paths(sockets.cgroup_id),
            cgroups_v1=self._cgroups.v1,
            users=self._users.of(_uids(sockets.uid, owners)),
            options=self._options.read(sockets, owners, rights) if by_sock_diag else {},
            routes={key: route for each in readings for key, route in each.routes.items()},
            facts=self._facts.read(),
            unix_listeners=unix,
            deaths=deaths,
            notes=self._notes(owners, sockets.inode, rights, deaths),
        )
        return replace(sample, poll_ms=(time.monotonic() - self._clock) * 1000)

    def _others_read(self) -> list[Reading]:
        if self._others:
            self._finder.hold(self._owners.namespaces())
            self._found = self._finder.find()
            return self._others.read(self._found)
        if self._clock >= self._elsewhere_due:
            self._found = self._finder.find()
            others = (each for each in self._found.values() if each.inode != self.netns)
            self._elsewhere = sum(bool(each.sockets_in_use()) for each in others)
            self._elsewhere_due = self._clock + ELSEWHERE_S
        return []

    def poll_listeners(self) -> None:
        """Remember each listener's longest accept queue until the next sample."""
        self._home.poll_listeners()
        if self._others:
            self._others.poll_listeners()

    def _between_s(self, interval: float) -> float:
        """Seconds from sample to sample."""
        if self._others is None or not self._sparing:
            return interval
        return max(interval, self._others.took_s / NAMESPACES_SHARE)

    def wait(self, interval: float, stop: Stop) -> bool:
        """Poll listeners meanwhile. Where that fails, so does the next sample, and says why."""
        self._interval = interval
        due = max(self._clock + self._between_s(interval), time.monotonic() + LEAST_REST_S)
        let_go_at = time.monotonic() + LET_GO_S
        while (left := due - time.monotonic()) > 0:
            if stop.wait(min(left, LISTENER_POLLS_S)):
                return True
            if left > LISTENER_POLLS_S:
                with suppress(OSError):
                    self.poll_listeners()
            if self._others and time.monotonic() >= let_go_at:
                self._others.let_go()
                let_go_at = time.monotonic() + LET_GO_S
        return stop.is_set()

    def _notes(
        self, owners: Owners, inodes: U32, rights: bool, deaths: Sequence[Deaths]
    ) -> tuple[str, ...]:
        why_not = self._home.why_not
        notes = [f"sock_diag: {why_not}. {proc_net_tcp.NOTE}"] if why_not else []
        if self._home.not_told:
            notes.append(f"The kernel does not tell what ends: {self._home.not_told}.")
        notes += death_notes(deaths)
        notes += owner_notes(owners, inodes, rights)
        notes += self._cgroups.notes()
        notes += self._users.notes()
        notes += self._of_others(owners) if self._others else self._of_elsewhere()
        return tuple(notes)

    def _of_others(self, owners: Owners) -> Iterator[str]:
        assert self._others
        if owners.contained or owners.hidden_from is not None:
            yield (
                "Network namespaces in which only processes are that /proc does not show are not "
                "found."
            )
        for why_not, number in Counter(self._others.not_told()).most_common():
            yield f"Of {_namespaces(number)} the kernel does not tell what ends: {why_not}."
        if hidden := len(self._finder.hidden):
            yield (
                f"Run as root or with CAP_SYS_ADMIN and CAP_SYS_PTRACE: {_namespaces(hidden)} may "
                "not be entered; their counters are told, their sockets are not."
            )
        # Nothing says of these which of the others they are.
        same = "; they may be among those" if hidden else ""
        for why_not, number in Counter(self._others.refused.values()).most_common():
            yield f"{_namespaces(number)} could not be read: {why_not}{same}."
        between_s = self._between_s(self._interval or 0.0)
        if self._interval and between_s > self._interval:
            yield (
                f"To read {_namespaces(len(self._found) - 1)} takes a processor "
                f"{self._others.took_s:.1f} s: samples come every {between_s:.0f} s."
            )

    def _of_elsewhere(self) -> Iterator[str]:
        if self._elsewhere:
            yield f"Not looked at (see --netns all): {_namespaces(self._elsewhere)} with sockets."

    def _counters(self) -> Iterator[Kernel]:
        """What /proc tells of namespaces that may not be entered."""
        if self._others:
            refused = (self._found[inode] for inode in self._others.refused)
            for each in (*self._finder.hidden, *refused):
                for pid in each.pids[:1]:
                    yield read_kernel(abs(each.inode), pid)

    def _spaces(self, readings: Sequence[Reading]) -> tuple[Namespace, ...]:
        """The reader's own first."""
        empty = self._others.empty if self._others else {}
        known = {each.inode: each for each in self._namespaces}
        made = [self._namespace(each.netns, self._clock, each) for each in readings]
        for inode, clock in sorted(empty.items()):
            before, clock = known.get(inode), min(clock, self._clock)
            same = before and (before.clock, before.pids) == (clock, self._found[inode].pids)
            made.append(before if before and same else self._namespace(inode, clock))
        self._namespaces = tuple(made)
        return self._namespaces

    def _namespace(self, inode: int, clock: float, read: Reading | None = None) -> Namespace:
        found = self._found.get(inode, Found(inode))
        return Namespace(
            inode,
            found.name,
            read.interfaces if read else {},
            pids=found.pids,
            processes=found.processes if found.paths else None,
            cgroup=found.cgroup,
            container_name=self._finder.container_name(found) if read else None,
            first=inode == self._first,
            clock=clock,
            cookie=read.cookie if read else self._cookie(inode),
            path=found.paths[0] if found.paths and not (found.name or found.pids) else None,
        )

    def _cookie(self, inode: int) -> int | None:
        return self._others.cookie(inode) if self._others else None


def _namespaces(number: int) -> str:
    return f"{number} other network namespace{'s' if number > 1 else ''}"


def _rows(tables: Sequence[SocketTable]) -> SocketTable:
    """All in one; most namespaces have none."""
    return concat([tables[0], *(each for each in tables[1:] if len(each))])


def _together(told: Sequence[tuple[T, ...] | None]) -> tuple[T, ...] | None:
    """Of all namespaces; None where the reader's own, which comes first, does not tell."""
    return None if told[0] is None else tuple(chain.from_iterable(each or () for each in told))


def _peaks(readings: Sequence[Reading]) -> ListenerPeaks:
    polled = [each.peaks for each in readings if len(each.peaks.cookies)]
    if len(polled) < 2:
        return polled[0] if polled else NO_PEAKS
    return ListenerPeaks(
        np.concatenate([each.netns for each in polled]),
        np.concatenate([each.cookies for each in polled]),
        np.concatenate([each.peaks for each in polled]),
        max(each.polls for each in polled),
    )


def _inodes(sockets: SocketTable, bound: SocketTable) -> U32:
    """Of all that holds a port; most hosts have nothing that is only bound."""
    return np.concatenate([sockets.inode, bound.inode]) if len(bound) else sockets.inode


def death_notes(deaths: Sequence[Deaths]) -> Iterator[str]:
    """What is missing of the sockets that have ended since the sample before."""
    lost = [each.lost for each in deaths if each.lost != 0]
    if any(each.deaf_s for each in deaths):
        yield (
            f"More than {MOST_PER_S:,} sockets end a second: for {REST_S:g} s at a time tcptop "
            "does not read which, so closed connections are missing."
        )
    elif lost:
        many = "Some" if None in lost else f"{sum(each or 0 for each in lost):,}"
        yield f"{many} closed connections are missing: they ended faster than tcptop could read."


def _uids(uids: U32, owners: Owners) -> set[int]:
    """Those of sockets and of the processes that hold them."""
    people = {p.uid for p in owners.processes.values() if p.uid is not None}
    return people.union(sorted_unique(uids).tolist())


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
    name = os.fsencode(system.nodename).decode("utf-8", "backslashreplace")  # bytes of any kind
    return Host(name, system.release, time.clock_gettime(time.CLOCK_BOOTTIME), boot_id())


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
