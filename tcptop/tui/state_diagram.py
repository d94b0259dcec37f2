"""The TCP state machine as a picture, with live counts and what moves along its arrows, and what is
known of the chosen state. Below 77 columns the states are a list.

         ┌───────( CLOSED )───────┐
listen() │                        │ connect() 4.0/s
         ▼                        ▼
   [ LISTEN 14 ]           [ SYN-SENT 2 ]
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from tcptop.analysis.recorded import STATES
from tcptop.analysis.rings import HOST, Rings
from tcptop.analysis.transitions import CLOSED, Arrow, Flow, flow
from tcptop.columns import processes, states, units
from tcptop.columns.detail import STATE_MEANINGS
from tcptop.model import tcp
from tcptop.model.cells import cell_width, cut, ljust, rjust, wrap
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.selection import Selection
from tcptop.tui import chart
from tcptop.tui.panes.rows import Room
from tcptop.tui.widgets.layout import Line, merge, window

WIDTH, HEIGHT = 77, 18  # of the picture
LEAST = (WIDTH, 16)  # columns and rows of the terminal; with fewer there is a list
BESIDE = 36  # columns that the words beside the picture need
GAP = 3
FIRST = 53  # cells of the first line of the picture
MOST = 8  # processes named


def lines(selection: Selection, chosen: int, rings: Rings, room: Room) -> list[Line]:
    """The picture, beside it who is in the chosen state, below it how many were, if there is room.

    `room` is that of the widget.
    """
    width = room.width
    rates = _flow(selection)
    drawn = picture(states.counts(selection).tolist(), rates, chosen)
    drawn = _remarked(drawn, _remark(selection, rates), width)
    beside = width - WIDTH - GAP
    if beside >= BESIDE:
        drawn = _beside(drawn, _words(selection, chosen, beside))
    room = room._replace(width=width - 1, height=room.height - len(drawn) - 1)
    if room.height < chart.LEAST_HEIGHT:
        return drawn
    return [*drawn, (), *_chart(selection, chosen, rings, room)]


def _remarked(drawn: list[Line], remark: str, width: int) -> list[Line]:
    """With the remark behind the first line, where that has room for it, or below the last."""
    if cell_width(remark) <= WIDTH - FIRST:
        first, *others = drawn
        return [(*window(first, 0, FIRST), (ljust(remark, WIDTH - FIRST), "dim")), *others]
    return [*drawn, ((cut(f" {remark}", width), "dim"),)]


def _flow(selection: Selection) -> Flow | None:
    snapshot = selection.snapshot
    clock = snapshot.trend.clock
    return flow(snapshot.changes, float(clock[-1] - clock[-2])) if len(clock) > 1 else None


def _remark(selection: Selection, rates: Flow | None) -> str:
    whole = "rates count all sockets" if selection.filter and rates is not None else ""
    return "; ".join(filter(None, (whole, unseen(rates))))


def _beside(drawn: Sequence[Line], words: Sequence[Line]) -> list[Line]:
    gap = ((" " * GAP, ""),)
    padded = [window(line, 0, WIDTH) for line in drawn]
    right = [*words, *[()] * len(drawn)]
    return [(*line, *gap, *more) for line, more in zip(padded, right, strict=False)]


def _words(selection: Selection, chosen: int, width: int) -> list[Line]:
    """What the state means, and the processes with most sockets in it."""
    count = int(states.counts(selection)[chosen])
    name = tcp.SS_STATES[chosen]
    told: list[Line] = [((f"{name} {count:,}", "good"),)]
    told += [((line, ""),) for line in wrap(STATE_MEANINGS[chosen], width)]
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
    return ((rjust(number, 7), ""), (cut(f"  {name}", width - 7), ""))


def _chart(selection: Selection, chosen: int, rings: Rings, room: Room) -> list[Line]:
    until = selection.snapshot.sample.clock
    series = rings.series("host", HOST, STATES[chosen - 1]).until(until)
    title = f"{tcp.SS_STATES[chosen]}, all sockets" if selection.filter else tcp.SS_STATES[chosen]
    width, height, ascii_only, now = room
    size, of = (width, height), [("", series)]
    return chart.chart(of, size, title, units.count, ascii_only=ascii_only, now=now)


# -- the picture


class StateBox(NamedTuple):
    """A state: its row, and the column of its middle."""

    y: int
    x: int


BOXES: Mapping[int, StateBox] = {
    tcp.CLOSE: StateBox(0, 34),
    tcp.LISTEN: StateBox(3, 25),
    tcp.SYN_SENT: StateBox(3, 50),
    tcp.SYN_RECV: StateBox(6, 25),
    tcp.ESTABLISHED: StateBox(8, 37),
    tcp.FIN_WAIT1: StateBox(11, 25),
    tcp.CLOSE_WAIT: StateBox(11, 57),
    tcp.FIN_WAIT2: StateBox(14, 18),
    tcp.CLOSING: StateBox(14, 37),
    tcp.LAST_ACK: StateBox(14, 57),
    tcp.TIME_WAIT: StateBox(17, 25),
}

LINES = """\
                         ┌────────────────────────┐
                         │                        │
                         ▼                        ▼

                         │                        │
                         ▼                        │
                                                  │
                         └───────────┐ ┌──────────┘

                         ┌───────────┘ └─────────────────┐
                         ▼                               ▼

                  ┌──────┴───────────┐                   │
                  ▼                  ▼                   ▼

                  │                  │                   │
                  └──────┬───────────┘                   ▼
                                                    ( CLOSED )
