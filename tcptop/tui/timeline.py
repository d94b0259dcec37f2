"""The timeline along the bottom of a replay: how many sockets there were, and when findings were.

13:02:10  sockets  ▁▁▂▂▃▃▅▅▇▇███▇▇▅▅▃▃▁▁▁▁▁▁▁  13:12:10
          findings     ···!!!!!!!!!···         read 42%

A mark in the place of a bar: before one of its samples there is none for a while, the host was
booted, or its clock was set. On the right is said which, of what is shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from tcptop.analysis.finding_marks import RANKS
from tcptop.analysis.findings.words import clock_time, day
from tcptop.columns import states, units
from tcptop.columns.marks import SIGNS, STYLES
from tcptop.model import tcp
from tcptop.model.archive import SampleIndex
from tcptop.model.breaks import BreakKind
from tcptop.model.cells import ljust
from tcptop.model.table import I64, Index
from tcptop.tui.widgets.layout import Line

if TYPE_CHECKING:
    from tcptop.tui.player import Player

LEAST_ROWS, ROOMY_ROWS = 16, 34  # of the terminal: for a timeline, and for one with states
LEAST_WIDTH = 40
LABEL = 13  # cells on the left; on the right as many
STATES = 3  # that have a row of their own, where there is room
SEVERITIES = {rank: severity for severity, rank in RANKS.items()}
UNREAD, NONE = "·", " "
BROKEN = {BreakKind.NONE: "", BreakKind.SET: "~", BreakKind.GAP: "|", BreakKind.BOOT: "B"}


def lines(player: Player, width: int, height: int) -> Sequence[Line]:
    """Two of them, or more where there is room; none on a small screen."""
    index = player.index
    room = width - 2 * LABEL
    if height < LEAST_ROWS or width < LEAST_WIDTH or not len(index):
        return []
    cells = np.arange(room + 1) * len(index) // room  # of each cell the first sample; and the end
    here = int(np.searchsorted(cells, player.place, "right")) - 1
    counted = [("sockets", index.by_state.sum(axis=1))]
    if height >= ROOMY_ROWS:
        counted += [(tcp.SS_STATES[s], index.by_state[:, s]) for s in _liveliest(index)]
    made = [_row(name, _blocks(values, cells), here, "", "") for name, values in counted]
    found, styles = _findings(player, cells)
    said = _broken(player) or ("" if player.scanned else f"read {_percent(player)}%")
    begin, end = _ends(index)
    bars, looks = _marked(_blocks(counted[0][1], cells), player, cells)
    made[0] = _row("sockets", bars, here, looks, end)
    made.append(_row(begin, found, here, styles, f" {said}"))
    return made


def _ends(index: SampleIndex) -> tuple[str, str]:
    """When it begins and ends, with the days where these are two."""
    begin, end = (float(index.taken_at[at]) for at in (0, -1))
    if day(begin) == day(end):
        return clock_time(begin), f" to {clock_time(end)}"
    return f"{day(begin)} {clock_time(begin)[:5]}", f" {day(end)} {clock_time(end)[:5]}"


def _marked(bars: str, player: Player, cells: Index) -> tuple[str, list[str]]:
    """Bars with the worst break of each cell in the place of it, and their looks."""
    kinds = [BreakKind(each) for each in _most(player.breaks.kind, cells).tolist()]
    pairs = zip(bars, kinds, strict=True)
    return "".join(BROKEN[kind] or bar for bar, kind in pairs), [
        BROKEN[k] and "warn" for k in kinds
    ]


def _broken(player: Player) -> str:
    """What is between the sample that is shown and the one before it."""
    kind, by_s = (column[player.place] for column in player.breaks)
    if kind == BreakKind.BOOT:
        return "booted"
    if kind == BreakKind.GAP:
        return f"gap {units.duration(float(by_s))}"
    return f"set {'+' if by_s > 0 else '-'}{units.duration(abs(float(by_s)))}" if kind else ""


def _most(values: I64, cells: Index) -> I64:
    """The most of each cell, which has one sample at least."""
    starts = np.minimum(cells[:-1], len(values) - 1)
    ends = np.maximum(cells[1:], starts + 1)
    bounds = np.stack([starts, ends], 1).ravel()  # what is between two cells is left out
    most: I64 = np.maximum.reduceat(np.append(values, 0), bounds)[::2]
    return most


def _row(label: str, cells: str, here: int, styles: Sequence[str], after: str) -> Line:
    """With the cell of what is shown in the looks of a cursor."""
    spans = [(f" {ljust(label, LABEL - 1)}", "dim")]
    for at, cell in enumerate(cells):
        style = "cursor" if at == here else (styles[at] if styles else "")
        if len(spans) > 1 and spans[-1][1] == style:
            spans[-1] = (spans[-1][0] + cell, style)
        else:
            spans.append((cell, style))
    return (*spans, (ljust(after, LABEL), "dim"))


def _blocks(values: I64, cells: Index) -> str:
    """The most of each cell, as bars up to the largest."""
    most = _most(values, cells)
    bars = units.spark(most.astype(np.float64), len(most))
    return ljust(bars, len(most))


def _liveliest(index: SampleIndex) -> list[int]:
    """The states whose numbers move most."""
    move = index.by_state.max(axis=0) - index.by_state.min(axis=0)
    order = sorted(states.ORDER, key=lambda state: -int(move[state]))
    return [state for state in order[:STATES] if index.by_state[:, state].any()]


def _findings(player: Player, cells: Index) -> tuple[str, list[str]]:
    """Of each cell the sign of the worst, and its look."""
    index, marks = player.index, player.marks
    many = min(len(marks.numbers), len(marks.worst))
    worst = np.full(len(index) + 1, -1)
    places = np.searchsorted(index.number, np.array(marks.numbers[:many], np.int64))
    worst[np.minimum(places, len(index))] = marks.worst[:many]
    most = _most(worst[:-1], cells).tolist()
    signs = {-1: UNREAD, 0: NONE} | {rank: SIGNS[SEVERITIES[rank]][0] for rank in SEVERITIES}
    looks = {-1: "dim", 0: ""} | {rank: STYLES[SEVERITIES[rank]] for rank in SEVERITIES}
    return "".join(signs[each] for each in most), [looks[each] for each in most]


def _percent(player: Player) -> int:
    many = len(player.index)
    read = int(np.searchsorted(player.index.number, player.marks.until, "right"))
    return min(99, 100 * read // many)
