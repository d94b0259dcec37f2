"""Rows of a pane: lines that are drawn already, some of which lead further."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from tcptop.analysis.rings import Rings, Series
from tcptop.columns import Listing
from tcptop.model.selection import Selection
from tcptop.model.snapshot import Snapshot
from tcptop.model.table import SocketTable
from tcptop.tui.widgets.layout import Line, cut, merge

MARK = "> "  # before what Enter opens
NAME = 13  # cells of a name and the gap after it
LEAST_WIDTH = 24  # of what is wrapped


class Target(NamedTuple):
    """Where Enter leads: what belongs to the row of a list, or the connections that it counts."""

    listing: Listing
    key: int
    sockets: bool = False


@dataclass(frozen=True, slots=True)
class PaneRow:
    """A line; a chart's is drawn when it is looked at."""

    key: Hashable
    drawn: Line | Callable[[], Line]
    opens: Target | None = None

    @property
    def line(self) -> Line:
        return self.drawn if isinstance(self.drawn, tuple) else self.drawn()


class Pane(NamedTuple):
    """What is known of one thing, the most needed first."""

    title: str
    rows: list[PaneRow]


class Room(NamedTuple):
    """Cells that a pane has."""

    width: int
    height: int
    ascii_only: bool = False


class Scene(NamedTuple):
    """What a pane is made of; `selection` is of all sockets, or keys may be missing."""

    selection: Selection
    rings: Rings
    room: Room

    @property
    def snapshot(self) -> Snapshot:
        return self.selection.snapshot

    @property
    def table(self) -> SocketTable:
        return self.selection.snapshot.sample.sockets

    def series(self, kind: str, key: int, metric: str) -> Series:
        """What was recorded until the moment that is shown."""
        return self.rings.series(kind, key, metric).until(self.snapshot.sample.clock)


def place_of(listing: Listing, selection: Selection, key: int) -> int | None:
    """The place of a key's row in a list of the snapshot; None where it is not there."""
    rows = listing.rows(selection)
    found = rows[listing.keys(selection, rows) == np.uint64(key)]
    return int(found[0]) if len(found) else None


def heading(text: str, more: str = "") -> PaneRow:
    """The title of a part, and what is to be known of it."""
    return PaneRow(("heading", text), merge([(text, "good"), (f"  {more}" if more else "", "dim")]))


def opening(key: Hashable, line: Line, target: Target | None) -> PaneRow:
    """A row with the mark of those that can be opened, where it can be."""
    return PaneRow(key, merge([(MARK if target else " " * len(MARK), "good"), *line]), target)


def told(
    room: Room,
    name: str,
    value: str,
    meaning: str = "",
    style: str = "",
    opens: Target | None = None,
) -> PaneRow:
    """One line: `name  value  meaning`."""
    left = room.width - len(MARK) - NAME
    shown = cut(value, left)
    after = cut(meaning, max(0, left - len(shown) - 2)) if meaning else ""
    spans = [(name.ljust(NAME), "dim"), (shown, style), (f"  {after}" if after else "", "dim")]
    return opening(("told", name), tuple(spans), opens)


def wrapped(
    room: Room,
    name: str,
    text: str,
    style: str = "",
    opens: Target | None = None,
    most: int = 3,
    key: Hashable = None,
) -> list[PaneRow]:
    """As many lines as the text needs, `most` at most; all of them lead to the same place.

    `key` is what they open, or else their name: the text changes from look to look.
    """
    width = max(LEAST_WIDTH, room.width - len(MARK) - NAME)
    lines = textwrap.wrap(text, width, max_lines=most, placeholder=" …") or [""]
    rows = []
    for number, line in enumerate(lines):
        label = name.ljust(NAME) if not number else " " * NAME
        spans = ((label, "dim"), (line, style))
        rows.append(opening(("told", key or opens or name, number), spans, opens))
    return rows
