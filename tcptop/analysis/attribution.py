"""Socket -> its processes: held now, remembered, or unknown with the reason."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tcptop.analysis.join import SocketJoin
from tcptop.analysis.listeners import queues, waiting
from tcptop.model import owner, tcp
from tcptop.model.arrays import index_of, isin, isin_sorted, sorted_unique
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.sample import IN_RING, Owners, Process, Sample
from tcptop.model.snapshot import Holders
from tcptop.model.table import I64, U8, Bools, Index, SocketTable


class Attribution(NamedTuple):
    """Who has each row: `process` is its first holder, a key of `processes`, or -1; `queue` the
    row of the listener in whose queue it waits, or -1."""

    holders: Holders
    owner: U8
    note: U8
    queue: Index
    process: Index
    processes: Mapping[int, Process]


def attribute_owners(
    sample: Sample, joined: SocketJoin, past: Mapping[int, Process]
) -> Attribution:
    """Owners of every row. `past` are the processes that the known sockets refer to."""
    table, queue = sample.sockets, queues(sample.sockets)
    row, pid, fd = _entries(table, sample.owners)
    ids = _identities(sample.owners.processes, past)
    process = np.array([ids[p] for p in pid.tolist()], np.int64)
    processes = dict(past) | {ids[p]: process for p, process in sample.owners.processes.items()}
    remembered, unsearched = _remembered(table, row, joined), _unsearched(sample, row, joined)
    before = np.concatenate([remembered, unsearched])
    ringed = row[fd == IN_RING]
    ringed = ringed[~isin_sorted(ringed, row[fd != IN_RING])]
    row = np.concatenate([row, before])
    process = np.concatenate([process, joined.recalled("process", -1)[before]])
    fd = np.concatenate([fd, np.full(len(before), -1, np.int64)])
    kinds = _kinds(table, row, remembered)
    first = _first(row, process, len(table))
    processes = {key: processes[key] for key in sorted_unique(process).tolist()}
    holders = _holders(len(table), row, process, fd, processes)
    note = _notes(sample, kinds, queue)
    note[ringed] = owner.IN_RING
    return Attribution(holders, kinds, note, queue, first, processes)


def _entries(table: SocketTable, owners: Owners) -> tuple[Index, I64, I64]:
    """(row, pid, fd) of every process that holds a row's inode, each process once a row."""
    left = np.searchsorted(owners.inodes, table.inode, "left")
    right = np.searchsorted(owners.inodes, table.inode, "right")
    number = np.where(table.inode == 0, 0, right - left)
    row = np.repeat(np.arange(len(table)), number)
    within = np.arange(len(row)) - np.repeat(np.cumsum(number) - number, number)
    entry = np.repeat(left, number) + within
    pid, fd = owners.pids[entry], owners.fds[entry]
    again = np.zeros(len(row), bool)
    again[1:] = (row[1:] == row[:-1]) & (pid[1:] == pid[:-1])
    return row[~again], pid[~again], fd[~again]


def _identities(processes: Mapping[int, Process], past: Mapping[int, Process]) -> dict[int, int]:
    """pid -> key: the same process keeps its key, a reused pid gets a new one."""
    keys = {(process.pid, process.start_time): key for key, process in past.items()}
    fresh = max(past, default=-1) + 1
    ids: dict[int, int] = {}
    for pid, process in processes.items():
        key = keys.get((process.pid, process.start_time))
        if key is None:
            key, fresh = fresh, fresh + 1
        ids[pid] = key
    return ids


def _remembered(table: SocketTable, held: Index, joined: SocketJoin) -> Index:
    """Rows without an inode that once had a process.

    Not those in an accept queue: nobody can have closed them. Without real cookies (/proc/net/tcp)
    they may follow a connection of the same four ends.
    """
    candidates = (table.inode == 0) & (joined.recalled("process", -1) >= 0) & ~waiting(table)
    candidates[held] = False
    return np.flatnonzero(candidates)


def _unsearched(sample: Sample, held: Index, joined: SocketJoin) -> Index:
    """Rows that still have an inode and so a holder, for whom the search had no time: they keep the
    process that was known last."""
    if sample.owners.complete:
        return np.zeros(0, np.int64)
    candidates = (sample.sockets.inode != 0) & (joined.recalled("process", -1) >= 0)
    candidates[held] = False
    return np.flatnonzero(candidates)


def _kinds(table: SocketTable, row: Index, remembered: Index) -> U8:
    kinds = np.full(len(table), owner.UNKNOWN, np.uint8)
    kinds[waiting(table)] = owner.ACCEPT_QUEUE
    kinds[row] = owner.PROCESS
    kinds[remembered] = owner.REMEMBERED
    return kinds


def _first(row: Index, process: Index, rows: int) -> Index:
    first = np.full(rows, -1, np.int64)
    first[row[::-1]] = process[::-1]
    return first


def _holders(
    rows: int, row: Index, process: Index, fd: I64, processes: Mapping[int, Process]
) -> Holders:
    order = np.argsort(row, kind="stable")
    keys = np.array(list(processes), np.int64)
    start = np.zeros(rows + 1, np.int64)
    np.cumsum(np.bincount(row, minlength=rows), out=start[1:])
    places = np.argsort(keys)[index_of(process[order], np.sort(keys))] if len(keys) else process
    return Holders(start, row[order], places, fd[order], tuple(processes.values()))


def _notes(sample: Sample, kinds: U8, queue: Index) -> U8:
    """Why the owner is not a process, for each row; the later rule is the more specific."""
    table = sample.sockets
    unknown = kinds == owner.UNKNOWN
    note = np.full(len(table), owner.NONE, np.uint8)
    note[unknown] = _unexplained(sample)
    if not sample.privileged or sample.owners.complete:  # else it may be found yet
        foreign = owner.HIDDEN if sample.privileged else owner.NOT_PERMITTED
        note[unknown & _foreign(sample)] = foreign
    if sample.owners.in_flight:
        note[unknown & (note != owner.NOT_PERMITTED) & sample.owners.complete] = owner.IN_FLIGHT
    note[unknown & (table.inode == 0)] = owner.ORPHAN
    note[unknown & table.mini()] = owner.KERNEL_KEEPS
    note[unknown & (table.state == tcp.SYN_RECV)] = owner.HALF_OPEN
    note[kinds == owner.REMEMBERED] = owner.CLOSED_BY_REMEMBERED
    queued = kinds == owner.ACCEPT_QUEUE
    note[queued] = np.where(queue[queued] >= 0, owner.IN_ACCEPT_QUEUE, owner.NO_LISTENER)
    return note


def _unexplained(sample: Sample) -> int:
    if sample.of_file:
        return owner.NOT_TOLD
    if not sample.owners.complete:
        return owner.NOT_SEARCHED
    return owner.OUTSIDE if sample.owners.contained else owner.NOT_FOUND


def _foreign(sample: Sample) -> Bools:
    """Sockets of users whose descriptors may not be read."""
    if sample.owners.hidden_from is not None:
        others: Bools = sample.sockets.uid != sample.owners.hidden_from
        return others
    if not sample.owners.unreadable:
        return np.zeros(len(sample.sockets), bool)
    theirs = np.array(sorted(sample.owners.unreadable_uids), np.uint32)
    return isin(sample.sockets.uid, theirs)
