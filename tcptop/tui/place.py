"""Places: what the screen shows, and the way back."""

from __future__ import annotations

from dataclasses import dataclass, replace

VIEWS = ("processes", "sockets", "listeners", "ports", "remotes", "kernel")
TITLES = ("Processes", "Connections", "Listeners", "Ports", "Remotes", "Kernel")


@dataclass(frozen=True, slots=True)
class Place:
    """A view, the scope that was drilled into (a filter, as text), or one socket's cookie."""

    view: str
    scope: str = ""
    socket: int | None = None
    help: bool = False
    followed: object = None  # the row to come back to


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

    def into(self, place: Place, followed: object) -> Trail:
        """One deeper; the present row is remembered."""
        left = replace(self.here, followed=followed)
        return Trail((*self.places[:-1], left, place))

    def back(self) -> Trail:
        return Trail(self.places[:-1]) if len(self.places) > 1 else self
