"""A pane: lines that are drawn already, some of which lead further, and facts beside each other."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from itertools import zip_longest

import numpy as np

from tcptop.analysis.findings.settings import DEFAULTS, FindingSettings
from tcptop.analysis.rings import Rings, Series
from tcptop.columns import Listing
from tcptop.columns.detail import Fact
from tcptop.model.cells import cell_width, cut, ljust, wrap
from tcptop.model.dataclass import dataclass
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.selection import Selection
from tcptop.model.snapshot import Snapshot
from tcptop.model.table import SocketTable
from tcptop.tui.widgets.layout import Cell, Line, TableColumn, merge, window

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
    """A line; a chart's is drawn when it is looked at. `copied` is what it is a part of, whole;
    empty: it is that itself."""

    key: Hashable
    drawn: Line | Callable[[], Line]
    opens: Target | None = None
    copied: str = ""

    @property
    def line(self) -> Line:
        return self.drawn if isinstance(self.drawn, tuple) else self.drawn()


class Pane(NamedTuple):
    """What is known of one thing, the most needed first."""

    title: str
    rows: list[PaneRow]


class Room(NamedTuple):
    """Cells that a pane has; `now` is what the moment that is shown is called."""

    width: int
    height: int
    ascii_only: bool = False
    now: str = "now"


class Scene(NamedTuple):
    """What a pane is made of; `selection` is of all sockets, or keys may be missing."""

    selection: Selection
    rings: Rings
    room: Room
    settings: FindingSettings = DEFAULTS

    @property
    def snapshot(self) -> Snapshot:
        return self.selection.snapshot

    @property
    def table(self) -> SocketTable:
        return self.selection.snapshot.sample.sockets

    def series(self, kind: str, key: int, metric: str) -> Series:
        """What was recorded until the moment that is shown."""
        return self.rings.series(kind, key, metric).until(self.snapshot.sample.clock)

    def several(self, kind: str, key: int, metrics: Sequence[str]) -> Series:
        """The same of several metrics: the values are (k, metrics)."""
        return self.rings.several(kind, key, metrics).until(self.snapshot.sample.clock)


def place_of(listing: Listing, selection: Selection, key: int) -> int | None:
    """The place of a key's row in a list of the snapshot; None where it is not there."""
    rows = listing.rows(selection)
    found = rows[listing.keys(selection, rows) == np.uint64(key)]
    return int(found[0]) if len(found) else None


def heading(text: str, more: str = "") -> PaneRow:
    """The title of a part, and what is to be known of it."""
    return PaneRow(("heading", text), merge([(text, "good"), (f"  {more}" if more else "", "dim")]))


def opening(key: Hashable, line: Line, target: Target | None, copied: str = "") -> PaneRow:
    """A row with the mark of those that can be opened, where it can be."""
    drawn = merge([(MARK if target else " " * len(MARK), "good"), *line])
    return PaneRow(key, drawn, target, copied)


def told(
    room: Room,
    name: str,
    value: str,
    meaning: str = "",
    style: str = "",
    opens: Target | None = None,
) -> PaneRow:
    """One line: `name  value  meaning`."""
    free = room.width - len(MARK) - NAME
    shown = cut(value, free)
    after = cut(meaning, max(0, free - cell_width(shown) - 2)) if meaning else ""
    spans = [(ljust(name, NAME), "dim"), (shown, style), (f"  {after}" if after else "", "dim")]
    copied = "  ".join(filter(None, (name, value, meaning)))
    return opening(("told", name), tuple(spans), opens, copied)


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
    lines = wrap(text, max(LEAST_WIDTH, room.width - len(MARK) - NAME), most) or [""]
    rows, copied = [], "  ".join(filter(None, (name, text)))
    for number, line in enumerate(lines):
        label = ljust(name, NAME) if not number else " " * NAME
        spans = ((label, "dim"), (line, style))
        rows.append(opening(("told", key or opens or name, number), spans, opens, copied))
    return rows


def whole(room: Room, name: str, value: str, meaning: str, style: str = "") -> list[PaneRow]:
    """`name  value  meaning`, in as many lines as it needs."""
    if cell_width(f"{value}  {meaning}") <= room.width - len(MARK) - NAME:
        return [told(room, name, value, meaning, style)]
    return wrapped(room, name, f"{value}: {meaning}", style)


