"""What is shown of a snapshot: selected and sorted, by the watcher's thread or on a key press."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import field, replace
from functools import cache

from tcptop.analysis import subject
from tcptop.analysis.clause import NO_FILTER, Clause
from tcptop.analysis.gathered import gathered
from tcptop.analysis.rings import Rings
from tcptop.analysis.selection import select, with_workloads
from tcptop.analysis.tree import TreeOf
from tcptop.columns import PROCESSES, SOCKETS, Column, Listing, netns, verdict
from tcptop.columns.column import shown
from tcptop.columns.marks import marked
from tcptop.columns.names import AddressNames
from tcptop.columns.sockets import timer_texts
from tcptop.columns.trend import with_trend
from tcptop.columns.units import coarse_age
from tcptop.model.dataclass import dataclass
from tcptop.model.selection import Selection
from tcptop.model.snapshot import Snapshot
from tcptop.model.table import Bools
from tcptop.tui.models import ListingModel
from tcptop.tui.place import About, Sort
from tcptop.tui.settings import Arrangement
from tcptop.tui.tree_model import TreeGroup, TreeModel

IDLE_TIMEOUT_S = 350.0  # of load balancers on the way, where the user named none: AWS's


@dataclass(frozen=True, slots=True)
class Criteria:
    """All that decides which rows of a snapshot are shown, and in which order."""

    listing: Listing
    sort: Sort
    clause: Clause = NO_FILTER
    about: About | None = None  # of what the clause selects, only the sockets of a finding
    by_port: bool = False  # remotes by address and port
    by_workload: bool = False  # processes, and the tree of connections, by container or unit
    idle_timeout_s: float = IDLE_TIMEOUT_S
    turned: frozenset[TreeGroup] | None = None  # of a tree of connections; None: they are a list
    rings: Rings | None = None  # of small pictures in the list; they are sorted by, too
    by_netns: bool = False  # the tree of connections, by network namespace


@dataclass(frozen=True, eq=False, slots=True)
class Shown:
    """The rows of a snapshot that meet some criteria."""

    criteria: Criteria
    selection: Selection
    model: ListingModel


def show(snapshot: Snapshot, criteria: Criteria, before: Shown | None = None) -> Shown:
    """Up to 100 ms with 100,000 sockets; less where `before` has the same selection."""
    selection = _selection(snapshot, criteria, before)
    shown = live_listing(criteria.listing, criteria.idle_timeout_s, criteria.rings)
    shown = whole_names(shown) if _workloads(criteria) else shown
    return Shown(criteria, selection, _model(shown, selection, criteria, before))


def _model(
    shown: Listing, selection: Selection, criteria: Criteria, before: Shown | None
) -> ListingModel:
    """The tree that there is already where only groups were folded or unfolded."""
    turned = criteria.turned
    if turned is None or criteria.listing is not SOCKETS:
        return ListingModel(shown, selection, criteria.sort)
    if before is not None and isinstance(before.model, TreeModel):
        same = replace(before.criteria, turned=turned) == criteria
        if same and before.selection is selection:
            before.model.turn(turned)
            return before.model
    by: TreeOf = "netns" if criteria.by_netns else "process"
    by = "workload" if criteria.by_workload else by
    return TreeModel(shown, selection, criteria.sort, turned, by)


def _selection(snapshot: Snapshot, criteria: Criteria, before: Shown | None) -> Selection:
    same = before is not None and before.selection.snapshot is snapshot
    if same and before is not None and _chosen(before.criteria) == _chosen(criteria):
        return before.selection
    clause, about = criteria.clause, criteria.about
    expression = clause.expression if clause.text else None
    among = _sockets(about, snapshot) if about is not None else None
    found = select(snapshot, expression, clause.text or None, criteria.by_port, among)
    return with_workloads(found) if _workloads(criteria) else gathered(found)


def _chosen(criteria: Criteria) -> tuple[object, ...]:
    """All that a selection depends on."""
    return criteria.clause, criteria.about, criteria.by_port, _workloads(criteria)


def _workloads(criteria: Criteria) -> bool:
    return criteria.by_workload and criteria.listing is PROCESSES


def _sockets(about: About, snapshot: Snapshot) -> Bools:
    now = (each.subject for each in snapshot.findings if each.key == about.key)
    return subject.rows(next(now, about.subject), snapshot)


@cache
def live_listing(
    listing: Listing, idle_timeout_s: float = IDLE_TIMEOUT_S, rings: Rings | None = None
) -> Listing:
    """A list as it is shown: with marks, of connections with what is wrong with each, and of
    others with small pictures of what is recorded."""
    found = netns.told(coarse(marked(listing)))
    if listing is not SOCKETS:
        return found if rings is None else with_trend(found, rings)
    return replace(found, columns=(*found.columns, verdict.column(idle_timeout_s)))


@cache
def whole_names(listing: Listing) -> Listing:
    """Groups have hardly more than a name, which so may be as long as it is."""
    return replace(listing, columns=tuple(replace(each, most=0) for each in listing.columns))


# -- ages that do not tick: they change with every sample and tell nothing by that


AGES = ("idle", "seen", "age")  # columns


def coarse(listing: Listing) -> Listing:
    """The list with ages that do not tick; the details say them exactly."""
    return replace(listing, columns=tuple(map(_coarse, listing.columns)))


def _coarse(column: Column) -> Column:
    if column.key == "timer":
        return replace(column, texts=lambda s, rows: timer_texts(s, rows, coarse_age))
    if column.key not in AGES:
        return column
    return replace(column, texts=shown(coarse_age, lambda s, rows: column.values(s, rows)))


# -- what the user chose


@dataclasses.dataclass
class ListChoices:
    """Sorts and arrangements are by view, and found again the next time."""

    sorts: dict[str, Sort]
    arrangements: dict[str, Arrangement] = field(default_factory=dict)  # of the columns
    names: AddressNames | None = None  # to show for addresses
    by_port: bool = False  # remotes by address and port
    by_workload: bool = False  # processes, and the tree of connections, by container or unit
    by_netns: bool = False  # else the tree, by network namespace
    tree: bool = False  # whether connections are grouped
    turned: frozenset[TreeGroup] = frozenset()  # groups that the user folded or unfolded

    def recall(self, views: Mapping[str, Arrangement], lists: Mapping[str, Listing]) -> None:
        """Have the columns and orders of the last time; `lists` are by view, as they are shown."""
        for view, listing in lists.items():
            arrangement = views.get(view)
            if arrangement is None:
                continue
            self.arrangements[view] = arrangement
            found = arrangement.sorted_by([column.key for column in listing.columns])
            if found is not None:
                self.sorts[view] = Sort(*found)

    def remembered(
        self, before: Mapping[str, Arrangement], lists: Mapping[str, Listing]
    ) -> dict[str, Arrangement]:
        """Of each view that is not as it usually is, and of those of other versions."""
        views = dict(before)
        for view, sort in self.sorts.items():
            usual = sort == Sort(lists[view].sort_by)
            now = self.arrangements.get(view, Arrangement())
            made = replace(
                now, sort=None if usual else sort.key, reverse=sort.reverse and not usual
            )
            if made != Arrangement() or view in before:
                views[view] = made
        return views
