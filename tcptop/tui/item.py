"""All that is known of one thing: a pane, or the facts of a counter; and where its lines
lead."""

from __future__ import annotations

from tcptop.analysis.findings.settings import FindingSettings
from tcptop.analysis.rings import Rings
from tcptop.analysis.selection import everything, select
from tcptop.columns import FINDINGS, NAMESPACES, Listing, findings, netns
from tcptop.columns.detail import Fact
from tcptop.columns.listing import netns_of, scope_of
from tcptop.model.dataclass import dataclass
from tcptop.model.finding import Finding
from tcptop.model.selection import Selection
from tcptop.model.snapshot import Snapshot
from tcptop.tui.lists import Shown
from tcptop.tui.panes.rows import PaneModel, Room, Scene, Target, place_of
from tcptop.tui.views import View


@dataclass(frozen=True, slots=True)
class OpenedItem:
    """The facts or the pane of the item that is looked at, as when it was last there."""

    item: int
    facts: list[Fact]
    taken_at: float
    finding: Finding | None = None
    pane: PaneModel | None = None


def facts(shown: Shown, view: View, item: int) -> OpenedItem | None:
    """None where there is no such item (any more), whether the filter selects it or not."""
    selection, snapshot = shown.selection, shown.selection.snapshot
    place = shown.model.place(item)
    if place is None:
        place = place_of(view.listing, everything(snapshot), item)
    if place is None or view.facts is None:
        return None
    known = view.facts(selection, place)
    return OpenedItem(item, known, snapshot.sample.taken_at)


def pane(
    shown: Shown, view: View, item: int, rings: Rings, room: Room, settings: FindingSettings
) -> OpenedItem | None:
    """All about the row with this key, whatever the filter selects; None where it is not there."""
    whole = _whole(shown)
    made = view.pane(Scene(whole, rings, room, settings), item) if view.pane is not None else None
    if made is None:
        return None
    made = made._replace(title=made.title + _space(whole, view.listing, item))
    about = finding(whole.snapshot, item) if view.listing is FINDINGS else None
    return OpenedItem(item, [], whole.snapshot.sample.taken_at, about, PaneModel(made))


def _space(whole: Selection, listing: Listing, item: int) -> str:
    """In which namespace it is, where that is another than the reader's own."""
    row = place_of(listing, whole, item)
    if listing.netns is None or listing in (FINDINGS, NAMESPACES) or row is None:
        return ""
    return netns.place(whole.snapshot, netns_of(listing, whole, row))


def scope(shown: Shown, target: Target) -> str | None:
    """The filter for the connections that a row counts."""
    whole = _whole(shown)
    place = place_of(target.listing, whole, target.key)
    return None if place is None else scope_of(target.listing, whole, place)


def _whole(shown: Shown) -> Selection:
    snapshot = shown.selection.snapshot
    return select(snapshot, by_port=True) if shown.criteria.by_port else everything(snapshot)


def finding(snapshot: Snapshot, item: int) -> Finding | None:
    """The finding whose row has this key."""
    return next((f for f in snapshot.findings if findings.number(f.key) == item), None)
