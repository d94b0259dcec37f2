"""What the table and the lines say of a session, as plain functions."""

from __future__ import annotations

from tcptop.columns import units
from tcptop.tui import header, helping
from tcptop.tui.models import FactsModel, ListingModel
from tcptop.tui.session import Session
from tcptop.tui.viewing import listing
from tcptop.tui.widgets.layout import Line

ROOM_FOR_NOTES = 16  # rows of the terminal; the help has them too
FACT_TITLES = ("", "What", "Value", "Meaning")
HELP_TITLES = ("", "Keys", "", "What it does, or what the column means")
EMPTY = {
    "processes": "No process has a TCP socket here.",
    "sockets": "There is no TCP socket here.",
    "listeners": "Nobody listens on TCP here.",
    "ports": "No connection holds a port of the ephemeral range.",
    "remotes": "There is no connection to anywhere.",
    "kernel": "The kernel's counters cannot be read.",
}


def model(session: Session, width: int) -> ListingModel | FactsModel | None:
    """What the table shows in rows of `width` cells; None before the first look."""
    here = session.here
    if here.help:
        return FactsModel(helping.facts(listing(here.view), notes(session)), HELP_TITLES, width)
    if here.item is not None:
        return FactsModel(session.watch(here.item), FACT_TITLES, width)
    shown = session.shown
    return shown.model if shown is not None else None


def mark(session: Session) -> tuple[str | None, bool]:
    """The column that a list is sorted by, and whether its largest value is on top."""
    if not session.here.listing:
        return None, False
    sort = session.sort
    return sort.key, listing(session.here.view).column(sort.key).largest_first != sort.reverse


def empty(session: Session) -> str:
    """Why there are no rows, and what to do."""
    if len(session.trail.places) > 1:
        return "Nothing is left of it. Esc goes back."
    if session.typed.text:
        return "Nothing here passes the filter. Esc clears it, / changes it."
    if session.fixed.text:
        return "Nothing here passes the filter of the command line."
    return EMPTY[session.here.view]


def notes(session: Session) -> tuple[str, ...]:
    """What the look that is shown could not see."""
    return session.snapshot.sample.notes if session.snapshot is not None else ()


def remark(session: Session, failed: str, width: int, height: int) -> Line | None:
    """What has to be known of the picture: it is old, or not complete."""
    if failed:
        return header.remark(failed, "bad", width)
    gone = session.gone_s
    if gone is not None:
        text = f"this is gone for {units.duration(gone)}; what was known last is shown"
        return header.remark(text, "warn", width)
    noted = " ".join(notes(session)) if height >= ROOM_FOR_NOTES else ""
    return header.remark(f"note: {noted}", "dim", width) if noted else None
