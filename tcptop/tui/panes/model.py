"""A pane as what a table shows."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from tcptop.tui.panes.row import Pane, Target
from tcptop.tui.widgets.layout import Cell, Line, TableColumn


class PaneModel:
    """Lines of their own; a key is that of a `PaneRow`."""

    def __init__(self, pane: Pane) -> None:
        self.pane = pane
        self._column = TableColumn("pane", pane.title, len(pane.title), flex=True, least=1)

    @property
    def columns(self) -> Sequence[TableColumn]:
        return [self._column]

    def __len__(self) -> int:
        return len(self.pane.rows)

    def key(self, row: int) -> Hashable:
        return self.pane.rows[row].key

    def row_of(self, key: Hashable) -> int | None:
        return next((at for at, row in enumerate(self.pane.rows) if row.key == key), None)

    def line(self, row: int) -> Line:
        """As it is drawn; charts are drawn now."""
        return self.pane.rows[row].line

    def cells(self, row: int, columns: Sequence[TableColumn]) -> Sequence[Cell]:
        return ["".join(text for text, _ in self.line(row))]

    def style(self, row: int) -> str:
        return ""

    def target(self, key: Hashable) -> Target | None:
        """Where Enter leads from a row; None where it leads nowhere."""
        row = self.row_of(key)
        return None if row is None else self.pane.rows[row].opens
