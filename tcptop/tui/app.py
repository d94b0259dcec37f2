"""The live view: one table whose model is swapped, a few lines around it, a thread that looks.

What the user has chosen to see is a `Session`; the app turns keys into changes of it, and shows
what it says in the widgets.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import BindingType

from tcptop.analysis import filter as language
from tcptop.tui import bindings, export, header, showing
from tcptop.tui.background import in_background
from tcptop.tui.collector import Collector, Looked, LookFailed, OpenSource
from tcptop.tui.filter_bar import FilterBar
from tcptop.tui.filtering import NOTHING, Clause
from tcptop.tui.own_cpu import OwnCpu
from tcptop.tui.place import VIEWS, Place, Sort
from tcptop.tui.session import Session
from tcptop.tui.terminal_app import TerminalApp
from tcptop.tui.top import Top
from tcptop.tui.viewing import listing
from tcptop.tui.widgets.lines import Lines
from tcptop.tui.widgets.table import Table

INTERVALS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)


@dataclass(frozen=True)
class Settings:
    """What the command line decided."""

    interval: float = 1.0
    clause: Clause = NOTHING
    scope: str = "current netns"
    user: str = ""
    ascii_only: bool = False


class TcptopApp(TerminalApp, inherit_bindings=False):
    """The app; see the module."""

    TITLE = "tcptop"
    CSS_PATH = "tcptop.tcss"
    ENABLE_COMMAND_PALETTE = False
    ALLOW_SELECT = False
    BINDINGS: ClassVar[list[BindingType]] = bindings.BINDINGS

    def __init__(self, open_source: OpenSource, names: language.Names, settings: Settings) -> None:
        super().__init__()
        self.settings = settings
        self.session = Session(settings.clause)
        self._collector = Collector(open_source, settings.interval, self)
        self._cpu = OwnCpu()
        self._said = ""  # in the last line, until the next key
        self._failed = ""  # why there was no look, until the next one
        self._top = Top(settings.ascii_only)
        self._table = Table(ascii_only=settings.ascii_only, id="table")
        self._filter = FilterBar(names, settings.ascii_only)
        self._status = Lines(settings.ascii_only, id="status")

    def compose(self) -> ComposeResult:
        yield from (self._top, self._table, self._filter, self._status)

    def on_mount(self) -> None:
        self._table.focus()
        self._draw_lines()
        self._collector.criteria = self.session.criteria
        self._collector.start()

    def on_unmount(self) -> None:
        self._collector.stop()

    def on_resize(self) -> None:
        self.call_after_refresh(self._show)

    async def on_event(self, event: events.Event) -> None:
        """Keys act at once, in the order in which they were typed.

        Textual hands them to the focused widget's queue and back: of keys that come in one read,
        as on a slow link, `/` would find those after it already gone to the table.
        """
        if isinstance(event, events.Key) and not event.is_forwarded:
            self._said = ""
            self._draw_status()
            if not self._filter.is_open and await self._bound(event.key):
                return
        await super().on_event(event)

    async def _bound(self, key: str) -> bool:
        """Do what a key is bound to."""
        return await self._check_bindings(key, priority=True) or await self._check_bindings(key)

    # -- what arrives

    def on_looked(self, message: Looked) -> None:
        first = self.session.newest is None
        self._failed = ""
        self.session.take(message.snapshot, message.shown)
        self._show(swapped=first)

    def on_look_failed(self, message: LookFailed) -> None:
        if message.final and self.session.newest is None:
            self.crash = f"tcptop: {message.why}\n"
            self.exit(return_code=1)
        self._failed = message.why
        self._draw_lines()

    # -- what is shown

    @property
    def here(self) -> Place:
        return self.session.here

    def _show(self, swapped: bool = False) -> None:
        """Have the widgets show what the session says; `swapped`: from another place."""
        session = self.session
        self._collector.criteria = session.criteria if session.held is None else None
        self._filter.snapshot = session.snapshot
        self._table.empty = showing.empty(session)
        model = showing.model(session, self._table.row_width)
        if model is not None and swapped:
            self._table.show(model, *showing.mark(session), self.here.followed)
        elif model is not None:
            self._table.changed(model)
        self._draw_lines()

    def _draw_lines(self) -> None:
        status = header.Status(
            self.settings.scope,
            self.settings.user,
            self._collector.interval,
            self.session.paused_s,
            self._cpu.share(),
            bool(self._failed),
        )
        shown = self.session.shown
        selection = shown.selection if shown is not None else None
        remark = showing.remark(self.session, self._failed, *self.size)
        self._top.show(selection, self.here.view, status, remark)
        self._draw_status()

    def _draw_status(self) -> None:
        keys = bindings.LIST_KEYS if self.here.listing else bindings.FACT_KEYS
        width = self.size.width
        said = header.remark(self._said, "warn", width)
        self._status.show(said if self._said else header.footer(keys, width))

    def _say(self, text: str) -> None:
        """Say it in the last line until the next key."""
        self._said = text
        self._draw_status()

    # -- moving about

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        return not self._filter.is_open or action in bindings.WHILE_TYPING

    def action_view(self, view: str) -> None:
        if self.here.view != view or len(self.session.trail.places) > 1:
            self.session.go_to(view, self._table.followed)
            self._show(swapped=True)

    def action_turn(self, steps: int) -> None:
        self.action_view(VIEWS[(VIEWS.index(self.here.view) + steps) % len(VIEWS)])

    def on_top_tab_clicked(self, message: Top.TabClicked) -> None:
        self.action_view(message.view)

    def action_findings(self) -> None:
        self._say("Findings come with a later version")

    def action_into(self) -> None:
        self._open(self._table.cursor)

    def on_table_opened(self, message: Table.Opened) -> None:
        self._open(message.key)

    def _open(self, key: Hashable | None) -> None:
        if key is not None and self.session.open(key):
            self._show(swapped=True)

    def action_leave(self) -> None:
        if self.session.back():
            self._show(swapped=True)
        elif self.session.typed.text:
            self._apply(NOTHING)
            self._say("the filter is cleared; / and Up bring it back")
        else:
            self._say("this is the first view; q quits")

    def action_help(self) -> None:
        if self.here.help:
            self.action_leave()
        else:
            self.session.help(self._table.followed)
            self._show(swapped=True)

    def action_follow(self) -> None:
        follow = self._table.followed is None
        self._table.follow(follow)
        self._say(
            "the cursor goes where its row goes" if follow else "the cursor stays in its line"
        )

    # -- sorting

    def on_table_sort_asked(self, message: Table.SortAsked) -> None:
        sort = self.session.sort
        self._sort(Sort(message.column_key, sort.key == message.column_key and not sort.reverse))

    def action_sort(self, steps: int) -> None:
        keys = [column.key for column in self._table.columns_shown]
        now = self.session.sort.key
        at = keys.index(now) + steps if now in keys else 0
        if keys and self.here.listing:
            self._sort(Sort(keys[at % len(keys)]))

    def action_reverse(self) -> None:
        sort = self.session.sort
        self._sort(Sort(sort.key, not sort.reverse))

    def _sort(self, sort: Sort) -> None:
        if not self.here.listing:
            self._say("only lists are sorted")
            return
        self.session.sorts[self.here.view] = sort
        self._show()
        key, descending = showing.mark(self.session)
        self._table.sorted_by(key, descending)
        title = listing(self.here.view).column(sort.key).title
        self._say(f"sorted by {title}, {'descending' if descending else 'ascending'}")

    # -- filtering

    def action_filter(self) -> None:
        self._status.display = False
        self._filter.open(self.session.typed.text)

    def on_filter_bar_applied(self, message: FilterBar.Applied) -> None:
        self._apply(message.clause)

    def on_filter_bar_closed(self) -> None:
        self._status.display = True
        self.screen.set_focus(self._table)

    def _apply(self, clause: Clause) -> None:
        self.session.typed = clause
        self._show()

    # -- the rest

    def action_pause(self) -> None:
        self.session.pause()
        self._show()

    def action_group(self) -> None:
        self.session.by_port = not self.session.by_port
        self._show()
        self._say("remotes by " + ("address and port" if self.session.by_port else "address"))

    def action_wide(self) -> None:
        wide = self._table.wide = not self._table.wide
        self._say("all columns; Shift and arrows scroll" if wide else "the columns that fit")

    def action_interval(self, steps: int) -> None:
        now = self._collector.interval
        others = [i for i in INTERVALS if (i > now if steps > 0 else i < now)]
        if others:
            self._collector.interval = min(others) if steps > 0 else max(others)
        self._draw_lines()
        self._say(f"looking every {self._collector.interval:g} s")

    def action_mouse(self) -> None:
        self.mouse = not self.mouse
        self._say("mouse on" if self.mouse else "mouse off: the terminal selects text")

    def action_repaint(self) -> None:
        self.repaint_all()

    def action_export(self) -> None:
        shown = self.session.shown
        if shown is None:
            self._say("nothing to export yet")
            return
        selection = shown.selection
        self._say("exporting…")
        in_background(self, lambda: export.write(selection), self._say)
