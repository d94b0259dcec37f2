"""Moving about: views, drilling into rows, help and pages, and back."""

from __future__ import annotations

from collections.abc import Hashable

from tcptop.analysis.filter.clause import NO_FILTER, Clause
from tcptop.columns import FINDINGS
from tcptop.tui.picture import Picture
from tcptop.tui.place import CONTENTS
from tcptop.tui.top import Top
from tcptop.tui.views import beside
from tcptop.tui.widgets.diagram import Diagram
from tcptop.tui.widgets.table import Table


class Moving(Picture, inherit_bindings=False):
    """The keys that lead to another place."""

    def action_view(self, view: str) -> None:
        if self.here.view != view or len(self.session.trail.places) > 1:
            self.session.go_to(view, self.followed)
            self._show(swapped=True)

    def action_turn(self, steps: int) -> None:
        self.action_view(beside(self.here.view, steps))

    def on_top_tab_clicked(self, message: Top.TabClicked) -> None:
        self.action_view(message.view)

    def on_top_alarm_clicked(self) -> None:
        self.action_view(FINDINGS.name)

    def action_into(self) -> None:
        self._open(self.cursor)

    def on_table_opened(self, message: Table.Opened) -> None:
        self._open(message.key)

    def _open(self, key: Hashable | None) -> None:
        if key is not None and self.session.open(key):
            self._show(swapped=True)
        else:
            self._say("there is nothing to open here")

    def on_diagram_chosen(self) -> None:
        self._show()

    def on_diagram_opened(self, message: Diagram.Opened) -> None:
        self._open(message.key)

    def action_leave(self) -> None:
        if self.session.back():
            self._show(swapped=True)
        elif self.session.typed.text:
            self._apply(NO_FILTER)
            self._say("the filter is cleared; / and Up bring it back")
        else:
            self._say("this is the first view; q quits")

    def _apply(self, clause: Clause) -> None:
        self.session.typed = clause
        self._show()

    def action_help(self) -> None:
        if self.here.help:
            self.action_leave()
        else:
            self.session.help(self.followed)
            self._show(swapped=True)

    def action_explain(self) -> None:
        self._explain(self.session.page_of(self.cursor))

    def action_pages(self) -> None:
        self._explain(CONTENTS)

    def _explain(self, page: str) -> None:
        if self.session.explain(page, self.followed):
            self._show(swapped=True)
