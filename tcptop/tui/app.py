"""The live view: it begins and ends here, and keys and messages become actions.

What the user has chosen to see is the `Session`; `actions` change it, and `MainScreen` shows what
it says. The `Watcher` brings snapshots.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from inspect import isawaitable
from typing import TYPE_CHECKING, ClassVar

from textual import events
from textual.binding import BindingType
from textual.message import Message
from textual.screen import Screen

from tcptop.analysis.clause import Clause
from tcptop.columns import FINDINGS, SOCKETS, Listing
from tcptop.options import THEMES
from tcptop.tui import key_budget, keys, timeline
from tcptop.tui.actions import (
    ACTIONS,
    Told,
    apply_filter,
    export_to,
    find_text,
    jump,
    open_row,
    sort_by,
    view,
)
from tcptop.tui.column_chooser import ColumnChooser
from tcptop.tui.header import Status
from tcptop.tui.lists import live_listing
from tcptop.tui.palette import Palette
from tcptop.tui.player import MomentShown, Player, ReplaySettings
from tcptop.tui.playhead import EARLY, Playhead, mode
from tcptop.tui.recorder import Recorder, RecordingTold
from tcptop.tui.recording import record_to
from tcptop.tui.screen import MainScreen
from tcptop.tui.search import Finder
from tcptop.tui.session import Session
from tcptop.tui.settings import Arrangement, PreferencesFile, ScreenSettings
from tcptop.tui.terminal.display import TerminalApp
from tcptop.tui.terminal.keyboard import key
from tcptop.tui.themes import TERMINAL, themes
from tcptop.tui.time_cursor import TimeCursor
from tcptop.tui.tree_model import LABEL, REDUNDANT
from tcptop.tui.views import VIEWS
from tcptop.tui.watcher import OpenSource, OwnCost, SampleFailed, SnapshotTaken, Watcher
from tcptop.tui.widgets.lines import Diagram
from tcptop.tui.widgets.modal import Box, ChoiceScreen
from tcptop.tui.widgets.table import Table
from tcptop.tui.widgets.top import Top

if TYPE_CHECKING:
    from tcptop.analysis.filter import NameResolver


class NamesLearnt(Message):
    """The resolver knows a name that it did not know when it was asked."""

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, NamesLearnt)


class TcptopApp(TerminalApp, inherit_bindings=False):
    """The app; see the module."""

    TITLE = "tcptop"
    CSS_PATH = "tcptop.tcss"
    ENABLE_COMMAND_PALETTE = False
    ALLOW_SELECT = False
    BINDINGS: ClassVar[list[BindingType]] = keys.app_bindings(keys.GROUPS["keys"])

    def __init__(
        self,
        open_source: OpenSource | ReplaySettings,
        names: NameResolver,
        settings: ScreenSettings,
    ) -> None:
        super().__init__()
        self.settings = settings
        self.player: Player | None = None
        if isinstance(open_source, ReplaySettings):
            self.watcher: Watcher = Player(open_source, self, settings.findings)
            assert isinstance(self.watcher, Player)
            self.player = self.watcher
            time: TimeCursor = Playhead(self.player)
        else:
            self.watcher = Watcher(open_source, settings.interval, self, settings.findings)
            time = TimeCursor(self.watcher.recent)
        self.session = Session.opened(
            settings.opening, settings.clause, settings.findings, time, self.watcher.rings
        )
        self.recorder: Recorder | None = None
        typed = self._apply, self._find, self._export, self._jump, self._record
        self.main = MainScreen(self.session, names, settings, *typed)
        self.finder = Finder(self.main.table, self.call_later, self.say)
        self.palette = ChoiceScreen(Palette(self.run_action, settings.ascii_only))
        self.column_chooser = ChoiceScreen(ColumnChooser(self.arrange, settings.ascii_only))
        self._ends, close = (keys.bound(id, settings.keys) for id in ("quit", "close"))
        self._always = frozenset([*self._ends, *close])  # keys that are taken even of a flood
        self._hurried = {f"alt+{each}": each for each in close}  # Esc and that, at once
        self.budget, self.clicks = key_budget.KeyBudget(self._always), key_budget.ClickBudget()
        self.exported: tuple[object, ...] = ()  # what was written last
        self.failed = ""  # why there was no sample, until the next one
        self._cost = OwnCost()
        self.memory = PreferencesFile(settings.state)
        self.main.said = self.memory.complaint
        self.session.choices.recall(self.memory.preferences.views, self._lists())
        if self.memory.preferences.resolve and settings.other_host is None:
            self.resolve(True)
        self._choose_theme()

    def get_default_screen(self) -> Screen[None]:
        return self.main

    def _choose_theme(self) -> None:
        """The configuration's, or the one of the last time, or the terminal's own colours."""
        for theme in themes():
            self.register_theme(theme)
        self.theme = TERMINAL
        wanted = self.settings.theme or self.memory.preferences.theme
        why_not = self.settings.no_themes
        if wanted in THEMES and wanted != TERMINAL and why_not:
            self.main.said = self.main.said or f"{wanted} is not shown: {why_not}"
        elif wanted in THEMES:
            self.theme = wanted

    def on_mount(self) -> None:
        self.install_screen(self.palette, "palette")
        self.install_screen(self.column_chooser, "columns")
        self.set_keymap(dict(self.settings.keys))
        self.heed(self._ends, self._always)
        self.paint()
        self.watcher.start()

    def on_unmount(self) -> None:
        self.watcher.stop()
        self.remember()
        self.resolve(False)

    # -- keys

    async def on_event(self, event: events.Event) -> None:
        """Keys act at once, in the order in which they were typed.

        Textual hands them to the focused widget's queue and back: of keys that come in one read,
        as on a slow link, `/` would find those after it already gone to the table.
        """
        if isinstance(event, events.Key) and not event.is_forwarded:
            for each in self._apart(event):
                await self._take_key(each)
        elif isinstance(event, events.Paste) and not event.is_forwarded:
            self._take_paste(event.text)
        elif isinstance(event, events.MouseEvent) and not event.is_forwarded:
            await self._take_mouse(event)
        else:
            await super().on_event(event)

    def _apart(self, event: events.Key) -> Sequence[events.Key]:
        """Esc and `q` that come in one read, as in a flood or over a slow link, look like Alt+q,
        which nobody types."""
        second = self._hurried.get(event.key)
        if second is None or event.key in keys.chosen(self.settings.keys):
            return (event,)
        return events.Key("escape", "\x1b"), events.Key(
            second, second if len(second) == 1 else None
        )

    def _take_paste(self, text: str) -> None:
        """Where text is typed; elsewhere it would be keys that nobody meant."""
        opened = self.screen.box if isinstance(self.screen, ChoiceScreen) else None
        if (prompt := self.main.prompt) is not None:
            prompt.paste(text)
        elif opened is not None:
            opened.take_text("".join(filter(str.isprintable, text)))

    async def take_text(self, text: str) -> None:
        """Into a prompt, text goes in one piece; elsewhere its letters are keys."""
        for place, character in enumerate(text):
            if (prompt := self.main.prompt) is not None:
                prompt.write(text[place:])
                return
            await self._take_key(key(character))

    async def _take_key(self, event: events.Key) -> None:
        if self.ending:
            return  # typed ahead of a signal, or after `q`: the screens go already
        text, prompt = event.character if event.is_printable else None, self.main.prompt
        if prompt is not None and text is not None:
            prompt.write(text)
        elif not self.ignores(event.key) and self.budget.lets(event.key):
            try:
                await self._act(event, text)
            except Exception as error:
                self.main.cannot_draw(error)
            self.budget.rest()
        else:
            self.on_flooded()

    async def _take_mouse(self, event: events.MouseEvent) -> None:
        if self.ending:
            return
        if self.clicks.lets(event):
            await super().on_event(event)
        elif isinstance(event, events.MouseDown):
            self._say_once(key_budget.TOO_MANY_CLICKS)

    def on_flooded(self) -> None:
        self._say_once(key_budget.TOLD)

    def _say_once(self, text: str) -> None:
        if self.main.said != text:
            self.say(text)

    async def _act(self, event: events.Key, text: str | None) -> None:
        """What a key is for is done when this returns."""
        opened = isinstance(self.screen, ChoiceScreen) and self.screen.box
        self.say("")
        if self.main.notices.key():
            self.paint()
        if opened and text is not None and opened.take_text(text):
            return
        for priority in (True, False):
            if await self._check_bindings(event.key, priority):
                return
        if text is None or opened:
            return
        self.say(f"{text} does nothing here; ? for keys")

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        always = {name for _, _, name, *_ in keys.ALWAYS}
        return not self.main.typing or action != "do" or parameters[0] in always

    async def action_do(self, name: str, *arguments: object) -> None:
        """One of the `ACTIONS`."""
        told = ACTIONS[name](self, *arguments)
        self.done(await told if isawaitable(told) else told)

    def done(self, told: Told) -> None:
        """An action has changed what is shown, and this is to be said of it."""
        if told is not None:
            self.main.said = told
        self.paint()

    def say(self, text: str) -> None:
        """Say it in the last line until the next key."""
        self.main.say(text)

    def paint(self) -> None:
        """Have the screen show what the session says, and the watcher look for it."""
        try:
            self.main.paint(self._status())
        except Exception as error:
            self.main.cannot_draw(error)

    def _status(self) -> Status:
        session, watcher, time = self.session, self.watcher, self.session.time
        watcher.criteria = session.criteria if time.held is None else None
        watcher.requests = session.requests
        if self.player is not None:
            return self._replayed(self.player)
        return Status(
            self.settings.scope,
            self.settings.user,
            watcher.interval,
            time.held.sample.taken_at if time.held else None,
            time.past,
            *self._cost.shown(time.newest if time.held is None else None),
            self.failed,
            self.recorder is not None and self.recorder.running,
        )

    def _replayed(self, player: Player) -> Status:
        shown = self.session.time.newest
        status = Status(self.settings.scope, "", player.interval, failed=self.failed)
        at = shown.sample.taken_at if shown is not None else 0.0
        early = "" if player.exact or shown is None else EARLY
        lines = timeline.lines(player, *self.size)
        return replace(status, replayed=mode(player, at), timeline=lines, remark=early)

    async def open_box(self, screen: ChoiceScreen[Box]) -> None:
        """The box has the keys when this returns: the next one may be here already."""
        self.main.boxed = True
        self.main.draw_last_line()
        await self.push_screen(screen, self._box_closed)
        screen.box.open()

    def _box_closed(self, result: None) -> None:
        self.main.boxed = False
        self.main.draw_last_line()
        self.remember()

    # -- what arrives

    def on_snapshot_taken(self, message: SnapshotTaken) -> None:
        self.failed = ""
        self.session.take(message.snapshot, message.shown)
        self.paint()

    def on_moment_shown(self, message: MomentShown) -> None:
        if isinstance(self.session.time, Playhead):
            self.session.time.number = message.moment.number
        self.on_snapshot_taken(message)

    def on_progressed(self) -> None:
        self.paint()

    def on_sample_failed(self, message: SampleFailed) -> None:
        if message.final and self.session.time.newest is None:
            self.crash = f"tcptop: {message.why}\n"
            self.exit(return_code=1)
        self.failed = message.why
        self.paint()

    def on_recording_told(self, message: RecordingTold) -> None:
        if self.recorder is not None and not self.recorder.running:
            self.recorder = self.watcher.when_kept = None
        self.session.unrecorded = message.told if message.broken else ""
        self.done(message.told)

    def on_resize(self) -> None:
        self.call_after_refresh(self.paint)

    def on_top_tab_clicked(self, message: Top.TabClicked) -> None:
        self.done(view(self, message.view))

    def on_top_alarm_clicked(self) -> None:
        self.done(view(self, FINDINGS.name))

    def on_table_opened(self, message: Table.Opened) -> None:
        self.done(open_row(self, message.key))

    def on_table_sort_asked(self, message: Table.SortAsked) -> None:
        sort, key = self.session.sort, message.column_key
        self.done(sort_by(self, key, sort.key == key and not sort.reverse))

    def on_diagram_chosen(self) -> None:
        self.paint()

    def on_diagram_opened(self, message: Diagram.Opened) -> None:
        self.done(open_row(self, message.key))

    def _apply(self, clause: Clause) -> None:
        self.done(apply_filter(self, clause))

    def _find(self, text: str) -> None:
        self.done(find_text(self, text))

    def _jump(self, text: str) -> None:
        self.done(jump(self, text))

    def _export(self, name: str) -> None:
        self.done(export_to(self, name))

    def _record(self, path: str) -> None:
        self.done(record_to(self, path))

    # -- what is remembered from run to run

    def _lists(self) -> dict[str, Listing]:
        """Those of the views, as they are shown."""
        rings = self.session.rings
        return {name: live_listing(each.listing, rings=rings) for name, each in VIEWS.items()}

    def remember(self) -> None:
        choices, memory = self.session.choices, self.memory
        views = choices.remembered(memory.preferences.views, self._lists())
        resolve = choices.names is not None
        if self.settings.other_host is not None:  # chosen of that one alone
            resolve = memory.preferences.resolve
        told = memory.keep(replace(memory.preferences, views=views, resolve=resolve))
        if told:
            self.say(told)

    def arrange(self, view: str, arrangement: Arrangement) -> Mapping[str, int]:
        """Show a list like this; the widths of the columns that are on the screen then."""
        choices, table = self.session.choices, self.main.table
        choices.arrangements[view] = arrangement
        self.paint()
        widths = table.widths_shown
        grouped = choices.tree and view == SOCKETS.name  # one column says both
        both = grouped and LABEL in widths  # which has no room, or no rows yet
        return {**widths, REDUNDANT: widths[LABEL]} if both else widths

    # -- names for addresses

    def resolve(self, on: bool) -> None:
        """Begin to ask for names, or end."""
        choices, open_names = self.session.choices, self.settings.open_names
        if choices.names is not None:
            choices.names.close()
        learnt = partial(self.post_message, NamesLearnt())
        choices.names = open_names(learnt) if on and open_names is not None else None

    def on_names_learnt(self) -> None:
        """Only lines with another text than before are painted."""
        shown = self.session.shown
        if shown is not None:
            shown.model.name(self.session.choices.names, anew=True)
            self.paint()
