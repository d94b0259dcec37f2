"""The overview on the screen: its board, and the cursor."""

from __future__ import annotations

from tcptop.analysis.findings.settings import FindingSettings
from tcptop.model.selection import Selection
from tcptop.tui.overview.board import Board, Spot
from tcptop.tui.overview.layout import board
from tcptop.tui.panes.rows import Room, Scene
from tcptop.tui.widgets.lines import Diagram

NOWHERE = Spot("", "")


class Overview(Diagram[Spot], inherit_bindings=True):
    """Draws the board of a scene; the cursor stays on its spot, or near where that was."""

    def __init__(self, ascii_only: bool = False) -> None:
        super().__init__(NOWHERE, self._beside, self._at, ascii_only, "overview")
        self._board = Board()
        self._of: tuple[Selection, Room] | None = None  # what the board shows

    def picture(self, scene: Scene, settings: FindingSettings) -> None:
        """Show a scene."""
        if self._of is None or self._of != (scene.selection, scene.room):
            self._of, self._board = (scene.selection, scene.room), board(scene, settings)
        self.chosen = self._board.nearest(self.chosen) or NOWHERE
        if self.size:
            self.draw(self._board.lines(self.chosen), self._board.top(self.chosen))

    def _beside(self, spot: Spot, dx: int, dy: int) -> Spot:
        return self._board.neighbour(spot, dx, dy)

    def _at(self, x: int, y: int) -> Spot | None:
        return self._board.at(x, y)
