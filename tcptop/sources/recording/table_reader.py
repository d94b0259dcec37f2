"""Arrays -> tables of sockets, by the columns that a file says it has.

A column that this version does not know is passed over, one that the file has not is 0, which
`has`, `info_size` and `memory_count` say to be unknown; a wider one is cut.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcptop.model import tcp
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.table import COLUMNS, SocketTable
from tcptop.sources import wire
from tcptop.sources.recording.errors import DamagedError
from tcptop.sources.recording.payload import ArrayReader
from tcptop.sources.recording.prediction import Clocks, predicted

ROWS = 2_000_000  # of one sample, at most
_TYPE = re.compile(r"u[1248]|S[1-9][0-9]?")
_WIDEST, _MOST = 256, 128
NEEDED = ("info", "info_size", "timer", "expires")  # by which time goes on

Arrays = Mapping[str, NDArray[Any]]


class Layout(NamedTuple):
    """The columns of the recorder's version: type and width by name."""

    columns: Mapping[str, tuple[str, int]]

    def zeros(self, name: str, rows: int) -> NDArray[Any]:
        dtype, width = self.columns[name]
        return np.zeros((rows, width) if width else rows, dtype)

    def empty(self) -> dict[str, NDArray[Any]]:
        return {name: self.zeros(name, 0) for name in self.columns}


def layout_text() -> str:
    """The columns of this version."""
    return json.dumps([[name, dtype, width] for name, (dtype, width) in COLUMNS.items()])


def layout(text: str) -> Layout:
    """Raises DamagedError."""
    try:
        columns = {name: (dtype, width) for name, dtype, width in json.loads(text)}
        good = 0 < len(columns) <= _MOST and all(map(_is_column, columns, columns.values()))
    except (TypeError, ValueError, RecursionError) as error:
        raise DamagedError("its columns are none") from error
    if not good or any(columns.get(name) != COLUMNS[name] for name in NEEDED if name != "info"):
        raise DamagedError("its columns are none")
    if columns.get("info", ("", 0))[0] != "u4":
        raise DamagedError("its columns are none")
    return Layout(columns)


def _is_column(name: Any, column: tuple[Any, Any]) -> bool:
    dtype, width = column
    texts = isinstance(name, str) and isinstance(dtype, str) and _TYPE.fullmatch(dtype)
    return bool(texts) and type(width) is int and 0 <= width <= _WIDEST


def read_table(layout: Layout, head: Mapping[str, Any], arrays: ArrayReader) -> Arrays:
    """As `write_table` wrote it. Raises DamagedError."""
    rows, some = arrays.count("rows", ROWS, head), _columns(layout, head)
    given = {name: arrays.take(*_shape(layout, name, rows)) for name in some}
    return {
        name: given[name] if name in given else layout.zeros(name, rows) for name in layout.columns
    }


def read_changes(
    layout: Layout, old: Arrays, head: Mapping[str, Any], arrays: ArrayReader
) -> Arrays:
    """As `write_changes` wrote it: the old table is left as it is. Raises DamagedError."""
    before = len(old["info_size"])
    if not head and not before:  # nothing, as before
        return old
    rows = arrays.count("rows", ROWS, head)
    if "fresh" not in head:
        if rows != before:
            raise DamagedError("a sample has lost rows")
        return _changed(layout, old, head, arrays)
    fresh = arrays.take_places(arrays.count("fresh", rows, head), rows)
    step = arrays.take_residuals("u4", rows - len(fresh)).view(np.int32)
    place = np.cumsum(step.astype(np.int64) + 1) - 1
    if len(place) and (place.min() < 0 or place.max() >= before):
        raise DamagedError("a sample names rows that it has not")
    # Where sockets come and go, rows stay in one piece from here on, which are moved faster.
    kept = _changed(layout, {name: column[place] for name, column in old.items()}, head, arrays)
    return _with_fresh(layout, kept, fresh, rows, head, arrays)


