"""How the user wants the lists."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from tcptop.columns import Listing
from tcptop.columns.names import AddressNames
from tcptop.tui.place import Sort
from tcptop.tui.preferences import Arrangement
from tcptop.tui.tree import TreeGroup


@dataclass
class ListChoices:
    """Sorts and arrangements are by view, and found again the next time."""

    sorts: dict[str, Sort]
    arrangements: dict[str, Arrangement] = field(default_factory=dict)  # of the columns
    names: AddressNames | None = None  # to show for addresses
    by_port: bool = False  # remotes by address and port
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
