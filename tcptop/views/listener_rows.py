"""Listeners, column by column."""

from __future__ import annotations

import numpy as np

from tcptop.columns.listeners import backlog, drops, fill, sockets
from tcptop.model.selection import Selection
from tcptop.model.table import Index
from tcptop.views.rows import Columns, integers, measured
from tcptop.views.socket_rows import cgroups, holders, identity, whose


def order(selection: Selection) -> Index:
    """The fullest queue first, then the most dropped; unknown last."""
    places = selection.listeners
    keys = (drops(selection, places), fill(selection, places))
    return places[np.lexsort([-np.nan_to_num(key, nan=-1.0) for key in keys])]


def columns(selection: Selection, places: Index) -> Columns:
    """The fields of `listeners[]`."""
    snapshot, listeners = selection.snapshot, selection.snapshot.listeners
    rows = sockets(selection, places)
    table = snapshot.sample.sockets.take(rows)
    return {
        **identity(snapshot.sample, table),
        "accept_queue": table.recv_q.tolist(),
        "peak": listeners.peak[places].tolist(),
        "backlog": integers(backlog(selection, places)),
        "capacity": integers(backlog(selection, places) + 1),
        "fill": measured(fill(selection, places), 4),
        "syn_queue": listeners.syn_queue[places].tolist(),
        "drops": integers(drops(selection, places)),
        "drops_per_s": measured(listeners.drops_per_s[places]),
        "backlog_clamped": [snapshot.sample.backlog_clamped(row) for row in rows.tolist()],
        "processes": holders(snapshot, rows),
        "cgroup": cgroups(snapshot.sample, table, np.ones(len(rows), bool)),
        **whose(snapshot, rows),
    }
