"""Whose sockets are, as a column of lists whose rows are sockets or have one each."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tcptop.analysis.findings.words import workload
from tcptop.analysis.workloads import workloads
from tcptop.columns import units
from tcptop.columns.column import Column
from tcptop.model.selection import Selection
from tcptop.model.table import I64, Index


def column(
    sockets: Callable[[Selection, Index], Index] = lambda selection, rows: rows, priority: int = 10
) -> Column:
    """`sockets` are the rows of the socket table that those of the list are of."""
    return Column(
        "unit", "Unit", 18,
        "Whose it is, with a process or without: the container, else the systemd unit.",
        lambda s, r: _ranks(s, sockets(s, r)), lambda s, r: texts(s, sockets(s, r)), flex=True,
        priority=priority, largest_first=False, least=10,
    )  # fmt: skip


def texts(selection: Selection, sockets: Index) -> list[str]:
    told = workloads(selection.snapshot)
    names = [workload(each) or units.UNKNOWN for each in told.found]
    return [names[number] for number in told.of[sockets].tolist()]


def _ranks(selection: Selection, sockets: Index) -> I64:
    """By name; those that are not known come last."""
    told = workloads(selection.snapshot)
    names = [(not workload(each), workload(each).lower()) for each in told.found]
    ranks = np.empty(len(names), np.int64)
    ranks[sorted(range(len(names)), key=names.__getitem__)] = np.arange(len(names))
    return ranks[told.of[sockets]]