"""


class Label(NamedTuple):
    """Words on an arrow, left of column `x` where `before`, else right of it."""

    arrow: Arrow
    y: int
    x: int
    words: str
    before: bool = False


LABELS = (
    Label(Arrow(CLOSED, tcp.LISTEN), 1, 24, "listen()", True),
    Label(Arrow(CLOSED, tcp.SYN_SENT), 1, 52, "connect()"),
    Label(Arrow(tcp.LISTEN, tcp.SYN_RECV), 4, 24, "SYN came", True),
    Label(Arrow(tcp.SYN_SENT, tcp.ESTABLISHED), 6, 52, "SYN-ACK came"),
    Label(Arrow(tcp.SYN_RECV, tcp.ESTABLISHED), 7, 24, "ACK came", True),
    Label(Arrow(tcp.ESTABLISHED, tcp.FIN_WAIT1), 9, 24, "close()", True),
    Label(Arrow(tcp.ESTABLISHED, tcp.CLOSE_WAIT), 9, 59, "FIN came"),
    Label(Arrow(tcp.FIN_WAIT1, tcp.FIN_WAIT2), 12, 17, "ACK came", True),
    Label(Arrow(tcp.FIN_WAIT1, tcp.CLOSING), 13, 39, "FIN came"),
    Label(Arrow(tcp.CLOSE_WAIT, tcp.LAST_ACK), 12, 59, "close()"),
    Label(Arrow(tcp.FIN_WAIT2, tcp.TIME_WAIT), 15, 17, "FIN came", True),
    Label(Arrow(tcp.CLOSING, tcp.TIME_WAIT), 15, 39, "ACK came"),
    Label(Arrow(tcp.LAST_ACK, CLOSED), 15, 59, "ACK came"),
    Label(Arrow(tcp.TIME_WAIT, CLOSED), 17, 37, "60 s"),
)


def picture(counts: Sequence[int], flow: Flow | None, chosen: int) -> list[Line]:
    """HEIGHT lines of at most WIDTH cells; `flow` None: one style knows no rates."""
    canvas = Canvas(LINES.splitlines())
    for label in LABELS:
        canvas.label(label, flow)
    for state, box in BOXES.items():
        canvas.box(state, box, counts[state], chosen == state)
    return canvas.lines()


def unseen(flow: Flow | None) -> str:
    """What the arrows do not show: sockets whose way was too quick to see."""
    if flow is None:
        return "rates need a second sample"
    words = [f"{_rate(flow.appeared, state)} opened" for state in flow.appeared]
    words += [f"{_rate(flow.vanished, state)} vanished" for state in flow.vanished]
    return "too quick for the arrows: " + ", ".join(words) if words else ""


def _rate(rates: Mapping[int, float], state: int) -> str:
    return f"{tcp.SS_STATES[state]} {units.rate(rates[state])}/s"


def neighbour(state: int, dx: int, dy: int) -> int:
    """The state that an arrow key leads to; the same one at the edge."""
    here = BOXES[state]
    there = [
        (abs(box.y - here.y) * 4 + abs(box.x - here.x), other)
        for other, box in BOXES.items()
        if other != state
        and (box.y - here.y) * dy >= abs(dy)
        and (box.x - here.x) * dx >= abs(dx)
        and (dy or abs(box.y - here.y) <= 3)
    ]
    return min(there)[1] if there else state


def state_at(x: int, y: int) -> int | None:
    """The state drawn at a cell."""
    near = [s for s, box in BOXES.items() if box.y == y and abs(box.x - x) <= 10]
    return min(near, key=lambda s: abs(BOXES[s].x - x)) if near else None


class Canvas:
    """Cells with a style each."""

    def __init__(self, lines: Sequence[str]) -> None:
        padded = [*lines, *[""] * (HEIGHT - len(lines))]
        self._cells = [[(c, "dim") for c in line.ljust(WIDTH)] for line in padded]

    def put(self, x: int, y: int, text: str, style: str) -> None:
        for at, character in enumerate(text, max(x, 0)):
            if at < WIDTH:
                self._cells[y][at] = (character, style)

    def label(self, label: Label, flow: Flow | None) -> None:
        rate = flow.arrows[label.arrow] if flow is not None else 0.0
        moving = f" {units.rate(rate)}/s" if rate else ""
        start = label.x - len(label.words + moving) if label.before else label.x
        self.put(start, label.y, label.words, "dim")
        self.put(start + len(label.words), label.y, moving, "good")

    def box(self, state: int, box: StateBox, count: int, chosen: bool) -> None:
        text = f"[ {tcp.SS_STATES[state]} {count:,} ]"
        if state == tcp.CLOSE:  # rows of it are rare; as a state it is the beginning and the end
            text = f"( CLOSED {count:,} )" if count else "( CLOSED )"
        style = states.style(state, count)
        self.put(
            box.x - len(text) // 2, box.y, text, f"cursor {style}".strip() if chosen else style
        )

    def lines(self) -> list[Line]:
        # The style that a line ends with is that of the blanks after it.
        return [(*merge(_trimmed(row)), ("", "")) for row in self._cells]


def _trimmed(row: list[tuple[str, str]]) -> list[tuple[str, str]]:
    end = len(row)
    while end and row[end - 1][0] == " ":
        end -= 1
    return row[:end]
