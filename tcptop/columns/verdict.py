"""What is wrong with a single connection: a column of the live view, and the first of its facts."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from tcptop.analysis.verdicts import verdicts
from tcptop.columns import units
from tcptop.columns.column import Column
from tcptop.columns.detail import Fact
from tcptop.columns.findings import of_socket, severity
from tcptop.model.selection import Selection
from tcptop.model.table import Index

GROUP = "verdict"
LAST = "\uffff"  # sorts behind every clause


def column(idle_timeout_s: float) -> Column:
    """`idle_timeout_s` is that of the load balancers and NAT on the way."""

    def texts(selection: Selection, rows: Index) -> list[str]:
        return [clause or "" for clause in verdicts(selection.snapshot, rows, idle_timeout_s)]

    def values(selection: Selection, rows: Index) -> NDArray[np.str_]:
        return np.array([clause or LAST for clause in texts(selection, rows)], dtype=str)

    def looks(selection: Selection, rows: Index) -> list[str]:
        return ["warn"] * len(rows)

    return Column(
        "verdict", "Verdict", 24, "What is wrong with it, where something is.", values, texts,
        flex=True, priority=1, looks=looks, largest_first=False,
    )  # fmt: skip


def facts(selection: Selection, row: int, idle_timeout_s: float) -> Iterator[Fact]:
    """What is wrong with a connection, and the findings about it."""
    (clause,) = verdicts(selection.snapshot, np.array([row]), idle_timeout_s)
    if clause:
        yield Fact(GROUP, "wrong", "now", clause)
    for finding in of_socket(selection, row):
        yield Fact(GROUP, severity(finding), "", units.safe(finding.title))
