"""What the live view remembers: numbers as rings, and whole looks to go back to. No Textual."""

from __future__ import annotations

from tcptop.tui.history.recent import Recent
from tcptop.tui.history.rings import HOST, Rings
from tcptop.tui.history.series import Series

__all__ = ["HOST", "Recent", "Rings", "Series"]
