"""A snapshot as one JSON object, schema `tcptop.snapshot/1` (schema/tcptop.snapshot-1.json)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TextIO

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
    """Compact, a chunk of rows at a time. Lists that `only` leaves out are absent, not empty."""
    about = head(selection) | totals(selection) | {"kernel": kernel(selection)}
    _write(about, wanted(only), selection, out, limit)


def write_findings(selection: Selection, out: TextIO, notes: Sequence[str] = ()) -> None:
    """What `check` tells: the findings, which look at which host they are of, and more notes."""
    _write(head(selection, notes), ["findings"], selection, out, None)


def _write(
    about: dict[str, Any], names: list[str], selection: Selection, out: TextIO, limit: int | None
) -> None:
    out.write("{" + encode(about)[1:-1])
    for name in names:
        if not LISTS[name].told(selection):
            out.write(f',"{name}":null')
            continue
        out.write(f',"{name}":[')
        for text in _rows(selection, name, limit):
            out.write(text)
        out.write("]")
    out.write("}\n")


def _rows(selection: Selection, name: str, limit: int | None) -> Iterator[str]:
    comma = ""
    for columns in LISTS[name].chunks(selection, limit):
        yield comma + ",".join(objects(columns))
        comma = ","
