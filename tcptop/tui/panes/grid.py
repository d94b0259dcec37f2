"""Facts in as many columns as there is room for, each group of them in one piece."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest

from tcptop.columns.detail import Fact
from tcptop.tui.panes.row import PaneRow, Room
from tcptop.tui.widgets.layout import Line, window

COLUMN = 59  # cells that a fact with its meaning wants; two fit beside the scroll bar at 120
GAP = 2
NAME, VALUE = 18, 15  # cells of both, and the gap after each
LEAST_MEANING = 16

FactGroup = tuple[str, Sequence[Fact]]


def columns(width: int) -> int:
    """How many things of the size of a fact have room beside each other."""
    return max(1, width // COLUMN)


def grid(room: Room, groups: Iterable[FactGroup]) -> list[PaneRow]:
    """Groups under their titles, each in the column that is the shortest so far."""
    number = columns(room.width)
    width = max((room.width - GAP * (number - 1)) // number, NAME + LEAST_MEANING)
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
    names = [(fact.name.ljust(NAME), "dim")]
    bodies = [*_bodies(fact, width - NAME)]
    return [
        (name, *body) for name, body in zip_longest(names, bodies, fillvalue=(" " * NAME, "dim"))
    ]


def _bodies(fact: Fact, width: int) -> Iterator[Line]:
    """Value and meaning beside each other, or below where there is no room for that."""
    if len(fact.value) < VALUE and width - VALUE >= LEAST_MEANING:
        meanings = textwrap.wrap(fact.meaning, width - VALUE) or [""]
        for value, meaning in zip_longest([fact.value], meanings, fillvalue=""):
            yield (value.ljust(VALUE), ""), (meaning, "dim")
        return
    for text, style in ((fact.value, ""), (fact.meaning, "dim")):
        yield from (((line, style),) for line in textwrap.wrap(text, width))
