"""Columns of the states of TCP: how many sockets are in each, and what that means."""

from __future__ import annotations

import numpy as np

from tcptop.columns import units
from tcptop.columns.column import Column, shown
from tcptop.columns.detail import STATE_MEANINGS
from tcptop.columns.listing import Listing
from tcptop.model import tcp
from tcptop.model.selection import Selection
from tcptop.model.table import F64, I64, U64, Index

# Where a healthy connection stays only for a moment.
ABNORMAL = frozenset(
    {tcp.SYN_SENT, tcp.SYN_RECV, tcp.CLOSE_WAIT, tcp.FIN_WAIT1, tcp.LAST_ACK, tcp.CLOSING}
)
# In the order of a connection's life.
ORDER = (
    *(tcp.LISTEN, tcp.SYN_SENT, tcp.SYN_RECV, tcp.ESTABLISHED, tcp.CLOSE_WAIT, tcp.LAST_ACK),
    *(tcp.FIN_WAIT1, tcp.FIN_WAIT2, tcp.CLOSING, tcp.TIME_WAIT, tcp.CLOSE),
)


def counts(selection: Selection) -> I64:
    """Selected sockets by the kernel's number of their state."""
    state = selection.snapshot.sample.sockets.state[selection.rows]
    return np.bincount(state, minlength=len(tcp.STATES)).astype(np.int64)


def _rows(selection: Selection) -> Index:
    """A row's place is the kernel's number."""
    return np.arange(1, len(tcp.STATES))


def _keys(selection: Selection, rows: Index) -> U64:
    return rows.astype(np.uint64)


def _position(selection: Selection, rows: Index) -> I64:
    return np.array([ORDER.index(row) for row in rows.tolist()], np.int64)


def _names(selection: Selection, rows: Index) -> list[str]:
    return [tcp.SS_STATES[row] for row in rows.tolist()]


def _counts(selection: Selection, rows: Index) -> I64:
    return counts(selection)[rows]


def _share(selection: Selection, rows: Index) -> F64:
    found = counts(selection)
    return found[rows] / found.sum() if found.sum() else np.full(len(rows), np.nan)


def _meanings(selection: Selection, rows: Index) -> list[str]:
    return [STATE_MEANINGS[row] for row in rows.tolist()]


def _text(selection: Selection, rows: Index) -> np.ndarray[tuple[int, ...], np.dtype[np.str_]]:
    return np.array(_meanings(selection, rows), dtype=str)


def _looks(selection: Selection, rows: Index) -> list[str]:
    found = counts(selection)
    return [style(state, int(found[state])) for state in rows.tolist()]


def style(state: int, count: int) -> str:
    """How a state with so many sockets looks."""
    if not count:
        return "dim"
    return "warn" if state in ABNORMAL else ""


COLUMNS = (
    Column(
        "state", "State", 10, "The state as ss calls it, in the order of a connection's life.",
        _position, _names, largest_first=False,
    ),
    Column(
        "sockets", "Sockets", 9, "Sockets in this state.",
        _counts, shown(units.count, _counts), right=True,
    ),
    Column(
        "share", "Share", 5, "Their part of all sockets, or of those that the filter selects.",
        _share, shown(units.percent, _share), right=True, priority=1,
    ),
    Column(
        "meaning", "What it is", 20, "What the state means for a connection.",
        _text, _meanings, flex=True, largest_first=False, least=8,
    ),
)  # fmt: skip


def scope(state: int) -> str:
    return f"state {tcp.FILTER_STATES[state]}"


STATES = Listing(
    "states", "States", "States", COLUMNS, "state", "",
    rows=_rows, keys=_keys, styles=_looks,
    scope=lambda s, state: scope(state),
    command=lambda s, state: f"ss -tan {scope(state)}",
    page=lambda s, state: tcp.SS_STATES[state],
)  # fmt: skip
