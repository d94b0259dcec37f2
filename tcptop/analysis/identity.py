"""What identifies a row of a list from sample to sample: a 64-bit key for each.

`rows` are places in the lists of the snapshot, or of the selection where it counts for itself.
"""

from __future__ import annotations

from zlib import crc32

import numpy as np

from tcptop.model import owner, tcp
from tcptop.model.arrays import paired, row_hash
from tcptop.model.selection import Selection
from tcptop.model.snapshot import Processes
from tcptop.model.table import U64, Bools, Index, SocketTable

CLOSED, WORKLOAD = 8, 16  # apart from the codes of owners


def process_keys(selection: Selection, rows: Index) -> U64:
    """(pid, start time, namespace), so that a reused pid is another row; of several processes
    their name, and of containers and units that."""
    found = selection.processes
    several = found.members[rows] > 1
    held = selection.snapshot.holders.at(found.process[rows])
    alone = [None if many else p for p, many in zip(held, several.tolist(), strict=True)]
    pid = np.array([p.pid if p else 0 for p in alone], np.int64)
    start = np.array([p.start_time if p else 0 for p in alone], np.int64)
    names = (
        (p.label or p.name) if p and not one else "" for p, one in zip(held, alone, strict=True)
    )
    name = np.array([crc32(each.encode("utf-8", "replace")) for each in names], np.int64)
    kind = np.where(pid > 0, 0, found.owner[rows] + CLOSED * closed(found, rows))
    if (found.workload[rows] >= 0).any():
        pid, start, kind = (np.full(len(rows), fixed) for fixed in (0, 0, WORKLOAD))
        name = found.workload[rows]
    return row_hash(pid, start, found.netns[rows], kind, name)


def closed(found: Processes, rows: Index) -> Bools:
    """Rows of nothing but TIME-WAIT whose process is not known: it closed them before."""
    unknown = (found.process[rows] < 0) & (found.owner[rows] == owner.UNKNOWN)
    same: Bools = unknown & (found.by_state[rows, tcp.TIME_WAIT] == found.sockets[rows])
    return same


def socket_keys(selection: Selection, rows: Index) -> U64:
    return selection.snapshot.sample.sockets.key[rows]


def listener_keys(selection: Selection, rows: Index) -> U64:
    """Those of their sockets."""
    return socket_keys(selection, selection.snapshot.listeners.row[rows])


def namespace_keys(selection: Selection, rows: Index) -> U64:
    return row_hash(selection.snapshot.namespaces.netns[rows])


def port_keys(selection: Selection, rows: Index) -> U64:
    return selection.snapshot.ports.key[rows]


def destination_keys(found: SocketTable, rows: Index) -> U64:
    """Where ports are used up: by device, as two networks may have the same addresses."""
    names = ("local_hi", "local_lo", "remote_hi", "remote_lo", "remote_port")
    link = paired(found.netns[rows], found.interface[rows])
    return row_hash(link, *(getattr(found, name)[rows] for name in names))


def remote_keys(selection: Selection, rows: Index) -> U64:
    remotes = selection.remote_groups
    names = ("netns", "interface", "remote_hi", "remote_lo", "remote_port")
    return row_hash(*(getattr(remotes, name)[rows] for name in names))
