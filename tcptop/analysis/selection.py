"""Filter and snapshot -> the part of it that is shown."""

from __future__ import annotations

from dataclasses import replace
from functools import cache, lru_cache
from typing import TYPE_CHECKING

import numpy as np

from tcptop.analysis import subject
from tcptop.analysis.apparent import inferred
from tcptop.analysis.groups import SocketRates, by_workload, processes, remotes
from tcptop.analysis.listeners import match
from tcptop.analysis.port_range import port_bounds
from tcptop.analysis.workloads import merged, numbers, workloads
from tcptop.model import tcp
from tcptop.model.arrays import sorted_unique
from tcptop.model.closed import Closed, joined
from tcptop.model.selection import Selection
from tcptop.model.snapshot import Processes, Snapshot
from tcptop.model.table import Bools, Index, blank

if TYPE_CHECKING:
    from tcptop.analysis import filter as language


def facts(snapshot: Snapshot) -> language.Facts:
    """What the predicates of a filter may ask of a snapshot."""
    from tcptop.analysis import filter as language

    sample, holders, told = snapshot.sample, snapshot.holders, workloads(snapshot)
    guessed = inferred(snapshot)
    more = np.flatnonzero(guessed.process >= 0)
    pids = np.array([process.pid for process in guessed.processes], np.int64)
    held = np.concatenate([holders.process, guessed.process[more]])
    return language.Facts(
        table=sample.sockets,
        holder_rows=np.concatenate([holders.row, more]),
        holder_pids=pids[held] if len(pids) else held,
        processes={process.pid: process for process in guessed.processes[::-1]},
        users=sample.users,
        cgroups=sample.cgroups,
        namespaces={space.inode: space.title for space in sample.namespaces},
        interfaces={space.inode: space.interfaces for space in sample.namespaces},
        port_ranges=port_bounds(sample),
        owner=guessed.kinds(snapshot),
        age_s=snapshot.age_s,
        backlog_told=sample.backlog_told,
        workload=told.of,
        workloads=told.found,
    )


def ended(snapshot: Snapshot) -> Closed:
    """All connections that have ended, the newest last."""
    return _together(snapshot.closed)


@lru_cache(maxsize=2)
def _together(parts: tuple[Closed, ...]) -> Closed:
    return joined(parts)


def _closed(
    snapshot: Snapshot, expression: language.Expression | None, among: Bools | None
) -> Index:
    """Places of the connections that a filter selects, by their ends and last states; none where
    it is about certain sockets."""
    every = ended(snapshot)
    if among is not None:
        return np.zeros(0, np.int64)
    selected = np.ones(len(every), bool)
    if expression is not None:
        from tcptop.analysis import filter as language

        selected = language.select(expression, _facts_of_ended(snapshot, every))
    rows = np.flatnonzero(selected)
    return rows[np.argsort(-every.at[rows], kind="stable")]


def _facts_of_ended(snapshot: Snapshot, every: Closed) -> language.Facts:
    table = blank(len(every))
    for name in ("netns", "cookie", "family", "interface", "state"):
        getattr(table, name)[:] = getattr(every, name)
    for name in ("hi", "lo", "port"):
        for side in ("local", "remote"):
            getattr(table, f"{side}_{name}")[:] = getattr(every, f"{side}_{name}")
    held = np.flatnonzero(every.process >= 0)
    pids = np.array([process.pid for process in every.processes], np.int64)
    return replace(
        facts(snapshot),
        table=table,
        namespaces={
            **{space.inode: space.title for space in snapshot.sample.namespaces},
            **{number: space.title for number, space in snapshot.former.items()},
        },
        holder_rows=held,
        holder_pids=pids[every.process[held]] if len(held) else held,
        processes={process.pid: process for process in every.processes},
        owner=every.owner,
        age_s=None,
        ended=every,
        workload=None,
        workloads=(),
    )


def everything(snapshot: Snapshot) -> Selection:
    """All of a snapshot, with remotes by address; nothing is counted for it."""
    rows = np.arange(len(snapshot.sample.sockets))
    return Selection(
        snapshot=snapshot,
        filter=None,
        selected=np.ones(len(rows), bool),
        rows=rows,
        processes=snapshot.processes,
        listeners=np.arange(len(snapshot.listeners)),
        ports=np.arange(len(snapshot.ports)),
        remotes=np.arange(len(snapshot.remotes)),
        namespaces=np.arange(len(snapshot.namespaces)),
        remote_groups=snapshot.remotes,
        findings=np.arange(len(snapshot.findings)),
        closed=cache(lambda: _closed(snapshot, None, None)),
    )


