"""`o`: which columns the present list has, in which order, and how wide."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar

from textual.binding import BindingType

from tcptop.columns import Listing
from tcptop.columns.marks import KEY as MARK
from tcptop.tui import keys
from tcptop.tui.settings import Arrangement
from tcptop.tui.widgets.layout import Line
from tcptop.tui.widgets.modal import ChoiceBox

# Has a view shown like this; returns the widths of the columns that are on the screen then.
Apply = Callable[[str, Arrangement], Mapping[str, int]]


class ColumnChooser(ChoiceBox, inherit_bindings=False):
    """Each change is handed on at once, and answered with what is on the screen then."""

    BINDINGS: ClassVar[list[BindingType]] = keys.bindings(keys.CHOOSER_KEYS)

    def __init__(self, apply: Apply, ascii_only: bool) -> None:
        super().__init__(ascii_only, "columns")
        self._apply = apply
        self._listing: Listing | None = None
        self._arrangement = Arrangement()
        self._widths: Mapping[str, int] = {}  # of the columns on the screen

    def begin(self, listing: Listing, arrangement: Arrangement) -> None:
        """Have the columns of a list to choose from, before it is opened."""
        self._listing, self._arrangement = listing, arrangement
        self._widths = self._apply(listing.name, arrangement)

    # -- what is shown

    def heading(self) -> str:
        return f"Columns of {self._listing.title}" if self._listing else ""

    def hint(self) -> str:
        return "Space show/hide  J K move  Enter done  < > width  r reset"

    def rows(self, width: int) -> Sequence[Line]:
        return [self._row(key) for key in self._order]

    def _row(self, key: str) -> Line:
        assert self._listing is not None
        column = self._listing.column(key)
        now = self._widths.get(key)
        word = "hidden" if key in self._arrangement.hidden else "no room"
        style = "" if now is not None else "dim"
        said = "shown" if now is not None else word
        width = self._arrangement.widths.get(key, now or column.width)
        return ((f"{said:8}{column.title:14}{width:3}  ", style), (column.meaning, "dim"))

    @property
    def _keys(self) -> list[str]:
        columns = self._listing.columns if self._listing is not None else ()
        return [column.key for column in columns if column.key != MARK]

    @property
    def _order(self) -> list[str]:
        return self._arrangement.order_of(self._keys)

    @property
    def _key(self) -> str:
        """The column under the cursor."""
        return self._order[self.row]

    # -- what keys do

    def act(self) -> None:
        self.action_switch()

    def action_switch(self) -> None:
        """A column without room is shown in place of others."""
        on = self._key not in self._widths
        last = set(self._keys) <= self._arrangement.hidden | {self._key}
        if on or not last:
            self._tell(self._arrangement.switched(self._key, on))

    def action_shift(self, steps: int) -> None:
        key = self._key
        arrangement = self._arrangement.moved(self._keys, key, steps)
        self.row = arrangement.order_of(self._keys).index(key)
        self._tell(arrangement)

    def action_widen(self, steps: int) -> None:
        assert self._listing is not None
        usual = self._widths.get(self._key, self._listing.column(self._key).width)
        now = self._arrangement.widths.get(self._key, usual)
        self._tell(self._arrangement.widened(self._key, now, steps))

    def action_reset(self) -> None:
        self._tell(self._arrangement.usual())

    def _tell(self, arrangement: Arrangement) -> None:
        assert self._listing is not None
        self._arrangement = arrangement
        self._widths = self._apply(self._listing.name, arrangement)
        self.draw()
