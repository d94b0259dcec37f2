"""Places: what the screen shows, and the way back."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace

from tcptop.tui.filtering import NOTHING, Clause

VIEWS = ("processes", "sockets", "listeners", "ports", "remotes", "kernel")
TITLES = ("Processes", "Connections", "Listeners", "Ports", "Remotes", "Kernel")


@dataclass(frozen=True, slots=True)
class Place:
    """A view, with the filter that was drilled into; or all of one item of it; or the help."""

    view: str
    scope: Clause = NOTHING
    item: int | None = None  # the key of its row: a socket's cookie
    help: bool = False
    followed: Hashable | None = None  # the row to come back to

    @property
    def listing(self) -> bool:
        """Whether it is a list, and not the facts of an item or the help."""
        return self.item is None and not self.help


@dataclass(frozen=True, slots=True)
class Sort:
    key: str
    reverse: bool = False


@dataclass(frozen=True, slots=True)
class Trail:
    """The places from the first view to the present one."""

    places: tuple[Place, ...]

    @property
    def here(self) -> Place:
        return self.places[-1]

    def into(self, place: Place, followed: Hashable | None) -> Trail:
        """One deeper; the present row is remembered."""
        left = replace(self.here, followed=followed)
        return Trail((*self.places[:-1], left, place))

    def back(self) -> Trail:
        return Trail(self.places[:-1]) if len(self.places) > 1 else self
