"""Sockets, column by column, with the kernel's fillers taken out."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from tcptop.analysis.apparent import inferred
from tcptop.analysis.verdicts import verdicts
from tcptop.analysis.workloads import workloads
from tcptop.columns.endpoints import addresses
from tcptop.model import owner, tcp
from tcptop.model.address import endpoint, local_text
from tcptop.model.container import Container, Workload
from tcptop.model.sample import Process, Sample
from tcptop.model.selection import Selection
from tcptop.model.snapshot import Snapshot
from tcptop.model.table import U32, Bools, Index, SocketTable
from tcptop.views.rows import Columns, integers, known, measured, named

FAMILIES = {tcp.AF_INET: "inet", tcp.AF_INET6: "inet6"}


def order(selection: Selection) -> Index:
    """As the kernel dumped them."""
    return selection.rows


def columns(selection: Selection, rows: Index) -> Columns:
    """The fields of `sockets[]`."""
    snapshot = selection.snapshot
    table = snapshot.sample.sockets.take(rows)
    full = ~table.mini()
    return {
        **identity(snapshot.sample, table),
        "recv_q": table.recv_q.tolist(),
        "send_q": integers(table.send_q_of(snapshot.sample.backlog_told)),
        "uid": known(table.uid, full),
        "user": users(snapshot.sample, known(table.uid, full)),
        "inode": known(table.inode, full & (table.inode != 0)),
        "timer": _timer(table),
        "owner": named(owner.OWNER_KINDS, inferred(snapshot).kinds(snapshot)[rows]),
        "owner_note": _notes(snapshot, rows),
        "processes": holders(snapshot, rows),
        "cgroup": cgroups(snapshot.sample, table, full),
        **whose(snapshot, rows),
        "ulp": [name.decode("latin-1") or None for name in table.ulp.tolist()],
        "age_s": measured(snapshot.age_s[rows]),
        "seen_s": measured(snapshot.seen_s[rows]),
        "tcp_info": _tcp_info(table, full),
        "memory": _memory(table, full),
        "verdict": [_verdicts(selection).get(row) for row in rows.tolist()],
    }


@lru_cache(maxsize=1)
def _verdicts(selection: Selection) -> dict[int, str]:
    """What is wrong, by row: asked once for all rows, which are written some at a time."""
    told = verdicts(selection.snapshot, selection.rows)
    return {row: text for row, text in zip(selection.rows.tolist(), told, strict=True) if text}


def identity(sample: Sample, table: SocketTable) -> Columns:
    """Which socket it is, and between which ends."""
    return {
        "netns": table.netns.tolist(),
        "cookie": _cookies(sample, table),
        "family": named(FAMILIES, table.family),
        "state": named(tcp.STATES, table.state),
        "local_address": addresses(table.local_hi, table.local_lo),
        "local_port": table.local_port.tolist(),
        "remote_address": addresses(table.remote_hi, table.remote_lo),
        "remote_port": table.remote_port.tolist(),
        "interface": interfaces(sample, table.netns, table.interface),
    }


def _cookies(sample: Sample, table: SocketTable) -> list[str | None]:
    if sample.source == "procfs":  # it shows none; what the column holds is made up
        return [None] * len(table)
    return [f"{cookie:x}" for cookie in table.cookie.tolist()]


def users(sample: Sample, uids: Sequence[int | None]) -> list[str | None]:
    """Login names; the number as text where there is none, as ps and htop show it."""
    return [None if uid is None else sample.users.get(uid, str(uid)) for uid in uids]


def cgroups(sample: Sample, table: SocketTable, full: Bools) -> list[str | None]:
    """Paths; None where the kernel did not say, or where the path was gone already."""
    ids = known(table.cgroup_id, full & table.came(tcp.CGROUP_ID))
    return [sample.cgroups.get(number) for number in ids]


def whose(snapshot: Snapshot, rows: Index) -> Columns:
    """`unit` and `container` of each socket, with a process or without."""
    told = workloads(snapshot)
    return workload_columns([told.found[number] for number in told.of[rows].tolist()])


def workload_columns(found: Sequence[Workload | Process | None]) -> Columns:
    """`unit` and `container`."""
    boxes = [each and each.container for each in found]
    return {
        "unit": [each and each.unit for each in found],
        "container": {
            field: [box and getattr(box, field) for box in boxes]
            for field in ("runtime", "id", "name", "pod")
        },
    }


def holders(snapshot: Snapshot, rows: Index) -> list[list[dict[str, Any]]]:
    """The processes of each socket; `fd` is None where one is only remembered, or inferred."""
    held, told = snapshot.holders, inferred(snapshot)
    first, last = held.start[rows].tolist(), held.start[rows + 1].tolist()
    people, others = People(held.processes), People(told.processes)
    apparently = [
        [{**others[n], "fd": None}] if n >= 0 else [] for n in told.process[rows].tolist()
    ]
    return [
        [_holder(snapshot, entry, people) for entry in range(start, end)] if end > start else other
        for start, end, other in zip(first, last, apparently, strict=True)
    ]


def _holder(snapshot: Snapshot, entry: int, people: People) -> dict[str, Any]:
    held = snapshot.holders
    fd = int(held.fd[entry])
    return {**people[int(held.process[entry])], "fd": None if fd < 0 else fd}


class People(dict[int, dict[str, Any]]):
    """Place of a process -> what it is called; many sockets have the same one."""

    def __init__(self, processes: Sequence[Process]) -> None:
        super().__init__()
        self._processes = processes

    def __missing__(self, place: int) -> dict[str, Any]:
        process = self._processes[place]
        self[place] = called = {"pid": process.pid, "name": process.name, **operators_name(process)}
        return called


def operators_name(process: Process | None) -> dict[str, Any]:
    """`label`, `unit` and `container`; None where they say no more than the name."""
    if process is None:
        return dict.fromkeys(("label", "unit", "container"))
    box = container(process.container)
    return {"label": process.label, "unit": process.unit, "container": box}


def container(found: Container | None) -> dict[str, Any] | None:
    return found and {
        "runtime": found.runtime,
        "id": found.id,
        "name": found.name,
        "pod": found.pod,
    }


def interfaces(sample: Sample, netns: U32, interface: U32) -> list[str | None]:
    """The bound device's name, or its number as text if it has no name here any more."""
    return [
        (sample.device(space, index) or str(index)) if index else None
        for space, index in zip(netns.tolist(), interface.tolist(), strict=True)
    ]


