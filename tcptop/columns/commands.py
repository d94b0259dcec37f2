"""How those who hold sockets were started, as a column of lists whose rows are sockets or have one
each."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tcptop.columns.column import Column
from tcptop.model.cells import safe
from tcptop.model.selection import Selection
from tcptop.model.snapshot import Snapshot
from tcptop.model.table import Index


def column(
    sockets: Callable[[Selection, Index], Index] = lambda selection, rows: rows, priority: int = 9
) -> Column:
    """How who holds a socket was started; `sockets` are those of the rows of a list."""

    def texts(selection: Selection, rows: Index) -> list[str]:
        return [_command(selection.snapshot, row) for row in sockets(selection, rows).tolist()]

    return Column(
        "command", "Command line", 20, "How who holds it was started.",
        lambda s, rows: np.array(texts(s, rows), dtype=object).astype(str), texts, flex=True,
        priority=priority, largest_first=False, least=12,
    )  # fmt: skip


def _command(snapshot: Snapshot, row: int) -> str:
    held = snapshot.holders.of(row)
    return safe(held[0][0].cmdline or "") if held else ""
