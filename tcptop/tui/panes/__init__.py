"""Panes: all that is known of a process, connection, listener, destination or remote end.

Plain functions of a snapshot and the rings; no Textual.
"""

from __future__ import annotations

from tcptop.tui.panes.model import PaneModel
from tcptop.tui.panes.row import Pane, PaneRow, Room, Scene, Target, place_of

__all__ = ["Pane", "PaneModel", "PaneRow", "Room", "Scene", "Target", "place_of"]