def _timer(table: SocketTable) -> Columns:
    running = table.timer != 0
    return {
        "name": [_timer_name(number) for number in table.timer.tolist()],
        "expires_ms": known(table.expires, running),
        "retransmits": known(table.retrans, running),
    }


def _timer_name(number: int) -> str | None:
    """A timer that a later kernel invents is its number, as text."""
    if number == 0:
        return None
    return tcp.TIMERS[number] if number < len(tcp.TIMERS) else str(number)


def _tcp_info(table: SocketTable, full: Bools) -> Columns:
    return {
        field.name: known(table.tcp_info(field.name), full & table.tcp_info_known(field.name))
        for field in tcp.TCP_INFO
    }


def _memory(table: SocketTable, full: Bools) -> Columns:
    return {
        name: known(table.memory_of(name), full & table.memory_known(name)) for name in tcp.MEMORY
    }


def _notes(snapshot: Snapshot, rows: Index) -> list[str | None]:
    """Why the owner is not a process, with the listener or the user it is about."""
    notes: list[str | None] = [None] * len(rows)
    for place in np.flatnonzero(snapshot.note[rows] != owner.NONE).tolist():
        notes[place] = owner_note(snapshot, int(rows[place]))
    return notes


def owner_note(snapshot: Snapshot, row: int) -> str:
    """Why the owner of one socket is not a process, in words; empty where it is."""
    sample, note = snapshot.sample, int(snapshot.note[row])
    words = owner.NOTES[note]
    if note == owner.NOT_PERMITTED:
        (user,) = users(sample, [int(sample.sockets.uid[row])])
        return f"{words} (user {user})"
    if note == owner.IN_FLIGHT:
        return f"{words} ({in_flight(sample)})"
    if snapshot.queue[row] >= 0:
        return f"{words} ({_listener(snapshot, int(snapshot.queue[row]))})"
    told = int(inferred(snapshot).note[row])
    return f"{words}; {owner.NOTES[told]}" if told else words


def in_flight(sample: Sample) -> str:
    """`nginx 812: 3`, of each process that has not received so many descriptors."""
    found = sample.owners.in_flight.items()
    return ", ".join(f"{sample.owners.processes[pid].name} {pid}: {n}" for pid, n in found)


def _listener(snapshot: Snapshot, row: int) -> str:
    table = snapshot.sample.sockets
    local = local_text(table, row)
    zone = snapshot.sample.zone(int(table.netns[row]), int(table.interface[row]))
    processes = [f"{process.name} {process.pid}" for process, _ in snapshot.holders.of(row)]
    return ", ".join([f"listener {endpoint(local, int(table.local_port[row]), zone)}", *processes])
