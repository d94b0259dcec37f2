"""What is wrong with a single connection, as a column of the live view."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tcptop.analysis.verdicts import verdicts
from tcptop.columns.column import Column
from tcptop.model.selection import Selection
from tcptop.model.table import Index

LAST = "\uffff"  # sorts behind every clause


def column(idle_timeout_s: float) -> Column:
    """`idle_timeout_s` is that of the load balancers and NAT on the way."""

    def texts(selection: Selection, rows: Index) -> list[str]:
        return [clause or "" for clause in verdicts(selection.snapshot, rows, idle_timeout_s)]

    def values(selection: Selection, rows: Index) -> NDArray[np.str_]:
        return np.array([clause or LAST for clause in texts(selection, rows)], dtype=str)

    def styles(selection: Selection, rows: Index) -> list[str]:
        return ["warn"] * len(rows)

    return Column(
        "verdict", "Verdict", 24, "What is wrong with it, where something is.", values, texts,
        flex=True, priority=2, styles=styles, largest_first=False, least=14, grow=4,
    )  # fmt: skip
