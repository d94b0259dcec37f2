"""The widgets, and what they show: the part of the app that paints, below that with the keys."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from textual.app import ComposeResult
from textual.widget import Widget

from tcptop.analysis import filter as language
from tcptop.columns import FINDINGS, SOCKETS
from tcptop.model import tcp
from tcptop.tui import alarm, header, keys, machine, showing, state_view
from tcptop.tui.filter_bar import FilterBar
from tcptop.tui.find_bar import FindBar
from tcptop.tui.panes import Room
from tcptop.tui.place import Place
from tcptop.tui.session import Session
from tcptop.tui.settings import ScreenSettings
from tcptop.tui.terminal.display import TerminalApp
from tcptop.tui.top import Top
from tcptop.tui.watcher import OpenSource, OwnCost, Watcher
from tcptop.tui.widgets.browsing import BrowsedTable
from tcptop.tui.widgets.diagram import Diagram
from tcptop.tui.widgets.lines import Lines
from tcptop.tui.widgets.model import TableModel


class Picture(TerminalApp, inherit_bindings=False):
    """Has the widgets show what the session says."""

    def __init__(
        self, open_source: OpenSource, names: language.NameResolver, settings: ScreenSettings
    ) -> None:
        super().__init__()
        self.settings = settings
        self.session = Session.opened(settings.opening, settings.clause, settings.findings)
        self._watcher = Watcher(open_source, settings.interval, self, settings.findings)
        self.session.rings = self._watcher.rings
        self.session.recent = self._watcher.recent
        self._cost = OwnCost()
        self._said = ""  # in the last line, until the next key
        self._failed = ""  # why there was no sample, until the next one
        self._top = Top(settings.ascii_only)
        self._table = BrowsedTable(ascii_only=settings.ascii_only, id="table")
        self._diagram = Diagram(
            tcp.ESTABLISHED, machine.neighbour, machine.state_at, settings.ascii_only, "diagram"
        )
        self._diagram.display = False
        self._filter = FilterBar(names, settings.ascii_only)
        self._find = FindBar(settings.ascii_only)
        self._status = Lines(settings.ascii_only, id="status")

    def compose(self) -> ComposeResult:
        yield from (self._top, self._table, self._diagram, self._filter, self._find, self._status)

    def on_resize(self) -> None:
        self.call_after_refresh(self._show)

    @property
    def here(self) -> Place:
        return self.session.here

    @property
    def typing(self) -> bool:
        """Whether the keys are text."""
        return self._filter.is_open or self._find.is_open

    @property
    def pictured(self) -> bool:
        """Whether the diagram is shown, and not the table."""
        room = self.size.width >= state_view.LEAST[0] and self.size.height >= state_view.LEAST[1]
        return self.session.view.diagram and self.here.listing and room

    @property
    def _main(self) -> Widget:
        """The widget that has the keys."""
        return self._diagram if self.pictured else self._table

    @property
    def cursor(self) -> Hashable | None:
        """The key of what is chosen; None where there is nothing."""
        return self._diagram.chosen if self.pictured else self._table.cursor

    @property
    def followed(self) -> Hashable | None:
        """The key to come back to; None while the cursor stays at the top."""
        return self._diagram.chosen if self.pictured else self._table.followed

    def _show(self, swapped: bool = False) -> None:
        """Have the widgets show what the session says; `swapped`: from another place."""
        session = self.session
        self._watcher.criteria = session.criteria if session.held is None else None
        self._watcher.requests = session.requests
        self._filter.snapshot = session.snapshot
        self._table.empty = showing.empty(session, self._table.row_width)
        if self.pictured != self._diagram.display:
            swapped = True
            self._swap()
        if self.pictured:
            self._draw_diagram()
            self._draw_lines()
            return
        model = self._model()
        if model is not None and swapped:
            self._table.show(model, *showing.mark(session), self.here.followed)
        elif model is not None:
            self._table.changed(model)
        self._draw_lines()

    def _model(self) -> TableModel | None:
        """What the table shows."""
        session, table, rings = self.session, self._table, self._watcher.rings
        if session.here.view == SOCKETS.name and session.here.item is not None:
            rings.watch(session.here.item)
        room = Room(table.row_width, table.size.height - 1, self.settings.ascii_only)
        pane = session.pane(rings, room)
        if pane is not None:
            return pane
        return showing.model(session, table.row_width, self.settings.keys)

    def _swap(self) -> None:
        """The diagram in place of the table, or back."""
        pictured = self.pictured
        self._diagram.display, self._table.display = pictured, not pictured
        if not pictured:  # texts and panes are made for a width, which the table has to get first
            self.call_after_refresh(self._show)
        if not self.typing:
            self.screen.set_focus(self._main)
        if pictured and isinstance(self.here.followed, int):
            self._diagram.chosen = self.here.followed

    def _draw_diagram(self) -> None:
        shown, diagram = self.session.shown, self._diagram
        if shown is None or not diagram.size:
            return  # it says when it has room
        ascii_only = self.settings.ascii_only
        size = diagram.size.width, diagram.size.height
        rings = self._watcher.rings
        lines = state_view.lines(shown.selection, diagram.chosen, rings, size, ascii_only)
        diagram.draw(lines, machine.BOXES[diagram.chosen].y)

    def _draw_lines(self) -> None:
        session = self.session
        status = header.Status(
            self.settings.scope,
            self.settings.user,
            self._watcher.interval,
            session.held.sample.taken_at if session.held else None,
            session.past,
            *self._cost.shown(session.newest if session.held is None else None),
            bool(self._failed),
        )
        shown = session.shown
        selection = shown.selection if shown is not None else None
        worst = alarm.line(session.snapshot, session.settings, self.size.width)
        remark = showing.remark(session, self._failed, *self.size)
        self._top.show(selection, self.here.view, status, worst, remark)
        self._draw_status()

    def _draw_status(self) -> None:
        width = self.size.width
        said = header.remark(self._said, "warn", width)
        named = [
            (keys.key_names(self.settings.keys.get(id, usual))[0], label)
            for id, usual, label in self._keys()
        ]
        self._status.show(said if self._said else header.footer(named, width))

    def _keys(self) -> Sequence[keys.KeyHint]:
        """What the last line names."""
        here = self.here
        if self.pictured:
            return keys.STATE_HINTS
        if here.listing:
            return keys.LIST_HINTS
        if here.page is not None and not here.help:
            return keys.PAGE_HINTS
        if here.changes and not here.help:
            return keys.CHANGES_HINTS
        if here.view == FINDINGS.name and not here.help:
            return keys.FINDING_HINTS
        if self.session.has_pane:
            return keys.PANE_HINTS
        return keys.FACT_HINTS

    def _say(self, text: str) -> None:
        """Say it in the last line until the next key."""
        self._said = text
        self._draw_status()
