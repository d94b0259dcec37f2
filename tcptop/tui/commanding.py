"""Everything by name: what the palette offers at the moment, and what it runs."""

from __future__ import annotations

from collections.abc import Iterator

from textual import events

from tcptop.analysis import filter as language
from tcptop.columns.marks import KEY as MARK
from tcptop.explain import pages
from tcptop.options import THEMES
from tcptop.tui import keys
from tcptop.tui.choosing import Choosing
from tcptop.tui.palette import Command, Palette
from tcptop.tui.place import Sort
from tcptop.tui.settings import ScreenSettings
from tcptop.tui.watcher import OpenSource
from tcptop.tui.widgets.overlay import Overlay


class Commanding(Choosing, inherit_bindings=False):
    """The palette and the actions that have no key."""

    def __init__(
        self, open_source: OpenSource, names: language.NameResolver, settings: ScreenSettings
    ) -> None:
        super().__init__(open_source, names, settings)
        self._palette = Palette(self.run_action, settings.ascii_only)

    @property
    def _overlays(self) -> tuple[Overlay, ...]:
        return *super()._overlays, self._palette

    def _written(self, event: events.Key) -> bool:
        """Whether a key is text for the palette, which has it at once and in order."""
        text = event.character if event.is_printable else None
        if text is not None and self._palette.is_open:
            self._palette.type(text)
            return True
        return False

    def action_commands(self) -> None:
        themes = (Command(f"theme {name}", "", "", f"use_theme('{name}')") for name in THEMES)
        self._palette.begin([*self._by_key(), *self._by_column(), *themes, *_by_page()])

    def _by_key(self) -> Iterator[Command]:
        for id, usual, action, label, told in keys.GROUPS["keys"]:
            name = f"view {label}" if action.startswith("view(") else label
            key = keys.key_names(self.settings.keys.get(id, usual))[0]
            if id != "commands":
                yield Command(name, "" if told == label else told, key, action)

    def _by_column(self) -> Iterator[Command]:
        if self.here.listing and not self.pictured:
            for column in self.session.listing.columns:
                if column.key != MARK:
                    action = f"sort_by('{column.key}')"
                    yield Command(f"sort by {column.title}", column.meaning, "", action)

    def action_sort_by(self, key: str) -> None:
        self._sort(Sort(key))

    def action_explain_page(self, name: str) -> None:
        self._explain(name)

    def _sort(self, sort: Sort) -> None:
        raise NotImplementedError


def _by_page() -> Iterator[Command]:
    for page in pages():
        yield Command(f"explain {page.name}", page.summary, "", f"explain_page('{page.name}')")
