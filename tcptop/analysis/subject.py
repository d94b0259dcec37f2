"""Which sockets a finding is about."""

from __future__ import annotations

import numpy as np

from tcptop.model import tcp
from tcptop.model.address import halves, split_zone
from tcptop.model.arrays import isin, isin_sorted, paired, sorted_unique
from tcptop.model.finding import Subject
from tcptop.model.snapshot import Snapshot
from tcptop.model.table import Bools, SocketTable


def rows(subject: Subject, snapshot: Snapshot) -> Bools:
    """A mask of the sockets to show for a finding: those it names, else its processes',
    its listener's and its destination's."""
    table = snapshot.sample.sockets
    mine = named(subject, table)
    if mine.any():
        return mine
    here: Bools = table.netns == subject.netns
    ends = _at(subject.listener, snapshot, "local") | _at(subject.destination, snapshot, "remote")
    return here & (ends | _held(subject, snapshot))


def named(subject: Subject, table: SocketTable) -> Bools:
    """A mask of the sockets that a finding names."""
    return isin_sorted(table.key, np.sort(subject.keys))


def concerns(subject: Subject, snapshot: Snapshot, selected: Bools) -> bool:
    """Whether a finding is about one of the selected sockets, or about a process of theirs."""
    found = rows(subject, snapshot) | _held(subject, snapshot)
    return bool((found & selected).any())


def _held(subject: Subject, snapshot: Snapshot) -> Bools:
    holders = snapshot.holders
    mask = np.zeros(len(snapshot.sample.sockets), bool)
    mine = [at for at, process in enumerate(holders.processes) if process.pid in subject.pids]
    mask[holders.row[isin(holders.process, mine)]] = True
    return mask


def _at(endpoint: str | None, snapshot: Snapshot, side: str) -> Bools:
    table = snapshot.sample.sockets
    bare, zone = split_zone(endpoint or "")
    text, _, port = bare.rpartition(":")
    try:
        hi, lo = halves(text.strip("[]"))
        number = int(port)
    except ValueError:  # none, or a whole network
        return np.zeros(len(table), bool)
    at: Bools = getattr(table, f"{side}_port") == number
    if side == "remote" or (hi, lo) not in ((0, 0), halves("0.0.0.0")):
        at &= (getattr(table, f"{side}_hi") == hi) & (getattr(table, f"{side}_lo") == lo)
    if zone:
        at &= on_device(zone, snapshot)
    return at & (table.state != tcp.LISTEN) if side == "remote" else at


def on_device(zone: str, snapshot: Snapshot) -> Bools:
    """A mask of the sockets that are bound to the device of a zone (`%eth0`)."""
    sample, table = snapshot.sample, snapshot.sample.sockets
    links = paired(table.netns, table.interface)
    bound = [divmod(link, 1 << 32) for link in sorted_unique(links[table.interface != 0]).tolist()]
    mine = [netns << 32 | index for netns, index in bound if sample.zone(netns, index) == zone]
    return isin(links, np.array(mine, np.uint64))
