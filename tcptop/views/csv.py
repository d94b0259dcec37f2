"""One list of a snapshot as CSV (RFC 4180): the fields of the schema, in its order.

Nested fields are joined with a dot; of `processes` the first one's pid, name and label, and
how many there are. Other lists are joined with spaces, `values` are JSON. Unknown is empty.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from typing import Any, TextIO

import numpy as np

from tcptop.model.selection import Selection
from tcptop.views.foreign import spreadsheet
from tcptop.views.json_text import encode
from tcptop.views.lists import LISTS, wanted
from tcptop.views.rows import Columns, JsonList, rfc3339


def write(
    selection: Selection,
    out: TextIO,
    only: frozenset[str] = frozenset({"sockets"}),
    limit: int | None = None,
) -> None:
    """`out` must not translate line ends. Raises ValueError where `only` names several lists."""
    listing, writer = _listing(only), csv.writer(out)
    writer.writerow(_header(listing, selection))
    for columns in listing.chunks(selection, limit):
        writer.writerows(_rows(columns))


def write_span(
    selections: Iterable[Selection],
    out: TextIO,
    only: frozenset[str] = frozenset({"sockets"}),
    limit: int | None = None,
) -> None:
    """The rows of several samples beneath one header; `taken_at` comes first, which tells them
    apart."""
    listing, writer = _listing(only), csv.writer(out)
    for number, selection in enumerate(selections):
        if number == 0:
            writer.writerow(["taken_at", *_header(listing, selection)])
        taken_at = rfc3339(selection.snapshot.sample.taken_at)
        for columns in listing.chunks(selection, limit):
            writer.writerows([taken_at, *row] for row in _rows(columns))


def _listing(only: frozenset[str]) -> JsonList:
    names = wanted(only or frozenset({"sockets"}))
    if len(names) > 1:
        raise ValueError(f"csv holds one list, not {' and '.join(names)}")
    return LISTS[names[0]]


def _header(listing: JsonList, selection: Selection) -> Iterable[str]:
    return _flat(listing.columns(selection, np.zeros(0, np.int64)))


def _rows(columns: Columns) -> Iterable[tuple[Any, ...]]:
    return zip(*map(_cells, _flat(columns).values()), strict=True)


def _flat(columns: Columns, path: str = "") -> dict[str, list[Any]]:
    """Every field by its dotted name."""
    flat: dict[str, list[Any]] = {}
    for name, values in columns.items():
        if not isinstance(values, list):
            flat |= _flat(values, f"{path}{name}.")
        elif name == "processes":
            for field in ("pid", "name", "label"):
                first = [held[0][field] if held else None for held in values]
                flat[f"{path}processes.{field}"] = first
            flat[f"{path}processes.count"] = [len(held) for held in values]
        else:
            flat[path + name] = values
    return flat


def _cells(values: list[Any]) -> list[Any]:
    some = next((value for value in values if value is not None), None)
    if isinstance(some, str):
        return [value and spreadsheet(value) for value in values]
    if isinstance(some, list):
        return _cells([None if value is None else " ".join(map(str, value)) for value in values])
    if isinstance(some, dict):
        return _cells([None if value is None else encode(value) for value in values])
    if isinstance(some, bool):
        return [None if value is None else str(value).lower() for value in values]
    return values
