"""What a table shows."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Protocol, runtime_checkable

from tcptop.tui.widgets.layout import Cell, Line, TableColumn, row_line


class TableModel(Protocol):
    """Rows in their order; asked for visible rows only, on the event loop."""

    @property
    def columns(self) -> Sequence[TableColumn]:
        """All columns, from left to right."""

    def __len__(self) -> int: ...

    def key(self, row: int) -> Hashable:
        """What identifies the row when rows move."""

    def row_of(self, key: Hashable) -> int | None:
        """Where the row is now, None when it is gone."""

    def cells(self, row: int, columns: Sequence[TableColumn]) -> Sequence[Cell]:
        """Text, or (text, look), per column; single-width and without control characters."""

    def style(self, row: int) -> str:
        """One of "", "dim", "warn", "bad", "good"."""


@runtime_checkable
class DrawnModel(Protocol):
    """A model whose rows are lines already, and no cells."""

    def line(self, row: int) -> Line:
        """The row from left to right, in looks."""


def line(model: TableModel, row: int, columns: Sequence[TableColumn], sizes: Sequence[int]) -> Line:
    """A row, of columns that are so wide."""
    if isinstance(model, DrawnModel):
        return model.line(row)
    return row_line(model.cells(row, columns), columns, sizes, model.style(row))
