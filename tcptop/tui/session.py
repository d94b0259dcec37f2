"""What the user has chosen to see, and the look it is seen of; knows no widgets."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field

import numpy as np

from tcptop.columns import KERNEL, LISTINGS
from tcptop.columns.detail import Fact, facts
from tcptop.columns.kernel import facts as counter_facts
from tcptop.model.snapshot import Snapshot
from tcptop.tui import drill
from tcptop.tui.filtering import NOTHING, Clause, together
from tcptop.tui.place import Place, Sort, Trail
from tcptop.tui.viewing import Criteria, Shown, show

ITEMS = ("sockets", "kernel")  # views whose rows open as facts, the others as connections


def _first_sorts() -> dict[str, Sort]:
    return {listing.name: Sort(listing.sort_by) for listing in (*LISTINGS.values(), KERNEL)}


@dataclass(frozen=True, slots=True)
class Watched:
    """The facts of the item that is looked at, as they were when it was last there."""

    item: int
    facts: list[Fact]
    clock: float


@dataclass
class Session:
    """`fixed` is the command line's filter, `typed` the one of `/`.

    `newest` is the last snapshot; `held` the one that is shown instead while paused.
    """

    fixed: Clause = NOTHING
    typed: Clause = NOTHING
    by_port: bool = False
    trail: Trail = Trail((Place("processes"),))  # noqa: RUF009 it is frozen
    sorts: dict[str, Sort] = field(default_factory=_first_sorts)
    newest: Snapshot | None = None
    held: Snapshot | None = None
    _shown: Shown | None = None
    _watched: Watched | None = None
    _cursors: dict[str, Hashable | None] = field(default_factory=dict)

    @property
    def here(self) -> Place:
        return self.trail.here

    @property
    def sort(self) -> Sort:
        return self.sorts[self.here.view]

    @property
    def clause(self) -> Clause:
        """All filters in force."""
        return together(self.fixed, self.typed, self.here.scope)

    @property
    def criteria(self) -> Criteria:
        return Criteria(self.here.view, self.sort, self.clause, self.by_port)

    @property
    def snapshot(self) -> Snapshot | None:
        """The one that is shown."""
        return self.held or self.newest

    @property
    def shown(self) -> Shown | None:
        """The rows to show; None before the first look. Made again only where something changed."""
        if self.snapshot is None:
            return None
        now, criteria = self._shown, self.criteria
        if now is None or (now.selection.snapshot, now.criteria) != (self.snapshot, criteria):
            self._shown = show(self.snapshot, criteria, now)
        return self._shown

    def take(self, snapshot: Snapshot, ready: Shown | None) -> None:
        """A new look, with what the collector has made of it already."""
        self.newest = snapshot
        if self.held is None and ready is not None:
            self._shown = ready

    def pause(self) -> None:
        """Hold the present look, or go on with the newest."""
        self.held = self.newest if self.held is None else None

    @property
    def paused_s(self) -> float | None:
        """How old the held look is; None when live."""
        if self.held is None or self.newest is None:
            return None
        return self.newest.sample.clock - self.held.sample.clock

    # -- moving about; `cursor` is the row that is left, to come back to

    def go_to(self, view: str, cursor: Hashable | None) -> None:
        """Another view, from its own first place."""
        self._leave(cursor)
        self.trail = Trail((Place(view, followed=self._cursors.get(view)),))

    def _leave(self, cursor: Hashable | None) -> None:
        root = self.trail.places[0]
        alone = len(self.trail.places) == 1
        self._cursors[root.view] = cursor if alone else root.followed

    def open(self, key: Hashable) -> bool:
        """Drill into a row: a connection or a counter opens as all that is known of it."""
        shown, here = self.shown, self.here
        place = shown.model.place(key) if shown is not None and here.listing else None
        if shown is None or place is None or not isinstance(key, int):
            return False
        if here.view in ITEMS:
            target = Place(here.view, here.scope, item=key)
        else:
            target = Place("sockets", drill.scope(here.view, shown.selection, place))
        self.trail = self.trail.into(target, key)
        return True

    def help(self, cursor: Hashable | None) -> None:
        """The help of the present place."""
        here = self.here
        self.trail = self.trail.into(Place(here.view, here.scope, here.item, True), cursor)

    def back(self) -> bool:
        """One step back; False at a first place."""
        before, self.trail = self.trail, self.trail.back()
        return self.trail != before

    # -- one item

    def watch(self, item: int) -> list[Fact]:
        """All that is known of an item; what was known last when it is gone."""
        shown = self.shown
        known = _facts(shown, self.here.view, item) if shown is not None else None
        if shown is not None and known is not None:
            self._watched = Watched(item, known, shown.selection.snapshot.sample.clock)
        past = self._watched
        return past.facts if past is not None and past.item == item else []

    @property
    def gone_s(self) -> float | None:
        """For how long the item that is looked at is gone; None while it is there."""
        past, snapshot, here = self._watched, self.snapshot, self.here
        if here.item is None or here.help or past is None or snapshot is None:
            return None
        age = snapshot.sample.clock - past.clock
        return age if past.item == here.item and age > 0 else None


def _facts(shown: Shown, view: str, item: int) -> list[Fact] | None:
    """None where there is no such item (any more), whether the filter selects it or not."""
    if view == "kernel":
        place = shown.model.place(item)
        return None if place is None else counter_facts(shown.selection, place)
    cookies = shown.selection.snapshot.sample.sockets.cookie
    rows = np.flatnonzero(cookies == np.uint64(item))
    return facts(shown.selection, int(rows[0])) if len(rows) else None
