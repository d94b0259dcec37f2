"""The pane of a process: who it is, what it is short of, and all that it talks to."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from tcptop.analysis.findings import doing
from tcptop.analysis.findings.words import contained, count, ids
from tcptop.analysis.selection import everything
from tcptop.analysis.verdicts import verdicts
from tcptop.columns import LISTENERS, PORTS, PROCESSES, REMOTES, SOCKETS, processes, units
from tcptop.model import owner, tcp
from tcptop.model.arrays import sorted_unique
from tcptop.model.cells import safe
from tcptop.model.sample import Process, ProcessFacts
from tcptop.model.snapshot import Snapshot
from tcptop.model.source import NO_REQUESTS, Requests
from tcptop.model.table import Index
from tcptop.tui.chart import Limit
from tcptop.tui.panes import closed
from tcptop.tui.panes.charts import Drawing, bands, recorded
from tcptop.tui.panes.parts import (
    ITS,
    MOST,
    Excerpt,
    excerpt,
    found,
    own_counts,
    queued,
    states,
    worst_first,
)
from tcptop.tui.panes.rows import (
    Pane,
    PaneRow,
    Scene,
    Target,
    columns,
    place_of,
    told,
    whole,
    wrapped,
)

STUCK = ("stopped", "tracing-stop", "disk-sleep", "zombie", "dead")  # states of psutil
USER_HZ = 100  # of field 22 of /proc/PID/stat, include/asm-generic/param.h


def pane(scene: Scene, key: int) -> Pane | None:
    """None where there is no such process (any more)."""
    place = place_of(PROCESSES, scene.selection, key)
    if place is None:
        return None
    process, rows = processes.process(scene.selection, place), held(scene, place)
    pids = frozenset([process.pid] if process else [])
    goal = Target(PROCESSES, key, True)
    first, *others = bands(scene.room, [*_drawings(scene, key, process)]) or [[]]
    return Pane(
        _title(scene, place, process),
        [
            *wrapped(scene.room, "sockets", states(scene, rows), opens=goal),
            *found(scene, rows, pids),
            *(_who(scene, process) if process else _nobody(scene, rows)),
            *_flow(scene, place),
            *first,
            *_lists(scene, rows),
            *(closed.of_process(scene, process) if process else ()),
            *(row for band in others for row in band),
        ],
    )


def requests(snapshot: Snapshot, key: int) -> Requests:
    """For what the process is doing."""
    selection = everything(snapshot)
    place = place_of(PROCESSES, selection, key)
    process = None if place is None else processes.process(selection, place)
    return NO_REQUESTS if process is None else Requests(processes=frozenset([process.pid]))


def _title(scene: Scene, place: int, process: Process | None) -> str:
    name = processes.name(scene.selection, place)
    return f"Process {name}/{process.pid}" if process else f"Sockets without a process {name}"


def held(scene: Scene, place: int) -> Index:
    """The sockets that a row of the processes counts."""
    snapshot, found = scene.snapshot, scene.selection.processes
    holders, process = snapshot.holders, int(found.process[place])
    if process >= 0:
        rows = sorted_unique(holders.row[holders.process == process])
    else:
        alone = np.diff(holders.start) == 0
        rows = np.flatnonzero(alone & (snapshot.owner == found.owner[place]))
    inside: Index = rows[scene.table.netns[rows] == found.netns[place]]
    return inside


def _who(scene: Scene, process: Process) -> Iterator[PaneRow]:
    room, sample = scene.room, scene.snapshot.sample
    yield from wrapped(room, "command", safe(process.cmdline or process.name))
    path = safe(process.cgroup) if process.cgroup else units.UNKNOWN
    kind = "cgroup" if process.cgroup and process.unit is None else "unit"
    yield from whole(room, "user", user(scene, process.uid), f"{kind} {path}")
    if (box := process.container) is not None:
        told_of = "; ".join(filter(None, (contained(box), ids(box))))
        yield from wrapped(room, "container", safe(told_of))
    age = sample.host.uptime_s - process.start_time / USER_HZ
    yield told(room, "descriptors", *_descriptors(process))
    if age >= 0:
        yield told(room, "uptime", units.long_duration(age))
    facts = sample.facts.get(process.pid)
    if facts is not None:
        yield from _doing(scene, facts)


def _doing(scene: Scene, facts: ProcessFacts) -> Iterator[PaneRow]:
    """Asked for since the pane is open, so since when is known from then on."""
    room, since = scene.room, ""
    if facts.state_s >= 1:
        since = f"for at least {units.long_duration(facts.state_s)}"
    meaning = "; ".join(filter(None, (since, doing.asleep(facts))))
    look = "warn" if facts.state in STUCK else ""
    yield from whole(room, "state", facts.state, meaning, look)
    share = units.UNKNOWN if facts.cpu_share is None else units.percent(facts.cpu_share)
    threads = count(facts.threads, "thread")
    yield told(
        room, "cpu", f"{share} of a core", f"{threads}; {units.long_size(facts.rss)} of memory"
    )
    parent = safe(facts.parent_name or units.UNKNOWN)
    yield told(room, "parent", f"{parent}/{facts.parent}" if facts.parent else "none")
    if facts.directory is not None:
        yield from wrapped(room, "directory", safe(facts.directory))
    if facts.replaced:
        what = "its file was deleted or replaced since it started; a restart runs the new one"
        yield from wrapped(room, "program", what, "warn")


def user(scene: Scene, uid: int | None) -> str:
    """`ann (1000)`."""
    if uid is None:
        return units.UNKNOWN
    name = scene.snapshot.sample.users.get(uid)
    return f"{safe(name)} ({uid})" if name else str(uid)


def _descriptors(process: Process) -> tuple[str, str, str]:
    """Value, meaning and look."""
    used, limit = process.open_fds, process.fd_limit
    if used is None:
        return units.UNKNOWN, "not permitted: another user's process, or it is gone", ""
    if limit is None:
        return str(used), "the limit is not known", ""
    if process.opens_no_more:
        return f"{used:,} of {limit:,}", "it may open no more, as in a sandbox", ""
    style = "bad" if used >= 0.95 * limit else "warn" if used >= 0.8 * limit else ""
    return (
        f"{used:,} of {limit:,}",
        f"{used / limit:.0%}; at 100% accept() and connect() fail",
        style,
    )


def _nobody(scene: Scene, rows: Index) -> Iterator[PaneRow]:
    """Why nobody can be named, the most frequent reason first."""
    notes, counts = np.unique(scene.snapshot.note[rows], return_counts=True)
    for at in np.argsort(-counts, kind="stable").tolist():
        why = owner.NOTES[int(notes[at])]
        yield from wrapped(scene.room, "why", f"{counts[at]:,} {why}", key=why)


def _flow(scene: Scene, place: int) -> Iterator[PaneRow]:
    found, room = scene.selection.processes, scene.room
    queues = queued(found.recv_q[place], found.send_q[place])
    yield from whole(room, "queues", queues, "not read; not acknowledged")
    sent, received = found.bytes_sent_per_s[place], found.bytes_received_per_s[place]
    again = units.rate(float(found.retransmits_per_s[place]))
    rates = f"{units.long_size(sent)}/s sent  {units.long_size(received)}/s received"
    yield from whole(room, "traffic", rates, f"{again}/s segments retransmitted")


def _drawings(scene: Scene, key: int, process: Process | None) -> Iterator[Drawing]:
    draw = partial(recorded, scene, (PROCESSES.name, key))
    yield draw("Sockets", units.count, {"all": "sockets", "CLOSE-WAIT": "close_wait"})
    rates = {"sent": "bytes_sent_per_s", "received": "bytes_received_per_s"}
    yield draw("Bytes a second", units.byte_rate, rates)
    yield draw("Queues, bytes", units.size, {"Recv-Q": "recv_q", "Send-Q": "send_q"})
    yield draw("Retransmitted a second", units.rate, {"segments": "retransmits_per_s"})
    if process is not None and process.fd_limit:
        limit = Limit("limit", process.fd_limit)
        yield draw("Descriptors", units.count, {"open": "open_fds"}, limit)


def _lists(scene: Scene, rows: Index) -> Iterator[PaneRow]:
    snapshot, table = scene.snapshot, scene.table
    listens = np.isin(snapshot.listeners.row, rows)
    part = Excerpt(LISTENERS, "Listeners", ("process",))
    yield from excerpt(scene, part, np.flatnonzero(listens))
    for listing, title, group in (
        (PORTS, "Destinations", snapshot.ports.group),
        (REMOTES, "Remotes", scene.selection.remote_groups.group),
    ):
        numbers, counts = own_counts(group, rows)
        part = Excerpt(listing, title, ("processes",), ITS, "(own, then all processes)")
        yield from excerpt(scene, part, numbers, [str(count) for count in counts.tolist()])
    talking = rows[table.state[rows] != tcp.LISTEN]
    shown = worst_first(scene, talking)
    narrow = columns(scene.room.width) == 1 and any(verdicts(scene.snapshot, shown[:MOST]))
    part = Excerpt(SOCKETS, "Connections", ("process", "local") if narrow else ("process",))
    yield from excerpt(scene, part, shown)
