"""Looking for a text among the rows: the cursor goes to the nearest, all are counted."""

from __future__ import annotations

from time import perf_counter

from tcptop.columns import SOCKETS
from tcptop.tui.find_bar import FindBar
from tcptop.tui.finding_text import Search
from tcptop.tui.moving import Moving
from tcptop.tui.views import digit

SLICE_S = 0.02  # after which keys are looked at


class Searching(Moving, inherit_bindings=False):
    """The keys that find."""

    _wanted = ""
    _search: Search | None = None

    def action_find(self) -> None:
        if self.pictured:
            self._say(f"there are no rows to search; {digit(SOCKETS)} shows the connections")
            return
        self._status.display = False
        self._find.open()

    def on_find_bar_closed(self) -> None:
        self._status.display = True
        self.screen.set_focus(self._main)

    def on_find_bar_asked(self, message: FindBar.Asked) -> None:
        self._wanted = message.text or self._wanted
        if self._wanted:
            self._begin(self._table.row, 1)

    def action_find_next(self, steps: int) -> None:
        if not self._wanted or self.pictured:
            self.action_find()
        else:
            self._begin(self._table.row + steps, steps)

    def _begin(self, start: int, steps: int) -> None:
        model = self._table.model
        if model is None or not len(model):
            self._say("there are no rows to search")
            return
        columns = self._table.columns_shown
        self._search = Search(model, columns, self._wanted, start % len(model), steps)
        self._search_on(self._search)

    def _search_on(self, search: Search) -> None:
        """A slice of the search; a later one has taken its place where another key was typed."""
        end = perf_counter() + SLICE_S
        while search is self._search:
            known = search.first
            if not search.go_on():
                self._search = None
                self._tell(search)
            elif known is None and search.first is not None:
                self._table.go_to(search.model.key(search.first))
            if perf_counter() > end:
                self.call_later(self._search_on, search)
                return

    def _tell(self, search: Search) -> None:
        if search.first is None:
            self._say(f"not found: {search.text}")
        else:
            number, count = search.rank
            self._say(f"{number:,} of {count:,}: {search.text}")