def select(
    snapshot: Snapshot,
    expression: language.Expression | None = None,
    text: str | None = None,
    by_port: bool = False,
    among: Bools | None = None,
) -> Selection:
    """The selection of a bound expression; all of the snapshot without one.

    `by_port` gathers remotes by address and port instead of by address; `among` leaves out all
    but some sockets.
    """
    table = snapshot.sample.sockets
    groups = remotes(table, _rates(snapshot), with_port=True) if by_port else snapshot.remotes
    selected = _selected(snapshot, expression, among)
    return Selection(
        snapshot,
        text,
        selected,
        np.flatnonzero(selected),
        selected_processes(snapshot, selected),
        _listeners(snapshot, selected),
        _concerned(snapshot.ports.group, selected),
        _concerned(groups.group, selected),
        _namespaces(snapshot, selected),
        groups,
        _findings(snapshot, selected),
        cache(lambda: _closed(snapshot, expression, among)),
        _hint(snapshot, expression) if expression is not None and not selected.any() else "",
    )


def _hint(snapshot: Snapshot, expression: language.Expression) -> str:
    from tcptop.analysis import filter as language

    return language.hint(expression, facts(snapshot))


def selected_processes(snapshot: Snapshot, selected: Bools) -> Processes:
    """Each process with the selected ones of its sockets."""
    if selected.all():
        return snapshot.processes
    table, holders, rates = snapshot.sample.sockets, snapshot.holders, _rates(snapshot)
    return processes(table, holders, snapshot.owner, rates, selected)


def with_workloads(found: Selection) -> Selection:
    """With the sockets by container or unit in place of those by process."""
    snapshot = found.snapshot
    table, told = snapshot.sample.sockets, merged(snapshot)
    of = numbers(told)[told.of]
    rows = by_workload(
        table, snapshot.holders, snapshot.owner, _rates(snapshot), found.selected, of
    )
    return replace(found, processes=rows)


def _rates(snapshot: Snapshot) -> SocketRates:
    return SocketRates(
        snapshot.bytes_sent_per_s, snapshot.bytes_received_per_s, snapshot.retransmits_per_s
    )


def _selected(
    snapshot: Snapshot, expression: language.Expression | None, among: Bools | None
) -> Bools:
    if expression is None:
        return np.ones(len(snapshot.sample.sockets), bool) if among is None else among
    from tcptop.analysis import filter as language  # 50 ms that a plain snapshot saves

    selected = language.select(expression, facts(snapshot))
    return selected if among is None else selected & among


def _concerned(group: Index, selected: Bools) -> Index:
    """The groups that have a selected row."""
    numbers: Index = sorted_unique(group[selected & (group >= 0)])
    return numbers


def _namespaces(snapshot: Snapshot, selected: Bools) -> Index:
    """Places of those with a selected socket, without a filter of all."""
    if selected.all():
        return np.arange(len(snapshot.namespaces))
    spaces = sorted_unique(snapshot.sample.sockets.netns[selected])
    return np.searchsorted(snapshot.namespaces.netns, spaces)


def _listeners(snapshot: Snapshot, selected: Bools) -> Index:
    """Places of the listeners that are selected, or that a selected connection came in by."""
    row = snapshot.listeners.row
    if selected.all():
        return np.arange(len(row))
    table = snapshot.sample.sockets
    concerned = selected & (table.state == tcp.LISTEN)
    connections = np.flatnonzero(selected & (table.state != tcp.LISTEN))
    through = match(table, connections)
    concerned[through[through >= 0]] = True
    return np.flatnonzero(concerned[row])


def _findings(snapshot: Snapshot, selected: Bools) -> Index:
    """Places of the findings about a selected socket, its process, its listener or destination.

    All of them without a filter; with one, those of the host as a whole are left out.
    """
    if selected.all():
        return np.arange(len(snapshot.findings))
    concern = [subject.concerns(each.subject, snapshot, selected) for each in snapshot.findings]
    return np.flatnonzero(np.array(concern, bool))
