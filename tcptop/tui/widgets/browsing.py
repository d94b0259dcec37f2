"""A table whose rows can be found and copied."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from tcptop.tui.widgets.layout import TableColumn
from tcptop.tui.widgets.model import TableModel
from tcptop.tui.widgets.table import Table


class BrowsedTable(Table, can_focus=True):
    """Tells what it shows."""

    @property
    def model(self) -> TableModel | None:
        return self._model

    @property
    def row(self) -> int:
        """The number of the row under the cursor."""
        return self._row

    @property
    def columns_shown(self) -> Sequence[TableColumn]:
        """Those that have room."""
        return self._columns

    def go_to(self, key: Hashable) -> None:
        """Put the cursor on the row of a key, if there is one."""
        row = self._model.row_of(key) if self._model is not None else None
        if row is not None:
            self._move_to(row)

    def row_text(self) -> str:
        """The columns of the row under the cursor, each in full; empty where there is no row."""
        if self._model is None or not len(self._model):
            return ""
        cells = self._model.cells(self._row, self._columns)
        texts = (cell if isinstance(cell, str) else cell[0] for cell in cells)
        return "  ".join(text.strip() for text in texts if text.strip())
