"""What the table and the lines say of a session, as plain functions."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping

from tcptop.analysis.findings import silence
from tcptop.analysis.findings.rules import RULES
from tcptop.analysis.findings.words import clock_time
from tcptop.columns import FINDINGS
from tcptop.columns.units import coarse_age
from tcptop.explain import page
from tcptop.tui import header, helping, pages
from tcptop.tui.models import FactsModel
from tcptop.tui.pages import PageModel
from tcptop.tui.place import CONTENTS
from tcptop.tui.session import Session
from tcptop.tui.widgets.layout import Line
from tcptop.tui.widgets.model import TableModel

ROOM_FOR_NOTES = 16  # rows of the terminal; the help has them too
FACT_TITLES = ("", "What", "Value", "Meaning")
HELP_TITLES = ("", "Keys", "", "What it does, or what the column means")
FINDING_TITLES = ("", "What", "", "How it is")
PAGE_TITLES = ("", "Page", "", "What it is about")


def model(session: Session, width: int, keys: Mapping[str, str]) -> TableModel | None:
    """What the table shows in rows of `width` cells; None before the first sample.

    `keys` are those that the user bound anew, by the ids of the bindings.
    """
    here = session.here
    if here.help:
        told = helping.facts(session.listing, notes(session), keys)
        return FactsModel(told, HELP_TITLES, width)
    if here.page is not None:
        return _page(here.page, width)
    if here.changes:
        return session.changes
    if here.item is not None and here.view == FINDINGS.name:
        return FactsModel(session.watch(here.item), FINDING_TITLES, width, "")
    if here.item is not None:
        return FactsModel(session.watch(here.item), FACT_TITLES, width)
    shown = session.shown
    if shown is None:
        return None
    shown.model.name(session.names)
    shown.model.arrange(session.arrangements.get(here.view))
    return shown.model


def _page(name: str, width: int) -> FactsModel | PageModel:
    found = page(name) if name != CONTENTS else None
    return PageModel(found, width) if found else FactsModel(pages.contents(), PAGE_TITLES, width)


def mark(session: Session) -> tuple[str | None, bool]:
    """The column that a list is sorted by, and whether its largest value is on top."""
    if not session.here.listing:
        return None, False
    sort = session.sort
    return sort.key, session.listing.column(sort.key).largest_first != sort.reverse


def empty(session: Session, width: int) -> str:
    """Why there are no rows, and what to do; in lines."""
    if session.here.changes and session.changes is not None:
        return (
            f"Nothing has changed since {clock_time(session.changes.compared.old.sample.taken_at)}."
        )
    if len(session.trail.places) > 1:
        return "Nothing is left of it. Esc goes back."
    if session.typed.text:
        return "Nothing here passes the filter. Esc clears it, / changes it."
    if session.fixed.text:
        return "Nothing here passes the filter of the command line."
    if session.here.view == FINDINGS.name:
        return "\n".join(_nothing_found(session, width))
    return session.listing.empty


def _nothing_found(session: Session, width: int) -> list[str]:
    """What was watched for how long, and what could not be found."""
    snapshot, settings = session.snapshot, session.settings
    if snapshot is None:
        return [""]
    watched = coarse_age(snapshot.over_s) if snapshot.over_s else "one look"
    said = [f"Nothing is wrong with what was watched: {watched}, {len(RULES)} kinds of trouble."]
    if waiting := silence.unlooked(snapshot.over_s, settings):
        said += [f"These need a longer watch: {', '.join(waiting)}."]
    said += [each.note for each in snapshot.silent]
    if settings.ignored:
        said += [f"These are ignored: {', '.join(sorted(settings.ignored))}."]
    said += ["X lists the pages that explain each of them."]
    return [line for each in said for line in textwrap.wrap(each, max(20, width))]


def notes(session: Session) -> tuple[str, ...]:
    """What the sample that is shown could not see."""
    return session.snapshot.sample.notes if session.snapshot is not None else ()


def remark(session: Session, failed: str, width: int, height: int) -> Line | None:
    """What has to be known of the picture: it is old, or not complete."""
    if failed:
        return header.remark(failed, "bad", width)
    gone = _gone(session)
    if gone:
        return header.remark(gone, "warn", width)
    if session.here.changes and session.clause.text:
        return header.remark("what changed is told of all sockets", "dim", width)
    noted = " ".join(notes(session)) if height >= ROOM_FOR_NOTES else ""
    return header.remark(f"note: {noted}", "dim", width) if noted else None


def _gone(session: Session) -> str:
    """That the item which is looked at is no more; since when, which does not tick."""
    past, snapshot = session.gone, session.snapshot
    if past is None or snapshot is None:
        return ""
    if snapshot.sample.clock < past.clock:
        return f"this was not there yet; what is shown is of {clock_time(past.taken_at)}"
    end = "over" if past.finding is not None else "gone"
    return f"this is {end} since {clock_time(past.taken_at)}; what was known last is shown"
