"""What changed between two samples, as a table shows it; not loaded before it is asked for."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from tcptop.analysis.difference import ThenNow
from tcptop.analysis.findings.words import clock_time
from tcptop.columns import changes, units
from tcptop.tui.widgets.layout import Cell, TableColumn

NUMBER = 10  # cells


class ChangesModel:
    """The rows of all sections; a key is (section, what it is about)."""

    def __init__(self, compared: changes.SnapshotPair, backwards: bool) -> None:
        """`backwards`: it is the earlier one that is shown, and the later one that is marked."""
        self.compared = compared
        self._rows = [*changes.rows(compared)]
        start, end = (clock_time(each.sample.taken_at) for each in (compared.old, compared.new))
        self._columns = (
            TableColumn("section", "Changed", 9),
            TableColumn("what", f"from {start} to {end}" if backwards else f"since {start}", 46,
                   flex=True, least=8),
            TableColumn("then", "Then", NUMBER, right=True, priority=2),
            TableColumn("now", "Now", NUMBER, right=True, priority=1),
            TableColumn("change", "Change", NUMBER, right=True),
        )  # fmt: skip

    @property
    def columns(self) -> Sequence[TableColumn]:
        return self._columns

    def __len__(self) -> int:
        return len(self._rows)

    def key(self, row: int) -> Hashable:
        return self._rows[row].section, self._rows[row].what

    def row_of(self, key: Hashable) -> int | None:
        return next((row for row in range(len(self)) if self.key(row) == key), None)

    def cells(self, row: int, columns: Sequence[TableColumn]) -> Sequence[Cell]:
        change = self._rows[row]
        first = not row or self._rows[row - 1].section != change.section
        made: dict[str, Cell] = {
            "section": (change.section if first else "", "dim"),
            "what": change.what,
            **_numbers(change.pair),
        }
        return [made[column.key] for column in columns]

    def style(self, row: int) -> str:
        return self._rows[row].style

    def change(self, key: Hashable) -> changes.Change | None:
        """What the row of a key says."""
        row = self.row_of(key)
        return None if row is None else self._rows[row]


def _numbers(pair: ThenNow | None) -> dict[str, Cell]:
    if pair is None:
        return dict.fromkeys(("then", "now", "change"), "")
    then, now = pair
    return {"then": units.count(then), "now": units.count(now), "change": f"{now - then:+,d}"}
