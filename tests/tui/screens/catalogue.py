"""Which screens there are, how one comes to each, and in which sizes each is drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tcptop.model.sample import NO_OWNERS, Kernel, Sample
from tcptop.model.table import EMPTY
from tests.recordings import load, settings

Size = tuple[int, int]
SMALL, USUAL, LARGE, TINY = (80, 24), (120, 40), (200, 60), (40, 10)
LEAST = (60, 15)  # for the overview
ALL = (SMALL, USUAL, LARGE)

Step = Sample | Exception


@dataclass(frozen=True)
class Screen:
    """`keys` lead there from the processes, `undo` takes back what Escape does not."""

    name: str
    keys: str
    undo: str = ""


@dataclass(frozen=True)
class Walk:
    """Screens that one app shows after another, on the last of its looks.

    `settings` are those of the app; `colour` is what the terminal has of it.
    """

    name: str
    steps: Sequence[Step]
    screens: Sequence[Screen]
    sizes: Sequence[Size] = ALL
    settings: Mapping[str, Any] = field(default_factory=dict)
    colour: bool = True


def recorded(name: str, last: Step | None = None) -> tuple[Step, ...]:
    return load(name) if last is None else (*load(name), last)


def after(name: str, **fields: Any) -> Sample:
    """A look a second after the last one, with some of it changed."""
    last = load(name)[-1]
    moved = {"taken_at": last.taken_at + 1, "clock": last.clock + 1}
    return replace(last, **moved | fields)


class Names:
    """Knows two hosts and a service."""

    def __init__(self, learnt: object) -> None:
        """Learns nothing more."""

    def name(self, address: str) -> str | None:
        return {"10.78.0.1": "shop-1.example", "10.78.0.2": "db-1.example"}.get(address)

    def service(self, port: int) -> str | None:
        return {5432: "postgresql", 3306: "mysql"}.get(port)

    def close(self) -> None:
        """Nothing is open."""


def some(screens: Sequence[Screen], *names: str) -> tuple[Screen, ...]:
    return tuple(each for each in screens if each.name in names)


VIEWS = (
    Screen("overview", "0"),
    Screen("processes", "1"),
    Screen("connections", "2"),
    Screen("listeners", "3"),
    Screen("ports", "4"),
    Screen("remotes", "5"),
    Screen("kernel", "6"),
    Screen("findings", "7"),
    Screen("states", "8"),
)
PANES = (
    Screen("host-number", "0" + " down" * 8 + " enter"),
    Screen("process", "1 enter"),
    Screen("process-queues", "1 down enter"),
    Screen("connection", "2 enter"),
    Screen("connection-end", "2 enter end"),
    Screen("listener", "3 enter"),
    Screen("port", "4 enter"),
    Screen("remote", "5 enter"),
    Screen("counter", "6 enter"),
    Screen("finding", "7 enter"),
    Screen("finding-sockets", "7 enter enter"),
    Screen("state-sockets", "8 enter"),
)
TEXTS = (
    Screen("explain-finding", "7 x"),
    Screen("explain-state", "8 x"),
    Screen("pages", "X"),
    Screen("help", "2 question_mark"),
    Screen("help-end", "2 question_mark end"),
)
TYPING = (
    Screen("filter-empty", "2 slash"),
    Screen("filter-good", "2 slash s t a t e space e s t a b l i s h e d"),
    Screen("filter-wrong", "2 slash f o o space equals_sign space 3"),
    Screen("filter-choices", "2 slash s t a t e space s y n minus tab"),
    Screen("filtered", "2 slash d p o r t space equals_sign space 5 4 3 2 enter"),
    Screen("filtered-out", "2 slash s p o r t space equals_sign space 1 enter"),
    Screen("palette", "2 colon"),
    Screen("palette-typed", "2 colon s o r t"),
    Screen("palette-nothing", "2 colon z z z z"),
    Screen("find", "2 ctrl+f 3 3 0 6"),
    Screen("found", "2 ctrl+f 3 3 0 6 enter"),
    Screen("columns", "2 o"),
    Screen("columns-hidden", "2 o down space", "o r escape"),
)  # fmt: skip
ARRANGED = (
    Screen("sorted", "2 s s S", "S less_than_sign less_than_sign"),
    Screen("wide", "2 w shift+right shift+right shift+right", "w"),
    Screen("tree", "2 t", "t"),
    Screen("tree-folded", "2 t enter", "enter t"),
    Screen("by-port", "5 a", "a"),
)
MOMENTS = (
    Screen("paused", "7 space", "space"),
    Screen("past", "2 left_square_bracket left_square_bracket left_square_bracket", "space"),
    Screen("past-pane", "3 enter left_square_bracket left_square_bracket", "space"),
    Screen("changes-oldest", "D"),
    Screen("marked", "left_square_bracket left_square_bracket m space m"),
    Screen("changes-nothing", "m D"),
)
CHURNED = (
    *some(VIEWS, "overview", "connections", "remotes", "kernel", "states"),
    *some(PANES, "process", "connection", "listener", "port"),
    *some(MOMENTS, "changes-oldest"),
    Screen("before-it", "2 enter left_curly_bracket", "space"),
)
NAMED = (Screen("connections", "2 d"), Screen("ports", "4"), Screen("remotes", "5"))
BARE = {"sockets": EMPTY, "bound": EMPTY, "owners": NO_OWNERS, "options": {}, "routes": {}}
FEW = (
    *some(VIEWS, "overview", "processes", "connections", "listeners", "findings", "states"),
    *some(PANES, "process", "connection", "listener", "finding"),
    *some(TEXTS, "explain-finding"),
    *some(TYPING, "filter-wrong", "palette", "columns"),
)
COLOURFUL = (*some(VIEWS, "overview", "findings"), *some(PANES, "process"))
TOUR = {"findings": settings("tour")}
CHURN = {"findings": settings("churn")}

NOTED = after("quiet", notes=("2 other namespaces have sockets",))
FAILED = OSError(5, "Input/output error")

WALKS = (
    Walk("tour", recorded("tour"), (*VIEWS, *PANES, *TEXTS), ALL, TOUR),
    *(Walk(name, recorded(name), VIEWS[:1], (LEAST,)) for name in ("tour", "churn", "quiet")),
    Walk("typed", recorded("tour"), TYPING, (SMALL, USUAL), TOUR),
    Walk("typed", recorded("tour"), some(TYPING, "palette", "columns"), (LARGE,), TOUR),
    Walk("arranged", recorded("tour"), (*ARRANGED, *MOMENTS), (SMALL, USUAL), TOUR),
    Walk("churn", recorded("churn"), CHURNED, ALL, CHURN),
    Walk("quiet", recorded("quiet"), (*VIEWS[1:2], *COLOURFUL), (SMALL, USUAL)),
    Walk("nothing", (after("quiet", **BARE),), VIEWS, (SMALL,)),
    Walk("noted", recorded("quiet", NOTED), some(VIEWS + TEXTS, "processes", "help"), (SMALL,)),
    Walk("failing", recorded("tour", FAILED), some(VIEWS, "connections"), (SMALL,), TOUR),
    Walk("unread", (after("quiet", kernel=(Kernel(0),)),), some(VIEWS, "kernel"), (SMALL,)),
    Walk("named", recorded("tour"), NAMED, (USUAL,), {**TOUR, "open_names": Names}),
    Walk("tiny", recorded("tour"), (*FEW, *some(MOMENTS, "paused", "past")), (TINY,), TOUR),
    Walk("ascii", recorded("tour"), FEW, (SMALL,), {**TOUR, "ascii_only": True}),
    Walk("no-colour", recorded("tour"), FEW, (SMALL,), TOUR, colour=False),
    *(
        Walk(f"theme-{name}", recorded("tour"), COLOURFUL, (SMALL,), {**TOUR, "theme": name})
        for name in ("dark", "light", "contrast", "solarized")
    ),
)