def _with_fresh(
    layout: Layout,
    kept: Arrays,
    fresh: NDArray[np.int64],
    rows: int,
    head: Mapping[str, Any],
    arrays: ArrayReader,
) -> Arrays:
    if not len(fresh):
        return kept
    new = read_table(layout, _object(head, "new"), arrays)
    if len(new["info_size"]) != len(fresh):
        raise DamagedError("a sample has other new rows than it says")
    others = np.ones(rows, bool)
    others[fresh] = False
    made = {}
    for name in layout.columns:
        column = layout.zeros(name, rows)
        column[others], column[fresh] = kept[name], new[name]
        made[name] = column
    return made


def _changed(layout: Layout, old: Arrays, head: Mapping[str, Any], arrays: ArrayReader) -> Arrays:
    many = len(old["info_size"])
    usual = head.get("usual_ms")
    if type(usual) is not int or abs(usual) >= 1 << 31:
        raise DamagedError("a sample has no length")
    moved = arrays.take_residuals("u4", many).view(np.int32)
    step = np.cumsum(moved, dtype=np.int64) + usual
    info, expires = predicted(Clocks(*(old[name] for name in NEEDED)), step)
    rows = arrays.take_places(arrays.count("changed", many, head), many)
    columns = _columns(layout, head)
    residuals = {name: arrays.take_residuals(*_shape(layout, name, len(rows))) for name in columns}
    size = _applied(old["info_size"], rows, residuals.get("info_size"))
    info[size != old["info_size"]] = 0
    for name, ours in (("info", info), ("expires", expires)):
        if name in residuals:
            ours[rows] += residuals.pop(name)
    new = {**old, "info": info, "expires": expires}
    return {name: _applied(new[name], rows, residuals.get(name)) for name in layout.columns}


def _shape(layout: Layout, name: str, rows: int) -> tuple[str, int, int]:
    dtype, width = layout.columns[name]
    return dtype, rows, width


def _applied(
    column: NDArray[Any], rows: NDArray[np.int64], residuals: NDArray[Any] | None
) -> NDArray[Any]:
    if residuals is None:
        return column
    made = column.copy(order="K")
    if made.dtype.kind == "S":
        made[rows] = residuals
    else:
        made[rows] += residuals
    return made


def _columns(layout: Layout, head: Mapping[str, Any]) -> list[str]:
    names = head.get("columns")
    if not isinstance(names, list) or len({*map(str, names)}) != len(names):
        raise DamagedError("a sample has other columns than its run")
    found = [name for name in names if isinstance(name, str) and name in layout.columns]
    if found != names:
        raise DamagedError("a sample has other columns than its run")
    return found


def _object(head: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = head.get(name)
    if not isinstance(part, dict):
        raise DamagedError(f"a sample has no {name}")
    return part


def socket_table(columns: Arrays) -> SocketTable:
    """By the columns of this version. Raises DamagedError for sockets that no kernel has."""
    rows = len(columns["info_size"])
    made = {name: _column(columns.get(name), name, rows) for name in COLUMNS}
    for counted, most in (("info_size", tcp.TCP_INFO_SIZE), ("memory_count", len(tcp.MEMORY))):
        made[counted] = np.minimum(made[counted], made[counted].dtype.type(most))
    table = SocketTable(**made)
    try:
        wire.check(table)
    except wire.WireError as error:
        raise DamagedError(str(error)) from error
    return table


def _column(given: NDArray[Any] | None, name: str, rows: int) -> NDArray[Any]:
    dtype, width = COLUMNS[name]
    shape = (rows, width) if width else (rows,)
    if given is not None and given.dtype == dtype and given.shape == shape:
        return given
    made: NDArray[Any] = np.zeros(shape, dtype)
    if given is not None and given.dtype == dtype and given.ndim == made.ndim == 2:
        made[:, : given.shape[1]] = given[:, :width]
    return made
