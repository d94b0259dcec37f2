"""Listeners, column by column."""

from __future__ import annotations

from typing import Any

import numpy as np

from tcptop.model.sample import Sample
from tcptop.model.selection import Selection
from tcptop.model.table import F64, Bools, Index, SocketTable
from tcptop.views.rows import Columns, known, measured
from tcptop.views.socket_rows import cgroups, holders, identity


def order(selection: Selection) -> Index:
    """The fullest queue first, then the most dropped."""
    listeners, table = selection.snapshot.listeners, selection.snapshot.sample.sockets
    rows = listeners.row[selection.listeners]
    full = np.nan_to_num(fill(selection.snapshot.sample, table.take(rows)), nan=-1.0)
    drops = table.memory_of("drops")[rows]
    return selection.listeners[np.lexsort((-drops.astype(np.int64), -full))]


def columns(selection: Selection, places: Index) -> Columns:
    """The fields of `listeners[]`."""
    snapshot, listeners = selection.snapshot, selection.snapshot.listeners
    rows = listeners.row[places]
    table = snapshot.sample.sockets.take(rows)
    told = backlog_told(snapshot.sample, table)
    backlog = table.send_q.astype(np.int64)
    return {
        **identity(snapshot.sample, table),
        "accept_queue": table.recv_q.tolist(),
        "peak": listeners.peak[places].tolist(),
        "backlog": known(backlog, told),
        "capacity": known(backlog + 1, told),
        "fill": measured(fill(snapshot.sample, table), 4),
        "syn_queue": listeners.syn_queue[places].tolist(),
        "drops": known(table.memory_of("drops"), table.memory_known("drops")),
        "drops_per_s": measured(listeners.drops_per_s[places]),
        "backlog_clamped": _clamped(snapshot.sample, table, told),
        "processes": holders(snapshot, rows),
        "cgroup": cgroups(snapshot.sample, table, np.ones(len(rows), bool)),
    }


def backlog_told(sample: Sample, table: SocketTable) -> Bools:
    """/proc/net/tcp shows a listener's queue but not its limit (net/ipv4/tcp_ipv4.c)."""
    return np.full(len(table), sample.source != "procfs")


def fill(sample: Sample, table: SocketTable) -> F64:
    """Accept queue / (backlog + 1): the kernel lets one more in (sk_acceptq_is_full)."""
    capacity = table.send_q.astype(np.float64) + 1
    return np.where(backlog_told(sample, table), table.recv_q / capacity, np.nan)


def _clamped(sample: Sample, table: SocketTable, told: Bools) -> list[Any]:
    """Whether listen() probably asked for more than net.core.somaxconn allowed."""
    limits = {kernel.netns: kernel.sysctls.get("net.core.somaxconn") for kernel in sample.kernel}
    limit = [limits.get(netns) or "" for netns in table.netns.tolist()]
    return [
        backlog == int(most) if most.isdigit() and tells else None
        for backlog, most, tells in zip(table.send_q.tolist(), limit, told.tolist(), strict=True)
    ]
