"""The live view: one table whose model is swapped, a few lines around it, a thread that looks.

The collector posts a snapshot each interval; the app keeps the newest, selects what the filters
show, and hands it to the widgets. Where the screen is and how it got there is a `Trail`.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.widgets import Input

from tcptop.analysis import filter as language
from tcptop.analysis.filter import FilterError
from tcptop.analysis.selecting import select
from tcptop.columns import KERNEL, LISTINGS, Listing
from tcptop.columns.detail import facts
from tcptop.model.selection import Selection
from tcptop.model.snapshot import Snapshot
from tcptop.tui import bindings, drill, export, header, helping
from tcptop.tui.collector import Collector, Looked, LookFailed, OpenSource
from tcptop.tui.filtering import NOTHING, Clause, feedback, together
from tcptop.tui.models import FactsModel, ListingModel
from tcptop.tui.place import VIEWS, Place, Sort, Trail
from tcptop.tui.prompt import Prompt
from tcptop.tui.terminal_app import TerminalApp
from tcptop.tui.widgets.lines import Lines
from tcptop.tui.widgets.table import Table

OWN_CPU_S = 0.9
INTERVALS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0)
EMPTY = {
    "processes": "No process has a TCP socket here.",
    "sockets": "No socket is selected.",
    "listeners": "Nobody listens on TCP here.",
    "ports": "No connection holds a port of the ephemeral range.",
    "remotes": "There is no connection to anywhere.",
    "kernel": "The kernel's counters cannot be read.",
}


@dataclass(frozen=True)
class Settings:
    """What the command line decided."""

    interval: float = 1.0
    clause: Clause = NOTHING
    scope: str = "current netns"
    user: str = ""
    ascii_only: bool = False


class TcptopApp(TerminalApp):
    """The app; see the module."""

    CSS_PATH = "tcptop.tcss"
    ENABLE_COMMAND_PALETTE = False
    ALLOW_SELECT = False
    BINDINGS: ClassVar[list[BindingType]] = bindings.BINDINGS

    def __init__(self, open_source: OpenSource, names: language.Names, settings: Settings) -> None:
        super().__init__()
        self.settings = settings
        self.selection: Selection | None = None
        self.trail = Trail((Place("processes"),))
        self.sorts = {listing.name: Sort(listing.sort_by) for listing in _listings()}
        self.typed = NOTHING
        self.by_port = False
        self.paused_at: float | None = None
        self._names = names
        self._snapshot: Snapshot | None = None
        self._model: ListingModel | FactsModel | None = None
        self._own: tuple[float, float, float | None] = (time.monotonic(), _cpu_seconds(), None)
        self._collector = Collector(open_source, settings.interval, self)
        self._said = ""

    def compose(self) -> ComposeResult:
        yield Lines(id="title")
        yield Lines(id="strip")
        yield Lines(id="tabs")
        yield Lines(id="scope", rows=0)
        yield Table(ascii_only=self.settings.ascii_only, id="table")
        yield Lines(id="feedback", rows=0)
        yield Prompt()
        yield Lines(id="status")

    def on_mount(self) -> None:
        self._title, self._strip, self._tabs = (
            self.query_one(f"#{name}", Lines) for name in ("title", "strip", "tabs")
        )
        self._scope, self._feedback, self._status = (
            self.query_one(f"#{name}", Lines) for name in ("scope", "feedback", "status")
        )
        self._table = self.query_one(Table)
        self._prompt = self.query_one(Prompt)
        self._table.focus()
        self._draw_lines()
        self._collector.start()

    def on_unmount(self) -> None:
        self._collector.stop()

    def on_resize(self) -> None:
        if hasattr(self, "_status"):
            self.call_after_refresh(self._draw_lines)

    # -- what arrives

    def on_looked(self, message: Looked) -> None:
        first = self._snapshot is None
        self._snapshot = message.snapshot
        if self.paused_at is None:
            self._select(swapped=first)
        else:
            self._draw_lines()

    def on_look_failed(self, message: LookFailed) -> None:
        self._say(message.why)

    # -- what is shown

    @property
    def here(self) -> Place:
        return self.trail.here

    def _select(self, swapped: bool = False) -> None:
        """Evaluate the filters on the snapshot and show the result."""
        if self._snapshot is None:
            return
        expression = together(self.settings.clause, self.typed, self._drilled())
        text = " and ".join(self._filter_texts()) or None
        self.selection = select(self._snapshot, expression, text, self.by_port)
        self._show(swapped)

    def _drilled(self) -> Clause:
        scope = self.here.scope
        return Clause(scope, language.parse(scope)) if scope else NOTHING

    def _filter_texts(self) -> list[str]:
        texts = (self.settings.clause.text, self.typed.text, self.here.scope)
        return [text for text in texts if text]

    def _show(self, swapped: bool) -> None:
        model = self._made_model()
        if model is None:
            return
        self._model = model
        self._table.empty = self._empty()
        if swapped:
            sort = self.sorts.get(self.here.view) if isinstance(model, ListingModel) else None
            key, descending = self._mark(sort)
            self._table.show(model, key, descending, self._followed())
        else:
            self._table.changed(model)
        self._draw_lines()

    def _mark(self, sort: Sort | None) -> tuple[str | None, bool]:
        """The column to mark, and whether its largest value is on top."""
        if sort is None:
            return None, False
        column = _listing(self.here.view).column(sort.key)
        return sort.key, column.largest_first != sort.reverse

    def _followed(self) -> Hashable | None:
        key = self.here.followed
        return key if isinstance(key, Hashable) else None

    def _empty(self) -> str:
        return "Nothing passes the filter." if self._filter_texts() else EMPTY[self.here.view]

    def _made_model(self) -> ListingModel | FactsModel | None:
        if self.here.help:
            return helping.model(self, _listing(self.here.view))
        if self.selection is None:
            return None
        if self.here.socket is not None:
            return self._socket_model(self.selection, self.here.socket)
        view = self.here.view
        return ListingModel(_listing(view), self.selection, self.sorts[view])

    def _socket_model(self, selection: Selection, cookie: int) -> FactsModel:
        table = selection.snapshot.sample.sockets
        rows = (table.cookie == cookie).nonzero()[0]
        if not len(rows):
            self._say("this socket is gone; its last state is shown")
            return self._model if isinstance(self._model, FactsModel) else FactsModel([], TITLES)
        return FactsModel(facts(selection, int(rows[0])), TITLES)

    def _draw_lines(self) -> None:
        width = self.size.width
        self._title.show(header.title(self.selection, self._header_status(), width))
        if self.selection is not None:
            trend = self.selection.snapshot.trend
            self._strip.show(header.strip(trend, width, self.settings.ascii_only))
        self._tabs.show(header.tabs(self.selection, self.here, width))
        extra = header.scope_line(self.selection, self._filter_texts(), width)
        notes = self.selection.snapshot.sample.notes if self.selection is not None else ()
        lines = [line for line in (extra, header.note_line(notes, width)) if line]
        self._scope.show(*lines)
        self._draw_status()

    def _draw_status(self) -> None:
        width = self.size.width
        line = ((f" {self._said}", "warn"),) if self._said else header.footer(width)
        self._status.show(line)

    def _header_status(self) -> header.Status:
        paused = None
        if self.paused_at is not None and self._snapshot is not None:
            paused = self._snapshot.sample.clock - self.paused_at
        return header.Status(
            self.settings.scope,
            self.settings.user,
            self._collector.interval,
            paused,
            self._cpu(),
        )

    def _cpu(self) -> float | None:
        """tcptop's own share of one processor, measured over a second or more."""
        now, used = time.monotonic(), _cpu_seconds()
        then, before, share = self._own
        if now - then >= OWN_CPU_S:
            share = (used - before) / (now - then)
            self._own = (now, used, share)
        return share

    def _say(self, text: str) -> None:
        """Say it in the last line until the next key."""
        self._said = text
        self._draw_status()

    # -- moving about

    def _go(self, trail: Trail) -> None:
        self.trail = trail
        self._said = ""
        self._select(swapped=True)

    def action_view(self, view: str) -> None:
        if self.here != Place(view):
            self._go(Trail((Place(view),)))

    def action_turn(self, steps: int) -> None:
        number = (VIEWS.index(self.here.view) + steps) % len(VIEWS)
        self.action_view(VIEWS[number])

    def action_into(self) -> None:
        self._table.action_open()

    def on_table_opened(self, message: Table.Opened) -> None:
        """A connection opens as its facts, everything else as its connections."""
        model, selection = self._model, self.selection
        if not isinstance(model, ListingModel) or selection is None:
            return
        place = model.place(message.key)
        if place is None or self.here.view == "kernel":
            return
        if self.here.view == "sockets":
            cookie = int(selection.snapshot.sample.sockets.cookie[place])
            target = Place("sockets", self.here.scope, socket=cookie)
        else:
            target = Place("sockets", drill.scope(self.here.view, selection, place))
        self._go(self.trail.into(target, message.key))

    def action_leave(self) -> None:
        if len(self.trail.places) > 1:
            self._go(self.trail.back())
        elif self.typed.text:
            self.typed = NOTHING
            self._select(swapped=True)
        else:
            self._say("this is the first view; q quits")

    def action_help(self) -> None:
        if self.here.help:
            self.action_leave()
        else:
            place = Place(self.here.view, self.here.scope, self.here.socket, help=True)
            self._go(self.trail.into(place, self._table.followed))

    # -- sorting

    def on_table_sort_asked(self, message: Table.SortAsked) -> None:
        sort = self.sorts.get(self.here.view)
        if sort is not None and isinstance(self._model, ListingModel):
            reverse = not sort.reverse if sort.key == message.column_key else False
            self._sort(Sort(message.column_key, reverse))

    def action_sort(self, steps: int) -> None:
        """The next column that is on the screen."""
        sort = self.sorts[self.here.view]
        keys = [column.key for column in self._table.columns_shown]
        at = keys.index(sort.key) + steps if sort.key in keys else 0
        if keys and isinstance(self._model, ListingModel):
            self._sort(Sort(keys[at % len(keys)]))

    def action_reverse(self) -> None:
        sort = self.sorts[self.here.view]
        self._sort(Sort(sort.key, not sort.reverse))

    def _sort(self, sort: Sort) -> None:
        if not isinstance(self._model, ListingModel):
            return
        self.sorts[self.here.view] = sort
        self._table.sorted_by(*self._mark(sort))
        self._show(swapped=False)
        self._say(f"sorted by {_listing(self.here.view).column(sort.key).title}")

    # -- filtering

    def action_filter(self) -> None:
        if not self._prompt.has_focus:
            self._prompt.open(self.typed.text)
            self._feed(self.typed.text)

    def on_input_changed(self, message: Input.Changed) -> None:
        if self._prompt.has_focus:
            self._feed(message.value)

    def _feed(self, text: str) -> None:
        """Where a filter is wrong, or how many sockets it would leave."""
        said, right = feedback(text)
        if right:
            said = self._would_leave(text)
        self._feedback.show(((f"  {said}", "good" if right else "bad"),))

    def _would_leave(self, text: str) -> str:
        if self._snapshot is None:
            return ""
        try:
            expression = language.parse(text)
            count = len(select(self._snapshot, expression).rows)
        except ValueError:  # it has names, which are looked up when it is submitted
            return "names are looked up on Enter"
        return f"{count:,} of {len(self._snapshot.sample.sockets):,} sockets; Enter applies"

    def on_input_submitted(self, message: Input.Submitted) -> None:
        self._apply(message.value.strip())

    @work(thread=True, exclusive=True, exit_on_error=False)
    def _apply(self, text: str) -> None:
        """Resolve names, which may wait for DNS, off the event loop."""
        try:
            clause = Clause(text, language.bind(language.parse(text), self._names))
        except FilterError as error:
            self.call_from_thread(self._refused, error)
        else:
            self.call_from_thread(self._filter, clause)

    def _refused(self, error: FilterError) -> None:
        caret = f"{' ' * error.column}^ {error.message}"
        self._feedback.show(((f"  {caret}", "bad"),))

    def _filter(self, clause: Clause) -> None:
        self._prompt.remember(clause.text)
        self.typed = clause if clause.text else NOTHING
        self._close_prompt()
        self._select(swapped=True)

    def on_prompt_cancelled(self) -> None:
        self._close_prompt()

    def _close_prompt(self) -> None:
        self._prompt.close()
        self._feedback.show()
        self._table.focus()

    # -- the rest

    def action_pause(self) -> None:
        if self.paused_at is not None:
            self.paused_at = None
            self._select()
        elif self._snapshot is not None:
            self.paused_at = self._snapshot.sample.clock
            self._draw_lines()

    def action_group(self) -> None:
        self.by_port = not self.by_port
        self._select(swapped=self.here.view == "remotes")
        self._say("remotes by " + ("address and port" if self.by_port else "address"))

    def action_wide(self) -> None:
        self._table.wide = not self._table.wide
        self._say(
            "all columns; shift and arrows scroll" if self._table.wide else "columns that fit"
        )

    def action_interval(self, steps: int) -> None:
        now = self._collector.interval
        slower = [i for i in INTERVALS if i > now]
        faster = [i for i in reversed(INTERVALS) if i < now]
        choice = slower if steps > 0 else faster
        if choice:
            self._collector.interval = choice[0]
        self._say(f"looking every {self._collector.interval:g} s")
        self._draw_lines()
        self._say(f"looking every {self._collector.interval:g} s")

    def action_mouse(self) -> None:
        self.mouse = not self.mouse
        self._say("mouse on" if self.mouse else "mouse off: the terminal selects text")

    def action_repaint(self) -> None:
        self.repaint_all()

    def action_export(self) -> None:
        if self.selection is None:
            self._say("nothing to export yet")
        else:
            self._export(self.selection)

    @work(thread=True, exclusive=True, exit_on_error=False)
    def _export(self, selection: Selection) -> None:
        self.call_from_thread(self._say, export.write(selection))


TITLES = ("", "What", "Value", "Meaning")


def _listings() -> Iterator[Listing]:
    yield from (*LISTINGS.values(), KERNEL)


def _listing(view: str) -> Listing:
    return KERNEL if view == "kernel" else LISTINGS[view]


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
