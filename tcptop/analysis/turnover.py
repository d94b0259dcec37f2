"""Connections that open and end a second, by destination, remote end and process.

Those that no sample saw open count too, where the kernel tells what ends.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from tcptop.model import tcp
from tcptop.model.arrays import index_of, isin, row_hash
from tcptop.model.closed import Closed
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.snapshot import Ended, Ports, Processes, Remotes, Snapshot
from tcptop.model.table import F64, U32, U64, Bools, Index


class Turnover(NamedTuple):
    """A second, for each row of a list; NaN where it is not known."""

    opens_per_s: F64
    closes_per_s: F64


def of_ports(ports: Ports, ended: Ended) -> Turnover:
    """`ports` tell what samples saw open."""
    near = ("local_hi", "local_lo")
    place = _places(ports, ended.closed, ("netns", "interface", *near, *_FAR))
    unseen = _counts(place[ended.unseen], len(ports)) / ended.seconds
    opens = np.where(_told(ports.netns, ended), ports.opens_per_s + unseen, ports.opens_per_s)
    return Turnover(opens, _closes(place, ports.netns, ended))


@lru_cache(maxsize=2)
def of_remotes(snapshot: Snapshot, remotes: Remotes) -> Turnover:
    """By address, or by address and port."""
    ended = snapshot.ended
    names = ("netns", "interface", "remote_hi", "remote_lo")
    by_port = len(remotes) > 0 and remotes.remote_port[0] >= 0
    place = _places(remotes, ended.closed, (*names, "remote_port") if by_port else names)
    new = remotes.group[_arrived(snapshot)]
    opens = _counts(new, len(remotes)) + _counts(place[ended.unseen], len(remotes))
    return Turnover(opens / ended.seconds, _closes(place, remotes.netns, ended))


@lru_cache(maxsize=2)
def of_processes(snapshot: Snapshot, processes: Processes) -> Turnover:
    """Whatever a filter shows of them; NaN for rows that are not a single process."""
    ended, holders = snapshot.ended, snapshot.holders
    alone = (processes.process >= 0) & (processes.workload < 0) & (processes.members == 1)
    keys = row_hash(processes.process + 1, processes.netns)
    ids = {(each.pid, each.start_time): n for n, each in enumerate(holders.processes)}
    people = [ids.get((each.pid, each.start_time), -1) for each in ended.closed.processes]
    process = np.array([*people, -1], np.int64)[ended.closed.process]
    place = _among(row_hash(process + 1, ended.closed.netns), keys)
    place[process < 0] = -1
    new = _arrived(snapshot)[holders.row]
    netns = snapshot.sample.sockets.netns[holders.row[new]]
    opened = _among(row_hash(holders.process[new] + 1, netns), keys)
    number = len(processes)
    opens = (_counts(opened, number) + _counts(place[ended.unseen], number)) / ended.seconds
    closes = _closes(place, processes.netns, ended)
    return Turnover(np.where(alone, opens, np.nan), np.where(alone, closes, np.nan))


_FAR = ("remote_hi", "remote_lo", "remote_port")


def _places(groups: Ports | Remotes, closed: Closed, names: tuple[str, ...]) -> Index:
    if not len(closed):
        return np.zeros(0, np.int64)
    keys = row_hash(*(getattr(groups, name) for name in names))
    return _among(row_hash(*(getattr(closed, name) for name in names)), keys)


def _among(keys: U64, groups: U64) -> Index:
    order = np.argsort(groups)
    place = index_of(keys, groups[order])
    place[place >= 0] = order[place[place >= 0]]
    return place


def _counts(place: Index, number: int) -> F64:
    return np.bincount(place[place >= 0], minlength=number).astype(np.float64)


def _closes(place: Index, netns: U32, ended: Ended) -> F64:
    per_s = _counts(place, len(netns)) / ended.seconds
    return np.where(_told(netns, ended), per_s, np.nan)


def _told(netns: U32, ended: Ended) -> Bools:
    return isin(netns, ended.told)


def _arrived(snapshot: Snapshot) -> Bools:
    """Rows that were not there in the sample before."""
    arrived: Bools = (snapshot.age_s == 0) & (snapshot.sample.sockets.state != tcp.LISTEN)
    return arrived
