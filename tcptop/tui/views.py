"""The views: each is a list, and what can be done with its rows. The order is that of the tabs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from tcptop.columns import (
    CLOSED,
    FINDINGS,
    KERNEL,
    LISTENERS,
    NAMESPACES,
    OVERVIEW,
    PORTS,
    PROCESSES,
    REMOTES,
    SOCKETS,
    STATES,
    Listing,
    kernel,
    processes,
)
from tcptop.columns.detail import Fact
from tcptop.model.dataclass import dataclass
from tcptop.model.selection import Selection
from tcptop.model.snapshot import Snapshot
from tcptop.model.source import NO_REQUESTS, Requests
from tcptop.tui.panes import (
    closed,
    connection,
    destination,
    finding,
    host,
    listener,
    namespace,
    process,
)
from tcptop.tui.panes.rows import Pane, Scene


@dataclass(frozen=True, slots=True)
class View:
    """A row opens as its pane, or as facts; where there is neither, as its sockets. `requests` is
    what the source is asked for while the item of a key is open."""

    listing: Listing
    pane: Callable[[Scene, int], Pane | None] | None = None  # of a key
    facts: Callable[[Selection, int], list[Fact]] | None = None  # of a place
    requests: Callable[[Snapshot, int], Requests] = lambda snapshot, key: NO_REQUESTS
    picture: Literal["", "overview", "states"] = ""  # drawn where there is room
    several: Callable[[Selection, int], bool] = lambda selection, place: False  # opens as sockets
    counted: bool = True  # whether the number of rows is said beside the title
    key: str = ""  # empty: a digit, by its place

    @property
    def opens(self) -> bool:
        return self.pane is not None or self.facts is not None


VIEWS = {
    view.listing.name: view
    for view in (
        View(OVERVIEW, host.pane, picture="overview", counted=False),
        View(PROCESSES, process.pane, requests=process.requests, several=processes.several),
        View(SOCKETS, connection.pane, requests=connection.requests),
        View(LISTENERS, listener.pane, requests=connection.requests),
        View(PORTS, destination.pane),
        View(REMOTES, destination.remote),
        View(KERNEL, facts=kernel.facts, counted=False),
        View(FINDINGS, finding.pane),
        View(STATES, picture="states", counted=False),
        View(CLOSED, closed.pane, counted=False),
        View(NAMESPACES, namespace.pane, key="A"),
    )
}


def view_key(listing: Listing) -> str:
    """That of a list's view."""
    return VIEWS[listing.name].key or str([*VIEWS].index(listing.name))


def tabs(name: str) -> list[str]:
    """The views that have a tab while that of a name is shown: those of a digit, and itself."""
    return [each for each, view in VIEWS.items() if not view.key or name == each]


def beside(name: str, steps: int) -> str:
    """The view so many tabs to the right, round and round."""
    names = tabs(name)
    return names[(names.index(name) + steps) % len(names)]
