"""Socket -> its processes: held now, remembered, or unknown with the reason."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tcptop.analysis.join import SocketJoin
from tcptop.analysis.listeners import queues, waiting
from tcptop.model import owner, tcp
from tcptop.model.arrays import index_of, isin, isin_sorted, sorted_unique
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.sample import IN_RING, Process, Sample
from tcptop.model.snapshot import Holders
from tcptop.model.table import I64, U8, U32, Bools, Index
from tcptop.model.unchanged import while_same


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
    table, owners, queue = sample.sockets, sample.owners, queues(sample.sockets)
    ids = _identities(owners.processes, past)
    held = _held(
        table.inode,
        waiting(table),
        owners.inodes,
        owners.pids,
        owners.fds,
        tuple(ids.items()),
        joined.recalled("process", -1),
        owners.complete,
    )
    processes = dict(past) | {ids[p]: process for p, process in owners.processes.items()}
    processes = {key: processes[key] for key in held.keys.tolist()}
    holders = Holders(held.start, held.row, held.process, held.fd, tuple(processes.values()))
    note = _notes(sample, held.kinds, queue)
    note[held.ringed] = owner.IN_RING
    return Attribution(holders, held.kinds, note, queue, held.first, processes)


class _Held(NamedTuple):
    """As in Holders, but for the processes, of which these are the keys; `first` is a key, too."""

    start: Index
    row: Index
    process: Index
    fd: I64
    keys: Index
    kinds: U8
    first: Index
    ringed: Index


@while_same()
def _held(
    inode: U32,
    waits: Bools,
    inodes: U32,
    pids: I64,
    fds: I64,
    ids: tuple[tuple[int, int], ...],
    known: Index,
    complete: bool,
) -> _Held:
    """Who holds the sockets of each inode: `ids` has the keys of processes by pid, and `known` is
    the key of the process that each was known to have."""
    row, pid, fd = _entries(inode, inodes, pids, fds)
    keys_of = dict(ids)
    process = np.array([keys_of[p] for p in pid.tolist()], np.int64)
    remembered, unsearched = _remembered(inode, waits, row, known), _unsearched(inode, row, known)
    before = np.concatenate([remembered, unsearched[:0] if complete else unsearched])
    ringed = row[fd == IN_RING]
    ringed = ringed[~isin_sorted(ringed, row[fd != IN_RING])]
    row = np.concatenate([row, before])
    process = np.concatenate([process, known[before]])
    fd = np.concatenate([fd, np.full(len(before), -1, np.int64)])
    kinds, first = _kinds(waits, row, remembered), _first(row, process, len(inode))
    order, keys = np.argsort(row, kind="stable"), sorted_unique(process)
    start = np.zeros(len(inode) + 1, np.int64)
    np.cumsum(np.bincount(row, minlength=len(inode)), out=start[1:])
    places = index_of(process[order], keys)
    return _Held(start, row[order], places, fd[order], keys, kinds, first, ringed)


def _entries(inode: U32, inodes: U32, pids: I64, fds: I64) -> tuple[Index, I64, I64]:
    """(row, pid, fd) of every process that holds a row's inode, each process once a row."""
    left = np.searchsorted(inodes, inode, "left")
    right = np.searchsorted(inodes, inode, "right")
    number = np.where(inode == 0, 0, right - left)
    row = np.repeat(np.arange(len(inode)), number)
    within = np.arange(len(row)) - np.repeat(np.cumsum(number) - number, number)
    entry = np.repeat(left, number) + within
    pid, fd = pids[entry], fds[entry]
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


def _remembered(inode: U32, waits: Bools, held: Index, known: Index) -> Index:
    """Rows without an inode that once had a process.

    Not those in an accept queue: nobody can have closed them. Without real cookies (/proc/net/tcp)
    they may follow a connection of the same four ends.
    """
    candidates = (inode == 0) & (known >= 0) & ~waits
    candidates[held] = False
    return np.flatnonzero(candidates)


def _unsearched(inode: U32, held: Index, known: Index) -> Index:
    """Rows that still have an inode and so a holder, for whom the search had no time: they keep the
    process that was known last."""
    candidates = (inode != 0) & (known >= 0)
    candidates[held] = False
    return np.flatnonzero(candidates)


def _kinds(waits: Bools, row: Index, remembered: Index) -> U8:
    kinds = np.full(len(waits), owner.UNKNOWN, np.uint8)
    kinds[waits] = owner.ACCEPT_QUEUE
    kinds[row] = owner.PROCESS
    kinds[remembered] = owner.REMEMBERED
    return kinds


def _first(row: Index, process: Index, rows: int) -> Index:
    first = np.full(rows, -1, np.int64)
    first[row[::-1]] = process[::-1]
    return first


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
