"""Sockets, queues and open files by what the operator calls a process."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
from prometheus_client.core import Metric

from tcptop.analysis.findings.words import called
from tcptop.analysis.recorded import STATES
from tcptop.columns.processes import name as name_of_row
from tcptop.model.selection import Selection
from tcptop.model.table import I64
from tcptop.views.metrics.families import OTHER, Labels, gauge

PROCESSES = 30  # names with series of their own, those with most sockets


def processes(selection: Selection) -> Iterator[Metric]:
    """By what the operator calls them; those with fewer sockets together."""
    groups = selection.processes
    names = _names(selection)
    sockets: dict[str, float] = defaultdict(float)
    for name, count in zip(names, groups.sockets.tolist(), strict=True):
        sockets[name] += count
    known = set(sorted(sockets, key=lambda name: (-sockets[name], name))[:PROCESSES])
    seats = [name if name in known else OTHER for name in names]
    states = {
        (seat, state): count
        for seat, counts in _summed(seats, groups.by_state[:, 1:]).items()
        for state, count in zip(STATES, counts, strict=True)
    }
    yield from gauge(
        "process_sockets", "TCP sockets by process", ("process", "state"), states.items()
    )
    queues = _summed(seats, np.column_stack((groups.recv_q, groups.send_q)))
    for place, (name, help) in enumerate(
        (
            ("receive", "Bytes that processes have not read"),
            ("send", "Bytes that peers have not acknowledged, or that are not sent yet"),
        )
    ):
        values = (((seat,), both[place]) for seat, both in queues.items())
        yield from gauge(f"process_{name}_queue_bytes", help, ("process",), values)
    yield from _open_files(selection, seats)


def _names(selection: Selection) -> list[str]:
    holders = selection.snapshot.holders.at(selection.processes.process)
    return [
        called(holder) if holder else name_of_row(selection, row)
        for row, holder in enumerate(holders)
    ]


def _summed(seats: Sequence[str], columns: I64) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for seat, row in zip(seats, columns.tolist(), strict=True):
        sums = found.setdefault(seat, [0.0] * len(row))
        for place, value in enumerate(row):
            sums[place] += value
    return found


def _open_files(selection: Selection, seats: Sequence[str]) -> Iterator[Metric]:
    """Of several processes that of the one that is nearest its limit."""
    most: dict[Labels, float] = {}
    holders = selection.snapshot.holders.at(selection.processes.process)
    for seat, holder in zip(seats, holders, strict=True):
        if holder is not None and holder.fd_share is not None:
            most[(seat,)] = max(holder.fd_share, most.get((seat,), 0.0))
    yield from gauge(
        "process_open_files_ratio",
        "Open files of the soft limit, of the process nearest to it",
        ("process",),
        most.items(),
    )
