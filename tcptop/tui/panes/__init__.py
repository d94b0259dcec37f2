"""Panes: all that is known of a process, connection, listener, destination or remote end.

Plain functions of a snapshot and the rings; no Textual.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tcptop.tui.panes import connection, destination, listener, process
from tcptop.tui.panes.model import PaneModel
from tcptop.tui.panes.row import Pane, PaneRow, Room, Scene, Target, place_of

__all__ = ["PANES", "Pane", "PaneModel", "PaneRow", "Room", "Scene", "Target", "place_of"]

# By view: what the key of a row opens as.
PANES: Mapping[str, Callable[[Scene, int], Pane | None]] = {
    "processes": process.pane,
    "sockets": connection.pane,
    "listeners": listener.pane,
    "ports": destination.pane,
    "remotes": destination.remote,
}
