"""The TCP state machine as a picture, with live counts and what moves along its arrows.

         ┌───────( CLOSED )───────┐
listen() │                        │ connect() 4.0/s
         ▼                        ▼
   [ LISTEN 14 ]           [ SYN-SENT 2 ]
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from tcptop.analysis.transitions import CLOSED, Arrow, Flow
from tcptop.columns import states, units
from tcptop.model import tcp
from tcptop.tui.widgets.layout import Line, merge

WIDTH, HEIGHT = 77, 18


class Box(NamedTuple):
    """A state: its row, and the column of its middle."""

    y: int
    x: int


BOXES: Mapping[int, Box] = {
    tcp.CLOSE: Box(0, 34),
    tcp.LISTEN: Box(3, 25),
    tcp.SYN_SENT: Box(3, 50),
    tcp.SYN_RECV: Box(6, 25),
    tcp.ESTABLISHED: Box(8, 37),
    tcp.FIN_WAIT1: Box(11, 25),
    tcp.CLOSE_WAIT: Box(11, 57),
    tcp.FIN_WAIT2: Box(14, 18),
    tcp.CLOSING: Box(14, 37),
    tcp.LAST_ACK: Box(14, 57),
    tcp.TIME_WAIT: Box(17, 25),
}
ORDER = tuple(sorted(BOXES, key=lambda state: BOXES[state]))

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


def remark(flow: Flow | None) -> str:
    """What the arrows do not show: sockets whose way was too quick to see."""
    if flow is None:
        return "rates need a second look"
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

    def box(self, state: int, box: Box, count: int, chosen: bool) -> None:
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
