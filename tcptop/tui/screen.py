"""The main screen: its widgets, and what they show of a session.

┌ Top ─────────────────────────── title, alarm, states, tabs; the filter in force, a remark
│ Table, or Diagram ───────────── a list, a pane, a text; the states as a picture
│ FilterBar, FindBar ──────────── while one types
└ Lines ───────────────────────── the last line: keys, or what is said until the next one
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from textual.app import ComposeResult
from textual.geometry import Size
from textual.screen import Screen
from textual.widget import Widget

from tcptop.analysis.clause import Clause
from tcptop.analysis.findings import silence
from tcptop.analysis.findings.rules import RULES
from tcptop.analysis.findings.words import clock_time
from tcptop.columns import FINDINGS
from tcptop.columns.units import coarse_age
from tcptop.explain import page
from tcptop.model import mistake, tcp
from tcptop.model.cells import safe, wrap
from tcptop.tui import header, help, keys, state_diagram
from tcptop.tui.help import PageModel
from tcptop.tui.hints import Screenful, hints
from tcptop.tui.models import FactsModel
from tcptop.tui.notices import Notices
from tcptop.tui.overview import layout as overview
from tcptop.tui.overview.board import Spot
from tcptop.tui.overview.picture import Overview
from tcptop.tui.panes.rows import Room, Scene
from tcptop.tui.place import CONTENTS, Place
from tcptop.tui.session import Session
from tcptop.tui.settings import ScreenSettings
from tcptop.tui.widgets.filter_bar import FilterBar
from tcptop.tui.widgets.layout import Line, TableModel
from tcptop.tui.widgets.lines import COMPONENT_CLASSES, Diagram, Lines, styles_of
from tcptop.tui.widgets.prompt import FileBar, FindBar, JumpBar, Prompt, RecordBar
from tcptop.tui.widgets.table import Table
from tcptop.tui.widgets.top import Top

if TYPE_CHECKING:
    from tcptop.analysis.filter import NameResolver
    from tcptop.tui.ticket import OnScreen

ROOM_FOR_NOTES = 16  # rows of the terminal; the help has them too
FACT_TITLES = ("", "What", "Value", "Meaning")
HELP_TITLES = ("", "Keys", "", "What it does, or what the column means")
FINDING_TITLES = ("", "What", "", "Details")
PAGE_TITLES = ("", "Page", "", "About")


class MainScreen(Screen[None], inherit_bindings=False):
    """Has the widgets show what the session says; see the module.

    Without the bindings of Textual's screens, which would move the focus on Tab.
    """

    COMPONENT_CLASSES = COMPONENT_CLASSES
    DEFAULT_CSS = styles_of("MainScreen")

    def __init__(
        self,
        session: Session,
        names: NameResolver,
        settings: ScreenSettings,
        applied: Callable[[Clause], object],
        asked: Callable[[str], object],
        named: Callable[[str], object],
        timed: Callable[[str], object],
        recorded: Callable[[str], object],
    ) -> None:
        """`applied` is told a filter that was typed, `asked` a text that is to be found, `named`
        a file that is to be written, `timed` a time, `recorded` a recording."""
        super().__init__()
        self._session, self._settings = session, settings
        self._place: tuple[int, Place] | None = None  # what the table shows
        ascii_only = settings.ascii_only
        self.said = ""  # in the last line, until the next key
        self.boxed = False  # whether a box is above it, which has the keys
        self.undrawn: Exception | None = None  # what could not be drawn first, and why
        self.notices = Notices()
        self.top = Top(ascii_only)
        self.table = Table(ascii_only=ascii_only, id="table")
        self.diagram = Diagram(
            tcp.ESTABLISHED, state_diagram.neighbour, state_diagram.state_at, ascii_only, "diagram"
        )
        self.overview = Overview(ascii_only)
        self.diagram.display = self.overview.display = False
        self.filter_bar = FilterBar(names, ascii_only, applied, self._typed)
        self.find_bar = FindBar(ascii_only, asked, self._typed)
        self.file_bar = FileBar(ascii_only, named, self._typed)
        self.jump_bar = JumpBar(ascii_only, timed, self._typed)
        self.record_bar = RecordBar(ascii_only, recorded, self._typed)
        self.timeline = Lines(ascii_only, id="timeline", rows=0)  # of a replay
        self.last_line = Lines(ascii_only, id="status")

    def compose(self) -> ComposeResult:
        yield from (self.top, self.table, self.diagram, self.overview)
        yield self.timeline
        yield from (*self._bars, self.last_line)

    def on_mount(self) -> None:
        self.table.focus()

    # -- what has the keys, and where the cursor is

    @property
    def typing(self) -> bool:
        """Whether the keys are text."""
        return self.prompt is not None

    @property
    def prompt(self) -> Prompt | None:
        """Where text is typed; None while keys are keys."""
        return next((bar.prompt for bar in self._bars if bar.is_open), None)

    @property
    def _bars(self) -> tuple[FilterBar | FindBar, ...]:
        asked = self.find_bar, self.file_bar, self.jump_bar, self.record_bar
        return self.filter_bar, *asked

    @property
    def picture(self) -> Diagram[int] | Overview | None:
        """What is shown instead of the table, where the view has a picture and there is room."""
        view = self._session.view
        if not view.picture or not self._session.here.listing:
            return None
        least = overview.LEAST if view.picture == "overview" else state_diagram.LEAST
        if self.app.size.width < least[0] or self.app.size.height < least[1]:
            return None
        return self.overview if view.picture == "overview" else self.diagram

    @property
    def pictured(self) -> bool:
        return self.picture is not None

    @property
    def body(self) -> Widget:
        """The widget that has the keys where nobody types."""
        return self.picture or self.table

    @property
    def cursor(self) -> Hashable | None:
        """The key of what is chosen; None where there is nothing."""
        return self.picture.chosen if self.picture else self.table.cursor

    @property
    def followed(self) -> Hashable | None:
        """The key to come back to; None while the cursor stays at the top."""
        return self.picture.chosen if self.picture else self.table.followed

    def type_filter(self) -> None:
        """Have the keys write a filter, beginning with the one in force."""
        self.last_line.display = False
        self.filter_bar.open(self._session.typed.text)

    def type_text(self) -> None:
        """Have the keys write a text to find."""
        self.last_line.display = False
        self.find_bar.open()

    def type_file(self, name: str) -> None:
        """Have the keys write the name of a file."""
        self.last_line.display = False
        self.file_bar.open(name)

    def type_recording(self, name: str) -> None:
        """Have the keys write the name of a recording."""
        self.last_line.display = False
        self.record_bar.open(name)

    def type_time(self) -> None:
        """Have the keys write a time."""
        self.last_line.display = False
        self.jump_bar.open()

    def _typed(self) -> None:
        self.last_line.display = True
        self.set_focus(self.body)

    def on_screen(self) -> OnScreen | None:
        """What is shown, for a file; None before the first sample."""
        from tcptop.tui.ticket import on_screen

        return on_screen(self._session, self.table, self.picture, self._settings.netns)

    # -- painting

    def paint(self, status: header.Status) -> None:
        """Show what the session says now; only what differs is painted."""
        try:
            self._paint(status)
        except Exception as error:
            self.cannot_draw(error)

    def cannot_draw(self, error: Exception) -> None:
        """Say it in place of the list, which other views may still have."""
        self.undrawn = self.undrawn or error
        told = f"This cannot be drawn. Other views may be. {mistake.told(error)}"
        self.table.empty = "\n".join(wrap(told, max(20, self.table.row_width)))
        self.table.clear()
        self._place = None
        self.say(f"cannot draw: {mistake.told(error)}")

    def _paint(self, status: header.Status) -> None:
        session = self._session
        self.filter_bar.snapshot = session.snapshot
        self.table.empty = empty(session, self.table.row_width)
        if not self.body.display:
            self._swap(status)
        if self.picture is self.overview:
            self._draw_overview()
        elif self.pictured:
            self._draw_diagram()
        else:
            self._draw_table()
        shown = session.shown
        selection = shown.selection if shown is not None else None
        width, height = self.app.size
        worst = header.alarm(session.snapshot, session.settings, width)
        noted = self.notices.show(notes(session), session.snapshot, height >= ROOM_FOR_NOTES)
        remark = remarked(session, status, noted, width)
        status = replace(status, noted=bool(notes(session)) and not noted)
        self.top.show(selection, session.here.view, status, worst, remark)
        self.timeline.show(*status.timeline)
        self.draw_last_line()

    def _swap(self, status: header.Status) -> None:
        """A picture in place of the table, or back."""
        for each in (self.table, self.diagram, self.overview):
            each.display = each is self.body
        self._place = None
        if not self.pictured:  # texts and panes are made for a width, which the table has to get
            self.call_after_refresh(self.paint, status)
        if not self.typing:
            self.set_focus(self.body)
        followed = self._session.here.followed
        if self.picture is self.diagram and isinstance(followed, int):
            self.diagram.chosen = followed
        elif self.picture is self.overview and isinstance(followed, Spot):
            self.overview.chosen = followed

    def _draw_diagram(self) -> None:
        session, diagram = self._session, self.diagram
        shown = session.shown
        if shown is None or not diagram.size:
            return  # it says when it has room
        drawing = shown.selection, diagram.chosen, session.rings, self._room(diagram.size)
        lines = state_diagram.lines(*drawing)
        diagram.draw(lines, state_diagram.BOXES[diagram.chosen].y)

    @property
    def _screenful(self) -> Screenful:
        picture = self._session.view.picture if self.pictured else ""
        return Screenful(picture, self.table.wide, self.table.followed is not None)

    def _draw_overview(self) -> None:
        session = self._session
        # What is typed ahead acts before it has its room, which is that of the table.
        size = self.overview.size or self.table.size
        if session.shown is None or not size:
            return  # it says when it has room
        scene = Scene(session.shown.selection, session.rings, self._room(size))
        self.overview.picture(scene, session.settings)

    def _room(self, size: Size) -> Room:
        return Room(*size, self._settings.ascii_only, self._session.time.called)

    def _draw_table(self) -> None:
        session, model = self._session, self._model()
        if model is None:  # before the first sample; nor is what was read meanwhile a list
            self.table.clear()
            self._place = None
            return
        place = len(session.trail.places), replace(session.here, followed=None)
        if place != self._place:
            self.table.show(model, *sorted_by(session), session.here.followed)
        else:
            self.table.changed(model)
            self.table.sorted_by(*sorted_by(session))
        self._place = place

    def _model(self) -> TableModel | None:
        """What the table shows; None before the first sample."""
        session, table = self._session, self.table
        here, width = session.here, table.row_width
        if here.help:
            replayed = session.time.replayed
            told = help.facts(session.listing, notes(session), self._settings.keys, replayed)
            return FactsModel(told, HELP_TITLES, width)
        if here.page is not None:
            return _page(here.page, width)
        if here.changes:
            return session.time.changes
        pane = session.pane(self._room(Size(width, table.size.height - 1)))
        if pane is not None:
            return pane
        if here.item is not None:
            return FactsModel(session.watch(here.item), FACT_TITLES, width)
        shown = session.shown
        if shown is not None:
            shown.model.name(session.choices.names)
            shown.model.arrange(session.choices.arrangements.get(here.view))
        return shown.model if shown is not None else None

    # -- the last line

    def say(self, text: str) -> None:
        """Say it in the last line until the next key."""
        self.said = text
        self.draw_last_line()

    def draw_last_line(self) -> None:
        width = self.app.size.width
        if self.said:
            self.last_line.show(header.remark(self.said, "warn", width))
            return
        chosen = self._settings.keys
        # A box names its own keys; those of what is beneath do nothing then.
        named = [
            (keys.key_names(chosen.get(id, usual))[0], what)
            for id, usual, what in ([] if self.boxed else hints(self._session, self._screenful))
        ]
        self.last_line.show(header.footer(named, width))


def _page(name: str, width: int) -> FactsModel | PageModel:
    found = page(name) if name != CONTENTS else None
    return PageModel(found, width) if found else FactsModel(help.contents(), PAGE_TITLES, width)


def sorted_by(session: Session) -> tuple[str | None, bool]:
    """The column that a list is sorted by, and whether its largest value is on top."""
    if not session.here.listing:
        return None, False
    sort = session.sort
    return sort.key, session.listing.column(sort.key).largest_first != sort.reverse


def empty(session: Session, width: int) -> str:
    """Why there are no rows, and what to do; in lines."""
    if session.shown is None:
        return ""  # the first sample is on its way
    changes = session.time.changes
    if session.here.changes and changes is not None:
        return f"No changes since {clock_time(changes.compared.old.sample.taken_at)}."
    if len(session.trail.places) > 1:
        return "Nothing left of it. Esc goes back."
    if session.typed.text:
        said = "Nothing matches the filter. Esc clears it, / changes it."
        return _nothing_matches(session, said, width)
    if session.fixed.text:
        return _nothing_matches(session, "Nothing matches the filter of the command line.", width)
    if session.here.view == FINDINGS.name:
        return "\n".join(_nothing_found(session, width))
    return session.listing.empty


def _nothing_matches(session: Session, said: str, width: int) -> str:
    """What is said, and what would match where a name in the filter fits nobody."""
    hint = session.shown.selection.hint if session.shown is not None else ""
    lines = [said, *wrap(safe(hint[:1].upper() + hint[1:]), max(20, width))]
    return "\n".join(lines)


def _nothing_found(session: Session, width: int) -> list[str]:
    """What was watched for how long, and what could not be found."""
    snapshot, settings = session.snapshot, session.settings
    if snapshot is None:
        return [""]
    watched = f"watched for {coarse_age(snapshot.over_s)}" if snapshot.over_s else "one sample"
    said = [f"No problems in {len(RULES)} checks, {watched}."]
    if waiting := silence.unlooked(snapshot.over_s, settings):
        said += [f"These need a longer watch: {', '.join(waiting)}."]
    said += [each.note for each in snapshot.silent]
    if settings.ignored:
        said += [f"These are ignored: {', '.join(sorted(settings.ignored))}."]
    said += ["X lists the pages that explain them."]
    return [line for each in said for line in wrap(each, max(20, width))]


def notes(session: Session) -> tuple[str, ...]:
    """What the sample that is shown could not see, and where tcptop failed."""
    snapshot = session.snapshot
    if snapshot is None:
        return ()
    silent = (each.note for each in snapshot.silent if each.fault)
    lost = (session.unrecorded,) if session.unrecorded else ()
    return (*lost, *silent, *snapshot.sample.notes)


def remarked(
    session: Session, status: header.Status, noted: Sequence[str], width: int
) -> Line | None:
    """What has to be known of the picture: it is old, or not complete."""
    if status.failed:
        return header.remark(status.failed, "bad", width)
    if status.remark:
        return header.remark(status.remark, "warn", width)
    gone = _gone(session)
    if gone:
        return header.remark(gone, "warn", width)
    if session.here.changes and session.clause.text:
        return header.remark("changes are those of all sockets", "dim", width)
    by = "note of the recording" if session.time.replayed else "note"
    return header.remark(f"{by}: {' '.join(noted)}", "dim", width) if noted else None


def _gone(session: Session) -> str:
    """That the item which is looked at is no more; since when, which does not tick."""
    past = session.gone
    if past is None:
        return ""
    if session.early:
        return f"it did not exist yet; shown as of {clock_time(past.taken_at)}"
    end = "over" if past.finding is not None else "gone"
    return f"this is {end} since {clock_time(past.taken_at)}; what was known last is shown"
