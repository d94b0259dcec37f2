"""What is shown of a snapshot: selected and sorted, by the collector's thread or on a key press."""

from __future__ import annotations

from dataclasses import dataclass

from tcptop.analysis import subject
from tcptop.analysis.selecting import select
from tcptop.columns import FINDINGS, KERNEL, LISTINGS, Listing
from tcptop.columns.marks import marked
from tcptop.model.selection import Selection
from tcptop.model.snapshot import Snapshot
from tcptop.model.table import Bools
from tcptop.tui.filtering import NOTHING, Clause
from tcptop.tui.models import ListingModel
from tcptop.tui.place import About, Sort


@dataclass(frozen=True, slots=True)
class Criteria:
    """All that decides which rows of a snapshot are shown, and in which order."""

    view: str
    sort: Sort
    clause: Clause = NOTHING
    about: About | None = None  # of what the clause selects, only the sockets of a finding
    by_port: bool = False  # remotes by address and port


@dataclass(frozen=True, eq=False, slots=True)
class Shown:
    """The rows of a snapshot that meet some criteria."""

    criteria: Criteria
    selection: Selection
    model: ListingModel


def show(snapshot: Snapshot, criteria: Criteria, before: Shown | None = None) -> Shown:
    """Up to 100 ms with 100,000 sockets; less where `before` has the same selection."""
    selection = _selection(snapshot, criteria, before)
    model = ListingModel(listing(criteria.view), selection, criteria.sort)
    return Shown(criteria, selection, model)


def _selection(snapshot: Snapshot, criteria: Criteria, before: Shown | None) -> Selection:
    clause, about, by_port = criteria.clause, criteria.about, criteria.by_port
    if before is not None and before.selection.snapshot is snapshot:
        past = before.criteria
        if (past.clause, past.about, past.by_port) == (clause, about, by_port):
            return before.selection
    expression = clause.expression if clause.text else None
    among = _sockets(about, snapshot) if about is not None else None
    return select(snapshot, expression, clause.text or None, by_port, among)


def _sockets(about: About, snapshot: Snapshot) -> Bools:
    now = (each.subject for each in snapshot.findings if each.key == about.key)
    return subject.rows(next(now, about.subject), snapshot)


SHOWN = {
    **{name: marked(each) for name, each in LISTINGS.items()},
    **{each.name: each for each in (KERNEL, FINDINGS)},
}


def listing(view: str) -> Listing:
    """The list that a view shows."""
    return SHOWN[view]
