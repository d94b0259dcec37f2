"""What the user arranges, and finds again the next time: columns, sort orders, names."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import replace
from functools import partial

from textual.app import ComposeResult
from textual.message import Message

from tcptop.analysis import filter as language
from tcptop.columns import SOCKETS
from tcptop.tui.chooser import Chooser
from tcptop.tui.moving import Moving
from tcptop.tui.place import Sort
from tcptop.tui.preferences import Arrangement, PreferencesFile
from tcptop.tui.session import Session
from tcptop.tui.settings import ScreenSettings
from tcptop.tui.tree import LABEL, REDUNDANT, TreeGroup
from tcptop.tui.viewing import live_listing
from tcptop.tui.views import VIEWS, digit
from tcptop.tui.watcher import OpenSource
from tcptop.tui.widgets.overlay import Overlay


class NamesLearnt(Message):
    """The resolver knows a name that it did not know when it was asked."""

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, NamesLearnt)


class Choosing(Moving, inherit_bindings=False):
    """The keys of overlays, and the memory behind them."""

    def __init__(
        self, open_source: OpenSource, names: language.NameResolver, settings: ScreenSettings
    ) -> None:
        super().__init__(open_source, names, settings)
        self._memory = PreferencesFile(settings.state)
        self._chooser = Chooser(self._arrange, settings.ascii_only)
        recall(self._memory, self.session)
        if self._memory.preferences.resolve:
            self._resolve(True)
        self._said = self._memory.complaint

    def compose(self) -> ComposeResult:
        yield from super().compose()
        yield from self._overlays

    @property
    def _overlays(self) -> tuple[Overlay, ...]:
        return (self._chooser,)

    @property
    def overlaid(self) -> bool:
        """Whether an overlay has the keys."""
        return any(overlay.is_open for overlay in self._overlays)

    def on_overlay_closed(self) -> None:
        self._remember()

    def on_unmount(self) -> None:
        self._remember()
        self._resolve(False)

    def _remember(self) -> None:
        session, memory = self.session, self._memory
        views = dict(_arrangements(memory, session))
        resolve = session.names is not None
        told = memory.keep(replace(memory.preferences, views=views, resolve=resolve))
        if told:
            self._say(told)

    # -- names

    def action_names(self) -> None:
        on = self.session.names is None
        self._resolve(on)
        self._show()
        self._remember()
        self._say(
            "names of hosts and services where they are known; asked for in the background"
            if on
            else "addresses and ports as numbers"
        )

    def _resolve(self, on: bool) -> None:
        """Begin to ask for names, or end."""
        session, open_names = self.session, self.settings.open_names
        if session.names is not None:
            session.names.close()
        learnt = partial(self.post_message, NamesLearnt())
        session.names = open_names(learnt) if on and open_names is not None else None

    def on_names_learnt(self) -> None:
        """Only lines with another text than before are painted."""
        shown = self.session.shown
        if shown is not None:
            shown.model.name(self.session.names, anew=True)
            self._show()

    # -- the tree

    def action_tree(self) -> None:
        session = self.session
        if self.here.view != SOCKETS.name or not self.here.listing:
            self._say(f"only connections are grouped; {digit(SOCKETS)} shows them")
            return
        session.tree = not session.tree
        self._show()
        self._say(
            "by process and remote; Enter folds and unfolds" if session.tree else "a plain list"
        )

    def _open(self, key: Hashable | None) -> None:
        if isinstance(key, TreeGroup):
            self.session.turned ^= {key}
            self._show()
        else:
            super()._open(key)

    # -- columns

    def action_columns(self) -> None:
        view = self.here.view
        if not self.here.listing or self.pictured:
            self._say("only lists have columns to choose")
            return
        arrangement = self.session.arrangements.get(view, Arrangement())
        self._chooser.begin(self.session.listing, arrangement)

    def _arrange(self, view: str, arrangement: Arrangement) -> Mapping[str, int]:
        self.session.arrangements[view] = arrangement
        self._show()
        widths = self._table.widths_shown
        grouped = self.session.tree and view == SOCKETS.name  # one column says both
        return {**widths, REDUNDANT: widths[LABEL]} if grouped else widths


def recall(memory: PreferencesFile, session: Session) -> None:
    """Give a session the columns and orders of the last time."""
    for view in session.sorts:
        arrangement = memory.preferences.views.get(view)
        if arrangement is None:
            continue
        session.arrangements[view] = arrangement
        columns = live_listing(VIEWS[view].listing, rings=session.rings).columns
        found = arrangement.sorted_by([column.key for column in columns])
        if found is not None:
            session.sorts[view] = Sort(*found)


def _arrangements(memory: PreferencesFile, session: Session) -> Iterator[tuple[str, Arrangement]]:
    """Of each view that is not as it usually is, and of those of other versions."""
    yield from memory.preferences.views.items()
    for view, sort in session.sorts.items():
        usual = sort == Sort(VIEWS[view].listing.sort_by)
        now = session.arrangements.get(view, Arrangement())
        made = replace(now, sort=None if usual else sort.key, reverse=sort.reverse and not usual)
        if made != Arrangement() or view in memory.preferences.views:
            yield view, made
