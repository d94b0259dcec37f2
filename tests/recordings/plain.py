"""The model's objects as dictionaries and back, so that a file outlives changes of the classes."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

from tcptop.model.route import Link, Neighbour, Route, RouteKey
from tcptop.model.sample import (
    Deaths,
    Host,
    Kernel,
    ListenerPeaks,
    LostSocket,
    Namespace,
    Owners,
    Process,
    Sample,
    Unlisted,
)
from tcptop.model.socket_id import SocketId
from tcptop.model.sockopt import SocketOptions
from tcptop.model.table import SocketTable, blank

CLASSES: dict[str, type[Any]] = {
    kind.__name__: kind
    for kind in (
        *(
            Deaths,
            Host,
            Kernel,
            ListenerPeaks,
            LostSocket,
            Namespace,
            Owners,
            Process,
            Sample,
            Unlisted,
        ),
        *(Link, Neighbour, Route, RouteKey, SocketId, SocketOptions, SocketTable),
    )
}
MARK = "class"


class MisfitError(Exception):
    """What of a file does not fit the classes any more."""


def taken_apart(value: Any) -> Any:
    """Nothing but builtins and arrays; these by columns, which compress better."""
    if is_dataclass(value) and not isinstance(value, type):
        parts = {each.name: taken_apart(getattr(value, each.name)) for each in fields(value)}
        return {MARK: type(value).__name__, **parts}
    if isinstance(value, (LostSocket, RouteKey, SocketId)):
        return {MARK: type(value).__name__, **value._asdict()}
    if isinstance(value, np.ndarray):
        return np.asfortranarray(value)
    if isinstance(value, dict):  # the keys may be dictionaries by now
        return {MARK: "dict", "items": taken_apart([*value.items()])}
    if isinstance(value, (tuple, list)):
        return [type(value)(), *map(taken_apart, value)]
    return value


def restored(value: Any) -> Any:
    """The object again. Raises MisfitError."""
    if isinstance(value, list):
        return type(value[0])(map(restored, value[1:]))
    if isinstance(value, np.ndarray):
        return np.ascontiguousarray(value)  # a table's words are looked at in other sizes
    if not isinstance(value, dict):
        return value
    parts = {name: restored(part) for name, part in value.items() if name != MARK}
    if value[MARK] == "dict":
        return dict(parts["items"])
    return _made(value[MARK], parts)


def _made(name: str, parts: dict[str, Any]) -> Any:
    try:
        made = CLASSES[name](**parts)
    except (KeyError, TypeError) as error:
        raise MisfitError(f"{name} has changed: {error}") from error
    if isinstance(made, SocketTable):
        _check_columns(made)
    return made


def _check_columns(table: SocketTable) -> None:
    now = blank(len(table))
    for each in fields(SocketTable):
        column, wanted = getattr(table, each.name), getattr(now, each.name)
        if (column.dtype, column.shape) != (wanted.dtype, wanted.shape):
            raise MisfitError(f"the column {each.name} has changed")
