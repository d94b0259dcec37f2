"""Tables of sockets -> arrays: whole, or what is not as predicted from the one before."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcptop.model.table import COLUMNS, I64, SocketTable
from tcptop.sources.recording.payload import ArrayWriter
from tcptop.sources.recording.prediction import clocks, later_ms, origin, predicted


def write_table(table: SocketTable, arrays: ArrayWriter) -> dict[str, Any]:
    """The table, whole; what belongs into the head. Columns of zeros are left out."""
    some = [name for name in COLUMNS if getattr(table, name).any()]
    for name in some:
        arrays.add(getattr(table, name))
    return {"rows": len(table), "columns": some}


def write_changes(
    old: SocketTable, new: SocketTable, usual_ms: int, arrays: ArrayWriter
) -> dict[str, Any]:
    """The same of what makes `new` of `old`, which was so many milliseconds ago."""
    place = origin(old, new)
    head: dict[str, Any] = {"rows": len(new)}
    fresh = np.zeros(0, np.int64)
    if place is not None:
        fresh, kept = np.flatnonzero(place < 0), place >= 0
        head["fresh"] = len(fresh)
        arrays.add_places(fresh)
        arrays.add_residuals((np.diff(place[kept], prepend=-1) - 1).astype(np.int32))
        old, new, whole = old.take(place[kept]), new.take(kept), new
    head |= _changed_rows(old, new, usual_ms, arrays)
    if len(fresh):
        head["new"] = write_table(whole.take(fresh), arrays)
    return head


def _changed_rows(
    old: SocketTable, new: SocketTable, usual_ms: int, arrays: ArrayWriter
) -> dict[str, Any]:
    """Of sockets that both have, in the same order."""
    step = later_ms(old, new, usual_ms)
    arrays.add_residuals(np.diff(step, prepend=np.int32(usual_ms)))
    info, expires = predicted(clocks(old), step)
    info[new.info_size != old.info_size] = 0  # another kind of socket now, such as TIME-WAIT
    expected = {name: getattr(old, name) for name in COLUMNS} | {"info": info, "expires": expires}
    others = {name: _others(column, getattr(new, name)) for name, column in expected.items()}
    columns = [name for name, other in others.items() if other.any()]
    rows = _any(others, columns, len(new))
    arrays.add_places(rows)
    for name in columns:
        _write_residuals(getattr(new, name)[rows], expected[name][rows], arrays)
    return {"usual_ms": usual_ms, "changed": len(rows), "columns": columns}


def _write_residuals(now: NDArray[Any], expected: NDArray[Any], arrays: ArrayWriter) -> None:
    if now.dtype.kind == "S":
        arrays.add(now)
    else:
        arrays.add_residuals(now - expected)


def _others(expected: NDArray[Any], column: NDArray[Any]) -> NDArray[np.bool_]:
    """The rows that are not as expected."""
    other: NDArray[np.bool_] = expected != column
    return np.logical_or.reduce(other, axis=1) if other.ndim > 1 else other


def _any(others: dict[str, NDArray[np.bool_]], columns: list[str], rows: int) -> I64:
    found = np.zeros(rows, bool)
    for name in columns:
        found |= others[name]
    return np.flatnonzero(found)