class PaneModel:
    """Lines of their own; a key is that of a `PaneRow`."""

    def __init__(self, pane: Pane) -> None:
        self.pane = pane
        self._column = TableColumn("pane", pane.title, cell_width(pane.title), flex=True, least=1)

    @property
    def columns(self) -> Sequence[TableColumn]:
        return [self._column]

    def __len__(self) -> int:
        return len(self.pane.rows)

    def key(self, row: int) -> Hashable:
        return self.pane.rows[row].key

    def row_of(self, key: Hashable) -> int | None:
        return next((at for at, row in enumerate(self.pane.rows) if row.key == key), None)

    def line(self, row: int) -> Line:
        """As it is drawn; charts are drawn now."""
        return self.pane.rows[row].line

    def cells(self, row: int, columns: Sequence[TableColumn]) -> Sequence[Cell]:
        return ["".join(text for text, _ in self.line(row))]

    def style(self, row: int) -> str:
        return ""

    def copied(self, row: int) -> str:
        """All of what the line is a part of."""
        return self.pane.rows[row].copied or "".join(text for text, _ in self.line(row)).strip()

    def target(self, key: Hashable) -> Target | None:
        """Where Enter leads from a row; None where it leads nowhere."""
        row = self.row_of(key)
        return None if row is None else self.pane.rows[row].opens


# -- facts in as many columns as there is room for, each group of them in one piece


COLUMN = 59  # cells that a fact with its meaning wants; two fit beside the scroll bar at 120
GAP = 2
FACT_NAME, FACT_VALUE = 18, 15  # cells of both, and the gap after each
LEAST_MEANING = 16

FactGroup = tuple[str, Sequence[Fact]]


def columns(width: int) -> int:
    """How many things of the size of a fact have room beside each other."""
    return max(1, width // COLUMN)


def grid(room: Room, groups: Iterable[FactGroup]) -> list[PaneRow]:
    """Groups under their titles, each in the column that is the shortest so far."""
    number = columns(room.width)
    width = max((room.width - GAP * (number - 1)) // number, FACT_NAME + LEAST_MEANING)
    filled: list[list[Line]] = [[] for _ in range(number)]
    for title, facts in groups:
        if facts:
            shortest = min(filled, key=len)
            shortest += [*([((" ", ""),)] if shortest else []), *_group(title, facts, width)]
    lines = zip_longest(*filled, fillvalue=())
    return [PaneRow(("fact", at), beside(line, width)) for at, line in enumerate(lines)]


def beside(parts: Sequence[Line], width: int, gap: int = GAP) -> Line:
    """Lines one after the other, each in `width` cells."""
    padded = [window(part, 0, width, gap) for part in parts[:-1]]
    return tuple(span for part in (*padded, window(parts[-1], 0, width)) for span in part)


def _group(title: str, facts: Sequence[Fact], width: int) -> list[Line]:
    return [((title, "good"),), *(line for fact in facts for line in _lines(fact, width))]


def _lines(fact: Fact, width: int) -> list[Line]:
    """`name  value  meaning`; the meaning begins in the same place whatever the value is, so
    that nothing moves where numbers grow."""
    names = [(ljust(fact.name, FACT_NAME), "dim")]
    bodies = [*_bodies(fact, width - FACT_NAME)]
    return [
        (name, *body)
        for name, body in zip_longest(names, bodies, fillvalue=(" " * FACT_NAME, "dim"))
    ]


def _bodies(fact: Fact, width: int) -> Iterator[Line]:
    """Value and meaning beside each other, or below where there is no room for that."""
    if cell_width(fact.value) < FACT_VALUE and width - FACT_VALUE >= LEAST_MEANING:
        meanings = wrap(fact.meaning, width - FACT_VALUE) or [""]
        for value, meaning in zip_longest([fact.value], meanings, fillvalue=""):
            yield (ljust(value, FACT_VALUE), ""), (meaning, "dim")
        return
    for text, style in ((fact.value, ""), (fact.meaning, "dim")):
        yield from (((line, style),) for line in wrap(text, width))
