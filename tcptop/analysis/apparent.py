"""Whose a connection apparently was that nobody holds any more, and that no sample saw while
somebody did: as others to the same destination, or of the same listener."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import numpy as np

from tcptop.analysis.history import KnownSockets
from tcptop.analysis.join import SocketJoin
from tcptop.analysis.listeners import accepted, match
from tcptop.analysis.made_in import contradicted
from tcptop.model import owner, tcp
from tcptop.model.arrays import distinct, index_of, isin_codes, row_hash, sorted_unique
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.sample import Process
from tcptop.model.snapshot import Apparent, Snapshot
from tcptop.model.table import U8, U64, Bools, Index, SocketTable

MOST = 8192  # destinations that are remembered
SEVERAL = -1  # programs: then nobody is named
UNOWNED = (owner.KERNEL_KEEPS, owner.ORPHAN)  # notes of rows that somebody has closed


def with_destinations(
    before: Apparent,
    table: SocketTable,
    joined: SocketJoin,
    now: KnownSockets,
    everyone: Mapping[int, Process],
) -> Apparent:
    """With the destinations of the connections that have a process now and had none, or another
    one, in the sample before."""
    process = now.process[: len(table)]
    fresh = (process >= 0) & (process != joined.recalled("process", -1)) & (table.remote_port != 0)
    rows = np.flatnonzero(fresh & (table.state != tcp.LISTEN))
    rows = rows[~accepted(table, rows)]
    if not len(rows):
        return before
    keys = np.concatenate([before.key, destination_keys(table, rows)])
    people = np.concatenate([before.process, process[rows]])
    clock = np.concatenate([before.clock, np.full(len(rows), joined.clock)])
    order = np.lexsort((clock, keys))
    keys, people, clock = keys[order], people[order], clock[order]
    programs = _programs(people, everyone)
    last = np.flatnonzero(np.append(keys[1:] != keys[:-1], True))
    first = np.append(0, last[:-1] + 1)
    same = np.minimum.reduceat(programs, first) == np.maximum.reduceat(programs, first)
    people = np.where(same, people[last], SEVERAL)
    kept = np.sort(np.argsort(-clock[last], kind="stable")[:MOST])
    known = {key: everyone[key] for key in sorted_unique(people[kept]).tolist() if key in everyone}
    return Apparent(keys[last][kept], people[kept], clock[last][kept], known)


def _programs(people: Index, everyone: Mapping[int, Process]) -> Index:
    """The same number for processes that are called the same and belong to the same unit."""
    several = distinct(people)
    names: dict[tuple[str, str | None, str | None] | None, int] = {None: SEVERAL}
    found = [_program(everyone.get(number)) for number in several.values.tolist()]
    return np.array([names.setdefault(each, len(names)) for each in found], np.int64)[
        several.inverse
    ]


def _program(process: Process | None) -> tuple[str, str | None, str | None] | None:
    return None if process is None else (process.name, process.label, process.cgroup)


def destination_keys(table: SocketTable, rows: Index) -> U64:
    names = ("netns", "interface", "remote_hi", "remote_lo", "remote_port")
    return row_hash(*(getattr(table, name)[rows] for name in names))


def callers(table: SocketTable, rows: Index, came_in: Bools, known: Apparent) -> Index:
    """For each row the process (a key of `known.processes`) to which others to its destination
    belong; -1 where it was accepted, or that is not known."""
    place = index_of(destination_keys(table, rows), known.key)
    sure = (place >= 0) & ~came_in & (table.remote_port[rows] != 0)
    return np.where(sure, np.append(known.process, -1)[place], -1)


class Inferred(NamedTuple):
    """For each socket a place in `processes`, or -1, and how that is known: a code of
    model.owner."""

    process: Index
    note: U8
    processes: tuple[Process, ...]

    def kinds(self, snapshot: Snapshot) -> U8:
        """The owners of the snapshot, with these."""
        kinds: U8 = np.where(self.process >= 0, np.uint8(owner.REMEMBERED), snapshot.owner)
        return kinds


@lru_cache(maxsize=2)
def inferred(snapshot: Snapshot) -> Inferred:
    """Of the sockets of a snapshot that were closed before any sample saw who held them."""
    table, known = snapshot.sample.sockets, snapshot.apparent
    process = np.full(len(table), -1, np.int64)
    note = np.zeros(len(table), np.uint8)
    alone = np.diff(snapshot.holders.start) == 0
    rows = np.flatnonzero(alone & isin_codes(snapshot.note, UNOWNED))
    through = match(table, rows)
    past = row_hash(*_past_ports(snapshot))
    came_in = (through >= 0) | np.isin(row_hash(table.netns[rows], table.local_port[rows]), past)
    people = [*snapshot.holders.processes, *known.processes.values()]
    first = np.append(snapshot.holders.first(), -1)[through]
    places = {key: len(snapshot.holders.processes) + n for n, key in enumerate(known.processes)}
    caller = [places.get(key, -1) for key in callers(table, rows, came_in, known).tolist()]
    process[rows] = np.where(first >= 0, first, np.array(caller, np.int64))
    process[contradicted(snapshot.sample, snapshot.cgroup, process, tuple(people))] = -1
    note[rows] = np.where(first >= 0, owner.BY_LISTENER, owner.BY_DESTINATION)
    note[process < 0] = owner.NONE
    return Inferred(process, note, tuple(people))


def _past_ports(snapshot: Snapshot) -> tuple[Index, Index]:
    pairs = [(n, port) for n, ports in snapshot.ports.listening.items() for port in ports]
    netns, ports = np.array(pairs, np.int64).reshape(-1, 2).T
    return netns, ports
