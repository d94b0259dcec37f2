"""A snapshot as one JSON object a line: the head, then every row of its lists."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TextIO

from tcptop.model.selection import Selection
from tcptop.views.head import head, kernel, totals
from tcptop.views.json_text import encode, objects
from tcptop.views.lists import LISTS, wanted


def write(
    selection: Selection,
    out: TextIO,
    only: frozenset[str] = frozenset(),
    limit: int | None = None,
) -> None:
    """`type`, `host` and `taken_at` come first on every line, as in the JSON object."""
    about = head(selection)
    which = {name: about[name] for name in ("host", "taken_at")}
    names = wanted(only)
    untold = {name: None for name in names if not LISTS[name].told(selection)}
    whole = {"type": "snapshot"} | which | about | totals(selection) | untold
    out.write(encode(whole | {"kernel": kernel(selection)}) + "\n")
    for name in names:
        listing = LISTS[name]
        start = encode({"type": listing.type} | which)[:-1] + ","
        for columns in listing.chunks(selection, limit):
            out.write("".join([f"{start}{text[1:]}\n" for text in objects(columns)]))


def write_span(
    selections: Iterable[Selection],
    out: TextIO,
    only: frozenset[str] = frozenset(),
    limit: int | None = None,
) -> None:
    """One sample after another."""
    for selection in selections:
        write(selection, out, only, limit)
