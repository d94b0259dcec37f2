"""The live view: one table whose model is swapped, a few lines around it, a thread that looks.

What the user has chosen to see is a `Session`; the app turns keys into changes of it, and shows
what it says in the widgets.
"""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.binding import BindingType

from tcptop.tui import export, keys, showing
from tcptop.tui.copying import Copying
from tcptop.tui.filter_bar import FilterBar
from tcptop.tui.looking_back import LookingBack
from tcptop.tui.place import Sort
from tcptop.tui.searching import Searching
from tcptop.tui.settings import ScreenSettings
from tcptop.tui.theming import Theming
from tcptop.tui.watcher import SampleFailed, SnapshotTaken, in_background
from tcptop.tui.widgets.table import Table

__all__ = ["ScreenSettings", "TcptopApp"]

INTERVALS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)


class TcptopApp(Theming, Copying, LookingBack, Searching, inherit_bindings=False):
    """The app; see the module."""

    TITLE = "tcptop"
    CSS_PATH = "tcptop.tcss"
    ENABLE_COMMAND_PALETTE = False
    ALLOW_SELECT = False
    BINDINGS: ClassVar[list[BindingType]] = keys.bindings(keys.GROUPS["keys"])

    def on_mount(self) -> None:
        self.set_keymap(dict(self.settings.keys))
        self._table.focus()
        self._draw_lines()
        self._watcher.criteria = self.session.criteria
        self._watcher.start()

    def on_unmount(self) -> None:
        self._watcher.stop()

    async def on_event(self, event: events.Event) -> None:
        """Keys act at once, in the order in which they were typed.

        Textual hands them to the focused widget's queue and back: of keys that come in one read,
        as on a slow link, `/` would find those after it already gone to the table.
        """
        if isinstance(event, events.Key) and not event.is_forwarded:
            self._said = ""
            self._draw_status()
            if self._written(event):
                return
            if not self.typing and await self._bound(event.key):
                return
            if event.is_printable and not (self.typing or self.overlaid):
                self._say(f"{event.character} is no key here; ? lists the keys")
        await super().on_event(event)

    async def _bound(self, key: str) -> bool:
        """Do what a key is bound to."""
        return await self._check_bindings(key, priority=True) or await self._check_bindings(key)

    # -- what arrives

    def on_snapshot_taken(self, message: SnapshotTaken) -> None:
        first = self.session.newest is None
        self._failed = ""
        self.session.take(message.snapshot, message.shown)
        self._show(swapped=first)

    def on_sample_failed(self, message: SampleFailed) -> None:
        if message.final and self.session.newest is None:
            self.crash = f"tcptop: {message.why}\n"
            self.exit(return_code=1)
        self._failed = message.why
        self._draw_lines()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        typing = self.typing or self.overlaid
        return not typing or action in keys.WHILE_TYPING

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
        keys = [*self._table.widths_shown]
        now = self.session.sort.key
        at = keys.index(now) + steps if now in keys else 0
        self._sort(Sort(keys[at % len(keys)] if keys else now))

    def action_reverse(self) -> None:
        sort = self.session.sort
        self._sort(Sort(sort.key, not sort.reverse))

    def _sort(self, sort: Sort) -> None:
        if not self.here.listing or self.pictured:
            self._say("only lists are sorted")
            return
        self.session.sorts[self.here.view] = sort
        self._show()
        key, descending = showing.mark(self.session)
        self._table.sorted_by(key, descending)
        title = self.session.listing.column(sort.key).title
        self._say(f"sorted by {title}, {'descending' if descending else 'ascending'}")

    # -- filtering

    def action_filter(self) -> None:
        self._status.display = False
        self._filter.open(self.session.typed.text)

    def on_filter_bar_applied(self, message: FilterBar.Applied) -> None:
        self._apply(message.clause)

    def on_filter_bar_closed(self) -> None:
        self._status.display = True
        self.screen.set_focus(self._main)

    # -- the rest

    def action_group(self) -> None:
        self.session.by_port = not self.session.by_port
        self._show()
        self._say("remotes by " + ("address and port" if self.session.by_port else "address"))

    def action_wide(self) -> None:
        wide = self._table.wide = not self._table.wide
        self._say("all columns; Shift and arrows scroll" if wide else "the columns that fit")

    def action_interval(self, steps: int) -> None:
        now = self._watcher.interval
        others = [i for i in INTERVALS if (i > now if steps > 0 else i < now)]
        if others:
            self._watcher.interval = min(others) if steps > 0 else max(others)
        self._draw_lines()
        self._say(f"looking every {self._watcher.interval:g} s")

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
