"""What the keys do now, for the last line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tcptop.columns import FINDINGS, PROCESSES, REMOTES, SOCKETS
from tcptop.model.named_tuple import NamedTuple
from tcptop.tui import keys
from tcptop.tui.keys import KeyHint
from tcptop.tui.place import CONTENTS
from tcptop.tui.session import Session


class Screenful(NamedTuple):
    """How the place is shown: as a picture ("overview", "states"), with all columns, with a cursor
    that follows its row."""

    picture: str = ""
    wide: bool = False
    follows: bool = False


def hints(session: Session, shown: Screenful) -> list[KeyHint]:
    """Those of the present place, the most needed first, each with what it does there."""
    now = _labels(session, shown)
    usual = _usual(session, shown.picture)
    if session.time.replayed and here_in_time(session):
        usual = [usual[0], *keys.TIME_HINTS, *(hint for hint in usual[1:] if hint != keys.PAUSE)]
    every = ((id, key, now.get(id, label)) for id, key, label in usual)
    return [hint for hint in every if hint[2]]


def here_in_time(session: Session) -> bool:
    """Whether the place shows a moment, and not a text."""
    return not session.here.help and session.here.page is None


def _usual(session: Session, picture: str) -> Sequence[KeyHint]:
    here = session.here
    if picture:
        return keys.OVERVIEW_HINTS if picture == "overview" else keys.STATE_HINTS
    if here.listing:
        return keys.LIST_HINTS
    if here.help:
        return keys.FACT_HINTS
    if here.page is not None:
        return keys.PAGE_HINTS if here.page != CONTENTS else keys.CONTENTS_HINTS
    if here.changes:
        return keys.CHANGES_HINTS
    if here.view == FINDINGS.name:
        return keys.FINDING_HINTS
    return keys.PANE_HINTS if session.has_pane else keys.FACT_HINTS


def _grouping(session: Session) -> str:
    choices, view = session.choices, session.here.view
    if view == REMOTES.name:
        return "by address" if choices.by_port else "by port"
    if view not in (PROCESSES.name, SOCKETS.name):
        return ""
    tree = choices.tree and view == SOCKETS.name
    if tree and choices.by_workload and session.several_namespaces:
        return "by netns"
    grouped = choices.by_workload and (tree or view == PROCESSES.name)
    return "by process" if grouped or (tree and choices.by_netns) else "by unit"


def _labels(session: Session, shown: Screenful) -> Mapping[str, str]:
    """Of the keys that do one thing now and another one later; empty for what they do not do."""
    choices, here = session.choices, session.here
    labels = {
        "tree": ("plain list" if choices.tree else "tree") if here.view == SOCKETS.name else "",
        "group": _grouping(session),
        "names": "names" if choices.names is None else "numbers",
        "wide": "fewer columns" if shown.wide else "all columns",
        "follow": "unfollow" if shown.follows else "follow",
    }
    if session.time.replayed:
        labels["pause"] = "pause" if session.time.moving else "play"
    elif session.time.held is not None:
        labels["pause"] = "live"
    if here.listing and session.shown is not None and not len(session.shown.model):
        labels |= {"into": "", "sort": "", "reverse": ""}  # there is no row
    if here.listing and not session.first:
        labels["close"] = "close"
    if session.first:
        labels["back"] = "clear filter" if session.typed.text else ""
    if here.help:
        labels["help"] = "close help"
    return labels
