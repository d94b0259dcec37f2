"""Listeners, column by column."""

from __future__ import annotations

import numpy as np

from tcptop.columns.listeners import backlog, drops, fill, sockets
from tcptop.model.sample import Sample
from tcptop.model.selection import Selection
from tcptop.model.sysctls import number
from tcptop.model.table import Index, SocketTable
from tcptop.views.rows import Columns, integers, measured
from tcptop.views.socket_rows import cgroups, holders, identity


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
    limits = integers(backlog(selection, places))
    return {
        **identity(snapshot.sample, table),
        "accept_queue": table.recv_q.tolist(),
        "peak": listeners.peak[places].tolist(),
        "backlog": limits,
        "capacity": integers(backlog(selection, places) + 1),
        "fill": measured(fill(selection, places), 4),
        "syn_queue": listeners.syn_queue[places].tolist(),
        "drops": integers(drops(selection, places)),
        "drops_per_s": measured(listeners.drops_per_s[places]),
        "backlog_clamped": _clamped(snapshot.sample, table, limits),
        "processes": holders(snapshot, rows),
        "cgroup": cgroups(snapshot.sample, table, np.ones(len(rows), bool)),
    }


def _clamped(sample: Sample, table: SocketTable, limits: list[int | None]) -> list[bool | None]:
    """Whether a backlog equals its namespace's somaxconn: listen() may have asked for more."""
    spaces = table.netns.tolist()
    kernels = map(sample.kernel_of, set(spaces))
    most = {each.netns: number(each.sysctls, "net.core.somaxconn") for each in kernels}
    return [
        None if limit is None or most[netns] is None else limit == most[netns]
        for limit, netns in zip(limits, spaces, strict=True)
    ]
