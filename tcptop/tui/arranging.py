"""Columns as the user arranged them, as plain functions; see `preferences.Arrangement`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tcptop.columns.marks import KEY as MARK
from tcptop.tui.preferences import Arrangement
from tcptop.tui.widgets.layout import TableColumn

NARROWEST, WIDEST = 3, 100  # cells
CHOSEN = -1  # the priority of columns that go only after all others


def arranged(columns: Sequence[TableColumn], arrangement: Arrangement) -> list[TableColumn]:
    """The columns to lay out, in order; marks of findings stay where they are, at the left."""
    marks = [column for column in columns if column.key == MARK]
    others = {column.key: column for column in columns if column.key != MARK}
    kept = [others[key] for key in arrangement.columns([*others])]
    return [*marks, *(_as_chosen(column, arrangement) for column in kept)]


def _as_chosen(column: TableColumn, arrangement: Arrangement) -> TableColumn:
    width = arrangement.widths.get(column.key)
    if width is not None:
        column = replace(column, width=min(width, WIDEST), flex=False, least=0)
    return replace(column, priority=CHOSEN) if column.key in arrangement.shown else column


def order(arrangement: Arrangement, keys: Sequence[str]) -> list[str]:
    """All columns in their order, hidden ones too."""
    return replace(arrangement, hidden=frozenset()).columns(keys)


def switched(arrangement: Arrangement, key: str, on: bool) -> Arrangement:
    """With a column shown before others, or hidden."""
    alone = frozenset({key})
    shown = arrangement.shown | alone if on else arrangement.shown - alone
    hidden = arrangement.hidden - alone if on else arrangement.hidden | alone
    return replace(arrangement, shown=shown, hidden=hidden)


def moved(arrangement: Arrangement, keys: Sequence[str], key: str, steps: int) -> Arrangement:
    """With a column so many places further."""
    places = order(arrangement, keys)
    at = places.index(key)
    places.insert(max(0, min(at + steps, len(places) - 1)), places.pop(at))
    return replace(arrangement, order=tuple(places))


def widened(arrangement: Arrangement, key: str, now: int, steps: int) -> Arrangement:
    """With a column by so many cells wider than it is now."""
    width = max(NARROWEST, min(now + steps, WIDEST))
    return replace(arrangement, widths={**arrangement.widths, key: width})


def usual(arrangement: Arrangement) -> Arrangement:
    """As it is without any choice; the sort stays."""
    return Arrangement(sort=arrangement.sort, reverse=arrangement.reverse, more=arrangement.more)
