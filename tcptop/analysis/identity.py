"""What identifies a row of a list from sample to sample: a 64-bit key for each.

`rows` are places in the lists of the snapshot, or of the selection where it counts for itself.
"""

from __future__ import annotations

import numpy as np

from tcptop.model.arrays import paired, row_hash
from tcptop.model.selection import Selection
from tcptop.model.snapshot import Ports
from tcptop.model.table import U64, Index, SocketTable


def process_keys(selection: Selection, rows: Index) -> U64:
    """(pid, start time, namespace), so that a reused pid is another row."""
    found = selection.processes
    held = selection.snapshot.holders.at(found.process[rows])
    pid = np.array([p.pid if p else 0 for p in held], np.int64)
    start = np.array([p.start_time if p else 0 for p in held], np.int64)
    kind = np.where(pid > 0, 0, found.owner[rows])
    return row_hash(pid, start, found.netns[rows], kind)


def socket_keys(selection: Selection, rows: Index) -> U64:
    return selection.snapshot.sample.sockets.key[rows]


def listener_keys(selection: Selection, rows: Index) -> U64:
    """Those of their sockets."""
    return socket_keys(selection, selection.snapshot.listeners.row[rows])


def port_keys(selection: Selection, rows: Index) -> U64:
    return destination_keys(selection.snapshot.ports, rows)


def destination_keys(found: Ports | SocketTable, rows: Index | slice) -> U64:
    """Where ports are used up: by device, as two networks may have the same addresses."""
    names = ("local_hi", "local_lo", "remote_hi", "remote_lo", "remote_port")
    link = paired(found.netns[rows], found.interface[rows])
    return row_hash(link, *(getattr(found, name)[rows] for name in names))


def remote_keys(selection: Selection, rows: Index) -> U64:
    remotes = selection.remote_groups
    names = ("netns", "interface", "remote_hi", "remote_lo", "remote_port")
    return row_hash(*(getattr(remotes, name)[rows] for name in names))
