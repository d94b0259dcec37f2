"""What the user has chosen to see, and the sample it is seen of; knows no widgets."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from tcptop.analysis.clause import NO_FILTER, Clause, together
from tcptop.analysis.findings.settings import DEFAULTS, FindingSettings
from tcptop.analysis.rings import Rings
from tcptop.columns import FINDINGS, OVERVIEW, SOCKETS, Listing
from tcptop.columns.detail import Fact
from tcptop.columns.listing import scope_of
from tcptop.columns.marks import page_of
from tcptop.model.finding import Finding
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.selection import Selection
from tcptop.model.snapshot import Snapshot
from tcptop.model.source import NO_REQUESTS, Requests
from tcptop.tui import help, item
from tcptop.tui.item import OpenedItem
from tcptop.tui.lists import IDLE_TIMEOUT_S, Criteria, ListChoices, Shown, live_listing, show
from tcptop.tui.overview.board import Spot
from tcptop.tui.panes.rows import PaneModel, Room, Target, place_of
from tcptop.tui.place import CONTENTS, About, Place, Sort, Trail, sockets_where
from tcptop.tui.time_cursor import TimeCursor
from tcptop.tui.views import VIEWS, View

if TYPE_CHECKING:
    from tcptop.columns.changes import Change


class ListRow(NamedTuple):
    """A row of a list: its place in it."""

    listing: Listing
    selection: Selection
    place: int


@dataclass
class Session:
    """`fixed` is the command line's filter, `typed` the one of `/`."""

    trail: Trail
    time: TimeCursor
    rings: Rings  # what is recorded meanwhile
    choices: ListChoices
    fixed: Clause = NO_FILTER
    typed: Clause = NO_FILTER
    settings: FindingSettings = DEFAULTS  # of the findings
    unrecorded: str = ""  # why a recording has broken off
    _shown: Shown | None = None
    _watched: OpenedItem | None = None
    _watched_at: float = 0.0  # the place in time
    _open_on_findings: bool = False  # where something is critical at the first sample
    _cursors: dict[str, Hashable | None] = field(default_factory=dict)

    @classmethod
    def opened(
        cls,
        view: str | None,
        fixed: Clause,
        settings: FindingSettings,
        time: TimeCursor,
        rings: Rings,
    ) -> Session:
        """A session that begins with a view; None: with the overview, or with the findings where
        the first sample has a critical one."""
        sorts = {name: Sort(view.listing.sort_by) for name, view in VIEWS.items()}
        first = Trail((Place(view or OVERVIEW.name),))
        made = cls(first, time, rings, ListChoices(sorts), fixed, settings=settings)
        made._open_on_findings = view is None
        return made

    @property
    def here(self) -> Place:
        return self.trail.here

    @property
    def snapshot(self) -> Snapshot | None:
        """The one that is shown."""
        return self.time.snapshot

    @property
    def view(self) -> View:
        return VIEWS[self.here.view]

    @property
    def sort(self) -> Sort:
        return self.choices.sorts[self.here.view]

    @property
    def clause(self) -> Clause:
        """All filters in force."""
        return together(self.fixed, self.typed, self.here.scope)

    @property
    def criteria(self) -> Criteria:
        choices = self.choices
        return Criteria(
            self.view.listing,
            self.sort,
            self.clause,
            self.here.about,
            choices.by_port,
            choices.by_workload and self.here.item is None,
            self._idle_timeout_s,
            choices.turned if choices.tree else None,
            self.rings,
            choices.by_netns,
        )

    @property
    def several_namespaces(self) -> bool:
        """Whether the sockets are of more than one."""
        numbers = self.snapshot.namespaces.sockets.tolist() if self.snapshot else []
        return len([number for number in numbers if number]) > 1

    @property
    def listing(self) -> Listing:
        """The list of the present view, with all of its columns."""
        return live_listing(self.view.listing, self._idle_timeout_s, self.rings)

    @property
    def _idle_timeout_s(self) -> float:
        return self.settings.idle_timeout_s or IDLE_TIMEOUT_S

    @property
    def requests(self) -> Requests:
        """What is to be known of the item that is looked at."""
        key, snapshot = self.here.item, self.snapshot
        if snapshot is None or key is None:
            return NO_REQUESTS
        return self.view.requests(snapshot, key)

    @property
    def shown(self) -> Shown | None:
        """The rows to show; None before the first sample. Made anew where something changed."""
        if self.snapshot is None:
            return None
        now, criteria = self._shown, self.criteria
        if now is None or (now.selection.snapshot, now.criteria) != (self.snapshot, criteria):
            self._shown = show(self.snapshot, criteria, now)
        return self._shown

    def take(self, snapshot: Snapshot, ready: Shown | None) -> None:
        """A new look, with what the watcher has made of it already."""
        if self._open_on_findings and any(f.severity == "critical" for f in snapshot.findings):
            self.go_to(FINDINGS.name, None)
        self._open_on_findings = False
        self.time.newest = snapshot
        if self.time.held is None and ready is not None:
            self._shown = ready

    # -- moving about; `cursor` is the row that is left, to come back to

    def go_to(self, view: str, cursor: Hashable | None) -> None:
        """Another view, from its own first place."""
        self._open_on_findings = False  # the user has chosen
        self._leave(cursor)
        self.trail = Trail((Place(view, followed=self._cursors.get(view)),))

    def _leave(self, cursor: Hashable | None) -> None:
        root = self.trail.places[0]
        alone = len(self.trail.places) == 1
        self._cursors[root.view] = cursor if alone else root.followed

    def open(self, key: Hashable) -> bool:
        """Drill into a row, or a spot of the overview: a connection or a counter opens as all that
        is known of it."""
        if isinstance(key, Spot):
            target = self._spotted(key)
        elif self.here.page is not None:
            target = self._linked(key)
        elif self.here.changes:
            target = _goal(self._changed(key))
        else:
            target = self._listed(key) if self.here.listing else self._from_item(key)
        if target is None:
            return False
        self.trail = self.trail.into(target, key)
        return True

    def _spotted(self, spot: Spot) -> Place | None:
        """The list that a spot of the overview stands for, or where the row in it leads to."""
        row = self.row_of(spot)
        if spot.view not in VIEWS:
            return None  # nothing was drawn yet
        if spot.row is None or row is None:
            return Place(spot.view)
        view = VIEWS[spot.view]
        if view.opens and not view.several(row.selection, row.place):
            return Place(spot.view, item=spot.row)
        return sockets_where(scope_of(row.listing, row.selection, row.place))

    def row_of(self, key: Hashable | None) -> ListRow | None:
        """The row of a list that is opened, or under the cursor; None where there is none."""
        here, shown = self.here, self.shown
        if shown is None or here.help or here.page is not None or here.changes:
            return None
        if isinstance(key, Spot):
            if key.row is None:
                return None
            listing = VIEWS[key.view].listing
            place = place_of(listing, shown.selection, key.row)
        else:
            listing, place = self.view.listing, shown.model.place(here.item or key)
        return None if place is None else ListRow(listing, shown.selection, place)

    def _linked(self, key: Hashable) -> Place | None:
        """The page that a line of a page names."""
        name = help.named(key)
        return None if name is None else replace(self.here, page=name, followed=None)

    def _changed(self, key: Hashable) -> Change | None:
        """The row of what changed."""
        here, changes = self.here, self.time.changes
        shown = here.changes and not here.help and here.page is None
        return changes.change(key) if shown and changes is not None else None

    def _listed(self, key: Hashable) -> Place | None:
        """Where the row of a list leads to."""
        shown, here = self.shown, self.here
        place = shown.model.place(key) if shown is not None else None
        if shown is None or place is None or not isinstance(key, int):
            return None
        if self.view.opens and not self.view.several(shown.selection, place):
            return replace(here, item=key, followed=None)
        return sockets_where(scope_of(self.view.listing, shown.selection, place))

    def _from_item(self, key: Hashable) -> Place | None:
        """Where a line of the pane leads to."""
        past = self.watched
        return self._led(past, past.pane, key) if past is not None and past.pane else None

    def _led(self, past: OpenedItem, pane: PaneModel, key: Hashable) -> Place | None:
        """Where a line of a pane leads to; one that leads nowhere, to the connections it counts, or
        that the finding is about."""
        shown = self.shown
        target = pane.target(key)
        if target is None and past.finding is not None and self.snapshot is not None:
            now = item.finding(self.snapshot, past.item) or past.finding
            return sockets_of(now, self.snapshot)
        if target is None and self.view.listing.scope is not None:
            target = Target(self.view.listing, past.item, sockets=True)
        if target is None or shown is None:
            return None
        if not target.sockets:
            return Place(target.listing.name, item=target.key)
        counted = item.scope(shown, target)
        return None if counted is None else sockets_where(counted)

    def compare(self, cursor: Hashable | None) -> None:
        """The list of what changed since the mark."""
        self._read(Place(self.here.view, changes=True), cursor)

    def help(self, cursor: Hashable | None) -> None:
        """The help of the present place."""
        self._read(replace(self.here, help=True), cursor)

    def explain(self, page: str, cursor: Hashable | None) -> bool:
        """A page, or the list of them; False where it is there already."""
        if self.here.page == page and not self.here.help:
            return False
        self._read(replace(self.here, help=False, page=page), cursor)
        return True

    def _read(self, text: Place, cursor: Hashable | None) -> None:
        self.trail = self.trail.into(replace(text, followed=None), cursor)

    def page_of(self, key: Hashable | None) -> str:
        """The name of the page about the row under the cursor, or about the item looked at."""
        shown, past = self.shown, self.watched
        if (changed := self._changed(key)) is not None:
            return changed.page or CONTENTS
        if past is not None and past.pane is not None and (led := past.pane.target(key)):
            named = item.finding(shown.selection.snapshot, led.key) if shown is not None else None
            if named is not None:
                return named.id
        if past is not None and past.finding is not None:
            return past.finding.id
        row = self.row_of(key)
        return (page_of(row.listing, row.selection, row.place) if row else None) or CONTENTS

    @property
    def first(self) -> bool:
        """Whether it is a view's own list, which no key goes back from."""
        return self.here.listing and len(self.trail.places) == 1

    def back(self) -> bool:
        """One step back; False at a first place."""
        before, self.trail = self.trail, self.trail.back()
        return self.trail != before

    # -- one item

    def watch(self, key: int) -> list[Fact]:
        """All that is known of an item; what was known last when it is gone."""
        shown = self.shown
        now = item.facts(shown, self.view, key) if shown is not None else None
        self._hold(now)
        past = self._watched
        return past.facts if past is not None and past.item == key else []

    def pane(self, room: Room) -> PaneModel | None:
        """All about the row that was opened, as it was last when it is gone; None for no pane."""
        shown, here = self.shown, self.here
        if shown is None or not self.has_pane or here.item is None:
            return None
        if self.view.listing is SOCKETS:
            self.rings.watch(here.item)
        now = item.pane(shown, self.view, here.item, self.rings, room, self.settings)
        self._hold(now)
        past = self.watched
        return past.pane if past is not None else None

    def _hold(self, item: OpenedItem | None) -> None:
        """As it is last seen."""
        if item is not None:
            self._watched, self._watched_at = item, self.time.place

    @property
    def has_pane(self) -> bool:
        """Whether the place is a pane."""
        here = self.here
        opened = here.item is not None and not here.help and here.page is None
        return opened and self.view.pane is not None

    @property
    def watched(self) -> OpenedItem | None:
        """The item that is looked at, as it was when it was last there."""
        past, here = self._watched, self.here
        looked_at = here.item is not None and not here.help and here.page is None
        return past if looked_at and past is not None and past.item == here.item else None

    @property
    def gone(self) -> OpenedItem | None:
        """The item that is looked at, as it was last; None while it is there."""
        past = self.watched
        return None if past is None or self.time.place == self._watched_at else past

    @property
    def early(self) -> bool:
        """Whether it is gone because what is shown was before it."""
        return self.time.place < self._watched_at


def sockets_of(finding: Finding, snapshot: Snapshot) -> Place:
    """The sockets of a finding: by a filter that the user could have typed, else by name."""
    from tcptop.analysis.findings.scope import scope

    text = scope(finding, snapshot)
    if text is not None:
        return sockets_where(text)
    said = Clause(f"sockets of finding {finding.id}", None)
    return Place(SOCKETS.name, said, About(finding.key, finding.subject))


def _goal(change: Change | None) -> Place | None:
    """Where a row of what changed leads to."""
    if change is None:
        return None
    if change.item is not None:
        listing, key = change.item
        return Place(listing.name, item=key)
    return sockets_where(change.scope) if change.scope else None
