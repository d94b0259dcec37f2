"""Difference: what has come, gone and changed between two snapshots of one host."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tcptop.analysis.counters import GAUGES
from tcptop.model import tcp
from tcptop.model.arrays import index_of
from tcptop.model.dataclass import dataclass
from tcptop.model.finding import Finding
from tcptop.model.sample import Process
from tcptop.model.snapshot import Snapshot
from tcptop.model.table import Index

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
    """Only what differs; the largest changes first. `over_s` is by the wall clock."""

    over_s: float
    sockets: Sockets
    by_state: tuple[ThenNow, ...]  # indexed by the kernel's number
    processes: tuple[ProcessChange, ...]
    listeners: tuple[ListenerChange, ...]
    remotes: tuple[RemoteChange, ...]
    counters: tuple[CounterChange, ...]
    begun: tuple[Finding, ...]
    ended: tuple[Finding, ...]


def diff(old: Snapshot, new: Snapshot) -> Difference:
    """What is different in `new`."""
    return Difference(
        new.sample.taken_at - old.sample.taken_at,
        _sockets(old, new),
        tuple(zip(old.totals.by_state, new.totals.by_state, strict=True)),
        tuple(sorted(_processes(old, new), key=lambda each: -_moved(each.sockets))),
        tuple(sorted(_listeners(old, new), key=_listener_rank)),
        tuple(sorted(_remotes(old, new), key=lambda each: -_moved(each.sockets))),
        tuple(sorted(_counters(old, new), key=lambda each: -each.grown)),
        _missing(new.findings, old.findings),
        _missing(old.findings, new.findings),
    )


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


Identity = tuple[int, int, int, int]  # pid, start time, owner where there is no process, netns
Holding = tuple[Process | None, int, int, int]  # the process, its owner code, sockets, CLOSE_WAIT


def _holding(snapshot: Snapshot) -> dict[Identity, Holding]:
    found = snapshot.processes
    holding: dict[Identity, Holding] = {}
    columns = (found.owner, found.netns, found.sockets, found.by_state[:, tcp.CLOSE_WAIT])
    listed = zip(
        snapshot.holders.at(found.process), *(each.tolist() for each in columns), strict=True
    )
    for process, owner, netns, sockets, close_wait in listed:
        key = (process.pid, process.start_time, 0) if process else (0, 0, owner)
        holding[*key, netns] = process, owner, sockets, close_wait
    return holding


def _processes(old: Snapshot, new: Snapshot) -> Iterator[ProcessChange]:
    then, now = _holding(old), _holding(new)
    for key in {**now, **then}:
        process, owner, *_ = now.get(key) or then[key]
        before = then[key][2:] if key in then else (0, 0)
        after = now[key][2:] if key in now else (0, 0)
        if before != after:
            sockets, close_wait = zip(before, after, strict=True)
            yield ProcessChange(process, owner, key[3], sockets, close_wait)


@dataclass(frozen=True, slots=True)
class _Listener:
    row: int
    queue: int
    drops: int | None


def _listening(snapshot: Snapshot) -> dict[int, _Listener]:
    table, rows = snapshot.sample.sockets, snapshot.listeners.row
    columns = (rows, table.recv_q[rows], table.drops(rows))
    listed = zip(*(column.tolist() for column in columns), strict=True)
    seen = (_Listener(row, queue, None if n != n else int(n)) for row, queue, n in listed)
    return dict(zip(table.key[rows].tolist(), seen, strict=True))


def _listeners(old: Snapshot, new: Snapshot) -> Iterator[ListenerChange]:
    then, now = _listening(old), _listening(new)
    for key in {**now, **then}:
        before, after = then.get(key), now.get(key)
        last = after or before
        queue = before.queue if before else 0, after.queue if after else 0
        dropped = _dropped(before, after)
        if last and (not before or not after or queue[0] != queue[1] or dropped):
            there = before is not None, after is not None
            yield ListenerChange(key, last.row, there, queue, dropped)


def _dropped(before: _Listener | None, after: _Listener | None) -> int | None:
    """Of one that is new all that it ever dropped; unknown of one that is gone."""
    first = 0 if before is None else before.drops
    if after is None or after.drops is None or first is None or after.drops < first:
        return None
    return after.drops - first


def _listener_rank(change: ListenerChange) -> tuple[int, int]:
    return -(change.dropped or 0), -_moved(change.queue)


def _remotes(old: Snapshot, new: Snapshot) -> Iterator[RemoteChange]:
    then, now = _by_remote(old), _by_remote(new)
    for key in {**now, **then}:
        sockets = then.get(key, 0), now.get(key, 0)
        if sockets[0] != sockets[1]:
            netns, interface, *halves = key
            yield RemoteChange(netns, interface, (halves[0], halves[1]), sockets)


def _by_remote(snapshot: Snapshot) -> dict[tuple[int, ...], int]:
    found = snapshot.remotes
    columns = (found.netns, found.interface, found.remote_hi, found.remote_lo)
    keys = zip(*(column.tolist() for column in columns), strict=True)
    return dict(zip(keys, found.sockets.tolist(), strict=True))


def _counters(old: Snapshot, new: Snapshot) -> Iterator[CounterChange]:
    """One that ran backwards began anew: how much it has grown is not known."""
    for kernel in new.sample.kernel:
        then = old.sample.kernel_of(kernel.netns).counters
        for section, counters in kernel.counters.items():
            before = then.get(section, {})
            for name, value in counters.items():
                if name not in GAUGES and before.get(name, value) < value:
                    yield CounterChange(kernel.netns, section, name, (before[name], value))


def _missing(findings: tuple[Finding, ...], others: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """Those that are not among the others."""
    known = {finding.key for finding in others}
    return tuple(finding for finding in findings if finding.key not in known)
