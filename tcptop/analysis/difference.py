"""Difference: what has come, gone and changed between two snapshots.

Of one host since one boot sockets are told apart by their keys and processes by pid; of two boots,
or two hosts, only by what they are called and where they are.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Hashable, Iterator

import numpy as np

from tcptop.analysis.counters import GAUGES
from tcptop.analysis.findings import words
from tcptop.model import address, tcp
from tcptop.model.arrays import index_of
from tcptop.model.boot import same_boot
from tcptop.model.dataclass import dataclass
from tcptop.model.finding import SEVERITIES, Finding
from tcptop.model.sample import NOT_TOLD, Process
from tcptop.model.snapshot import Snapshot
from tcptop.model.table import Index

# As findings.words.duration writes it.
_DURATION = re.compile(r"\b[\d.]+ (?:s|min|h|d)\b(?: \d+ (?:s|min|h)\b)?")

ThenNow = tuple[int, int]  # then and now


@dataclass(frozen=True, eq=False, slots=True)
class Sockets:
    """Rows of the two socket tables, matched by key.

    A dump of a crowded hash may leave out a live socket: a few may seem opened or closed.
    """

    opened: Index  # rows of the new table
    closed: Index  # rows of the old table
    before: Index  # rows of the old table whose state has changed, and
    after: Index  # the rows of the new table that these are now


@dataclass(frozen=True, slots=True)
class ProcessChange:
    """A process, None where nobody is known (`owner` says why), with other counts than before."""

    process: Process | None
    owner: int  # a code of model.owner
    netns: int
    sockets: ThenNow
    close_wait: ThenNow


@dataclass(frozen=True, slots=True)
class ListenerChange:
    """A listener that came, went, or whose queue changed; `row` is in the table where it is last.

    Queues are 0 where it was not there. `dropped` is between the two, None where not known.
    """

    key: int
    row: int
    there: tuple[bool, bool]
    queue: ThenNow
    dropped: int | None


@dataclass(frozen=True, slots=True)
class RemoteChange:
    netns: int
    interface: int
    address: tuple[int, int]  # the halves
    sockets: ThenNow


@dataclass(frozen=True, slots=True)
class SysctlChange:
    """A limit of the kernel that has another value, as text; None where it was not told."""

    netns: int
    name: str
    value: tuple[str | None, str | None]


@dataclass(frozen=True, slots=True)
class CounterChange:
    """A counter of the kernel that has grown."""

    netns: int
    section: str
    name: str
    value: ThenNow

    @property
    def grown(self) -> int:
        return self.value[1] - self.value[0]


@dataclass(frozen=True, eq=False, slots=True)
class Difference:
    """Only what differs; the largest changes first. `over_s` is by the wall clock.

    `same_boot`: else no socket is in `sockets`, and processes of one name are one. `changed` are
    findings of one subject, as they were and as they are.
    """

    over_s: float
    same_boot: bool
    sockets: Sockets
    by_state: tuple[ThenNow, ...]  # indexed by the kernel's number
    processes: tuple[ProcessChange, ...]
    listeners: tuple[ListenerChange, ...]
    remotes: tuple[RemoteChange, ...]
    counters: tuple[CounterChange, ...]
    sysctls: tuple[SysctlChange, ...]
    begun: tuple[Finding, ...]
    changed: tuple[tuple[Finding, Finding], ...]
    ended: tuple[Finding, ...]


def diff(old: Snapshot, new: Snapshot) -> Difference:
    """What is different in `new`."""
    same = same_boot(old.sample, new.sample)
    then, now = _found(old, same), _found(new, same)
    return Difference(
        new.sample.taken_at - old.sample.taken_at,
        same,
        _sockets(old, new) if same else NO_SOCKETS,
        tuple(zip(old.totals.by_state, new.totals.by_state, strict=True)),
        tuple(sorted(_processes(old, new, same), key=lambda each: -_moved(each.sockets))),
        tuple(sorted(_listeners(old, new, same), key=_listener_rank)),
        tuple(sorted(_remotes(old, new, same), key=lambda each: -_moved(each.sockets))),
        tuple(sorted(_counters(old, new), key=lambda each: -each.grown)) if same else (),
        tuple(_sysctls(old, new, same)),
        tuple(sorted((each for key, each in now.items() if key not in then), key=_rank)),
        tuple(sorted(_changed(then, now), key=lambda pair: _rank(pair[1]))),
        tuple(sorted((each for key, each in then.items() if key not in now), key=_rank)),
    )


def _rank(finding: Finding) -> int:
    """The worst first: what explains what is not told here."""
    return -SEVERITIES.index(finding.severity)


def _moved(pair: ThenNow) -> int:
    return abs(pair[1] - pair[0])


def _sockets(old: Snapshot, new: Snapshot) -> Sockets:
    then, now = old.sample.sockets, new.sample.sockets
    keys = then.key
    order = np.argsort(keys)
    place = index_of(now.key, keys[order])
    after = np.flatnonzero(place >= 0)
    before = order[place[after]]
    gone = np.ones(len(then), bool)
    gone[before] = False
    changed = then.state[before] != now.state[after]
    return Sockets(np.flatnonzero(place < 0), np.flatnonzero(gone), before[changed], after[changed])


NO_SOCKETS = Sockets(*(np.zeros(0, np.int64) for _ in range(4)))


def _space(snapshot: Snapshot, netns: int, same: bool) -> Hashable:
    """A namespace: inodes are given anew after a boot."""
    return netns if same else snapshot.space(netns)


@dataclass(frozen=True, slots=True)
class _Holding:
    process: Process | None
    owner: int
    netns: int
    sockets: int
    close_wait: int


def _holding(snapshot: Snapshot, same: bool, started: bool) -> dict[Hashable, _Holding]:
    """What each process holds; of two boots all of one name together."""
    found = snapshot.processes
    holding: dict[Hashable, _Holding] = {}
    columns = (found.owner, found.netns, found.sockets, found.by_state[:, tcp.CLOSE_WAIT])
    listed = zip(
        snapshot.holders.at(found.process), *(each.tolist() for each in columns), strict=True
    )
    for process, owner, netns, sockets, close_wait in listed:
        key = (_who(process, owner, same, started), _space(snapshot, netns, same))
        before = holding.get(key)
        if before is not None:
            sockets, close_wait = sockets + before.sockets, close_wait + before.close_wait
        holding[key] = _Holding(process, owner, netns, sockets, close_wait)
    return holding


def _who(process: Process | None, owner: int, same: bool, started: bool) -> Hashable:
    if process is None:
        return owner
    if not same:
        return words.called(process)
    return process.pid, process.start_time if started else process.name


def _starts_told(snapshot: Snapshot) -> bool:
    return all(each.start_time != NOT_TOLD for each in snapshot.holders.processes)


def _processes(old: Snapshot, new: Snapshot, same: bool) -> Iterator[ProcessChange]:
    started = _starts_told(old) and _starts_told(new)
    then, now = _holding(old, same, started), _holding(new, same, started)
    for key in {**now, **then}:
        before, after = then.get(key), now.get(key)
        last = after or before
        assert last is not None
        sockets = before.sockets if before else 0, after.sockets if after else 0
        close_wait = before.close_wait if before else 0, after.close_wait if after else 0
        if sockets[0] != sockets[1] or close_wait[0] != close_wait[1]:
            yield ProcessChange(last.process, last.owner, last.netns, sockets, close_wait)


@dataclass(frozen=True, slots=True)
class _Listener:
    key: int
    row: int
    queue: int
    drops: int | None


def _listening(snapshot: Snapshot, same: bool) -> dict[Hashable, _Listener]:
    """By its key, of two boots all at one address together."""
    table, rows = snapshot.sample.sockets, snapshot.listeners.row
    columns = (table.key[rows], rows, table.recv_q[rows], table.drops(rows))
    listening: dict[Hashable, _Listener] = {}
    for key, row, queue, n in zip(*(column.tolist() for column in columns), strict=True):
        drops = None if n != n else int(n)
        name = key if same else _address(snapshot, row)
        before = listening.get(name)
        if before is not None:
            untold = before.drops is None or drops is None
            drops = None if untold else (before.drops or 0) + (drops or 0)
            queue += before.queue
        listening[name] = _Listener(key, row, queue, drops)
    return listening


def _address(snapshot: Snapshot, row: int) -> Hashable:
    table = snapshot.sample.sockets
    netns, local = int(table.netns[row]), address.local_text(table, row)
    zone = snapshot.sample.zone(netns, int(table.interface[row]))
    return snapshot.space(netns), local, int(table.local_port[row]), zone


def _listeners(old: Snapshot, new: Snapshot, same: bool) -> Iterator[ListenerChange]:
    then, now = _listening(old, same), _listening(new, same)
    for name in {**now, **then}:
        before, after = then.get(name), now.get(name)
        last = after or before
        queue = before.queue if before else 0, after.queue if after else 0
        dropped = _dropped(before, after) if same else None
        if last and (not before or not after or queue[0] != queue[1] or dropped):
            there = before is not None, after is not None
            yield ListenerChange(last.key, last.row, there, queue, dropped)


def _dropped(before: _Listener | None, after: _Listener | None) -> int | None:
    """Of one that is new all that it ever dropped; unknown of one that is gone."""
    first = 0 if before is None else before.drops
    if after is None or after.drops is None or first is None or after.drops < first:
        return None
    return after.drops - first


def _listener_rank(change: ListenerChange) -> tuple[int, int]:
    return -(change.dropped or 0), -_moved(change.queue)


def _remotes(old: Snapshot, new: Snapshot, same: bool) -> Iterator[RemoteChange]:
    then, now = _by_remote(old, same), _by_remote(new, same)
    for key in {**now, **then}:
        before, after = then.get(key), now.get(key)
        last = after or before
        assert last is not None
        sockets = before.sockets[1] if before else 0, after.sockets[1] if after else 0
        if sockets[0] != sockets[1]:
            yield RemoteChange(last.netns, last.interface, last.address, sockets)


def _by_remote(snapshot: Snapshot, same: bool) -> dict[Hashable, RemoteChange]:
    """By namespace, device and address, as if nothing had been there before."""
    found, sample = snapshot.remotes, snapshot.sample
    columns = (found.netns, found.interface, found.remote_hi, found.remote_lo, found.sockets)
    listed = zip(*(column.tolist() for column in columns), strict=True)
    return {
        (_space(snapshot, netns, same), sample.zone(netns, interface), hi, lo): RemoteChange(
            netns, interface, (hi, lo), (0, sockets)
        )
        for netns, interface, hi, lo, sockets in listed
    }


def _counters(old: Snapshot, new: Snapshot) -> Iterator[CounterChange]:
    """One that ran backwards began anew: how much it has grown is not known."""
    for kernel in new.sample.kernel:
        then = old.sample.kernel_of(kernel.netns).counters
        for section, counters in kernel.counters.items():
            before = then.get(section, {})
            for name, value in counters.items():
                if name not in GAUGES and before.get(name, value) < value:
                    yield CounterChange(kernel.netns, section, name, (before[name], value))


def _sysctls(old: Snapshot, new: Snapshot, same: bool) -> Iterator[SysctlChange]:
    """Of namespaces that were there both times."""
    then = {_space(old, each.netns, same): each.sysctls for each in old.sample.kernel}
    for kernel in new.sample.kernel:
        before = then.get(_space(new, kernel.netns, same))
        if not before or not kernel.sysctls:
            continue
        for name in sorted({**before, **kernel.sysctls}):
            values = before.get(name), kernel.sysctls.get(name)
            if values[0] != values[1]:
                yield SysctlChange(kernel.netns, name, values)


def _found(snapshot: Snapshot, same: bool) -> dict[Hashable, Finding]:
    """The findings, of two boots by what they are about in words; the worst of several first."""
    if same:
        return {finding.key: finding for finding in snapshot.findings}
    known = {process.pid: process for process in snapshot.holders.processes}
    found: defaultdict[Hashable, list[Finding]] = defaultdict(list)
    for finding in snapshot.findings:
        about = finding.subject
        names = {words.called(known[pid]) for pid in about.pids if pid in known}
        where = (_space(snapshot, about.netns, same), about.listener, about.destination)
        found[finding.id, *where, tuple(sorted(names))].append(finding)
    return {(key, n): each for key, every in found.items() for n, each in enumerate(every)}


def _changed(
    then: dict[Hashable, Finding], now: dict[Hashable, Finding]
) -> Iterator[tuple[Finding, Finding]]:
    """Those that are more or less severe than before, or say something else."""
    for key, finding in now.items():
        before = then.get(key)
        if before and (before.severity, _timeless(before)) != (
            finding.severity,
            _timeless(finding),
        ):
            yield before, finding


def _timeless(finding: Finding) -> str:
    """What it says, without for how long: that grows by itself."""
    return _DURATION.sub("", finding.title)
