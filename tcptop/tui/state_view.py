"""The view of the states: the picture of the state machine, and what is known of the chosen one.

Below 77 columns the states are a list.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import numpy as np

from tcptop.analysis.recorded import STATES
from tcptop.analysis.rings import HOST, Rings
from tcptop.analysis.transitions import Flow, flow
from tcptop.columns import processes, states, units
from tcptop.columns.detail import STATE_MEANINGS
from tcptop.model import tcp
from tcptop.model.selection import Selection
from tcptop.tui import charts, machine
from tcptop.tui.widgets.layout import Line, cut, window

LEAST = (machine.WIDTH, 16)  # columns and rows of the terminal; with fewer there is a list
BESIDE = 36  # columns that the words beside the picture need
GAP = 3
FIRST = 53  # cells of the first line of the picture
MOST = 8  # processes named


def lines(
    selection: Selection, chosen: int, rings: Rings, size: tuple[int, int], ascii_only: bool
) -> list[Line]:
    """The picture, beside it who is in the chosen state, below it how many were, if there is room.

    `size` is that of the widget.
    """
    width, height = size
    rates = _flow(selection)
    drawn = machine.picture(states.counts(selection).tolist(), rates, chosen)
    drawn = _remarked(drawn, _remark(selection, rates), width)
    beside = width - machine.WIDTH - GAP
    if beside >= BESIDE:
        drawn = _beside(drawn, _words(selection, chosen, beside))
    room = height - len(drawn) - 1
    if room < charts.LEAST_HEIGHT:
        return drawn
    return [*drawn, (), *_chart(selection, chosen, rings, (width - 1, room), ascii_only)]


def _remarked(drawn: list[Line], remark: str, width: int) -> list[Line]:
    """With the remark behind the first line, where that has room for it, or below the last."""
    if len(remark) <= machine.WIDTH - FIRST:
        first, *others = drawn
        return [(*window(first, 0, FIRST), (remark.ljust(machine.WIDTH - FIRST), "dim")), *others]
    return [*drawn, ((cut(f" {remark}", width), "dim"),)]


def _flow(selection: Selection) -> Flow | None:
    snapshot = selection.snapshot
    clock = snapshot.trend.clock
    return flow(snapshot.changes, float(clock[-1] - clock[-2])) if len(clock) > 1 else None


def _remark(selection: Selection, rates: Flow | None) -> str:
    unseen = machine.remark(rates)
    whole = "rates count all sockets" if selection.filter and rates is not None else ""
    return "; ".join(filter(None, (whole, unseen)))


def _beside(drawn: Sequence[Line], words: Sequence[Line]) -> list[Line]:
    gap = ((" " * GAP, ""),)
    padded = [window(line, 0, machine.WIDTH) for line in drawn]
    right = [*words, *[()] * len(drawn)]
    return [(*line, *gap, *more) for line, more in zip(padded, right, strict=False)]


def _words(selection: Selection, chosen: int, width: int) -> list[Line]:
    """What the state means, and the processes with most sockets in it."""
    count = int(states.counts(selection)[chosen])
    name = tcp.SS_STATES[chosen]
    told: list[Line] = [((f"{name} {count:,}", "good"),)]
    told += [((line, ""),) for line in textwrap.wrap(STATE_MEANINGS[chosen], width)]
    told += [(("Enter lists them, x explains", "dim"),)]
    owners = _owners(selection, chosen)
    if owners:
        told += [(), (("by process", "good"),), *(_owner(*each, width) for each in owners)]
    return told


def _owners(selection: Selection, chosen: int) -> list[tuple[str, int]]:
    """Who has most sockets in the state, and how many."""
    found = selection.processes.by_state[:, chosen]
    rows = [row for row in np.argsort(-found, kind="stable")[:MOST].tolist() if found[row]]
    return [(_name(selection, row), int(found[row])) for row in rows]


def _name(selection: Selection, row: int) -> str:
    process = processes.process(selection, row)
    name = processes.name(selection, row)
    return f"{name}/{process.pid}" if process else name


def _owner(name: str, count: int, width: int) -> Line:
    number = units.count(count)
    return ((number.rjust(7), ""), (cut(f"  {name}", width - 7), ""))


def _chart(
    selection: Selection, chosen: int, rings: Rings, size: tuple[int, int], ascii_only: bool
) -> list[Line]:
    until = selection.snapshot.sample.clock
    series = rings.series("host", HOST, STATES[chosen - 1]).until(until)
    title = f"{tcp.SS_STATES[chosen]}, all sockets" if selection.filter else tcp.SS_STATES[chosen]
    return charts.chart([("", series)], size, title, units.count, ascii_only=ascii_only)
