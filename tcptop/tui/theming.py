"""`T`: another theme, remembered; where the terminal has too few colours, why not."""

from __future__ import annotations

from dataclasses import replace

from tcptop.analysis import filter as language
from tcptop.options import THEMES
from tcptop.tui.commanding import Commanding
from tcptop.tui.settings import ScreenSettings
from tcptop.tui.themes import TERMINAL, themes
from tcptop.tui.watcher import OpenSource


class Theming(Commanding, inherit_bindings=False):
    """The configuration's theme, or the one of the last time, or the terminal's own colours."""

    def __init__(
        self, open_source: OpenSource, names: language.NameResolver, settings: ScreenSettings
    ) -> None:
        super().__init__(open_source, names, settings)
        for theme in themes():
            self.register_theme(theme)
        wanted = settings.theme or self._memory.preferences.theme
        self.theme = TERMINAL
        if wanted in THEMES and wanted != TERMINAL:
            if settings.no_themes:
                self._said = self._said or f"{wanted} is not shown: {settings.no_themes}"
            else:
                self.theme = wanted

    def action_next_theme(self) -> None:
        self.action_use_theme(THEMES[(THEMES.index(self.theme) + 1) % len(THEMES)])

    def action_use_theme(self, name: str) -> None:
        if self.settings.no_themes and name != TERMINAL:
            self._say(f"no other themes: {self.settings.no_themes}")
            return
        self.theme = name
        self._memory.keep(replace(self._memory.preferences, theme=name))
        self._say(f"theme {name}: {MEANINGS[name]}")


MEANINGS = {
    "terminal": "the terminal's own colours",
    "dark": "light on dark",
    "light": "dark on light",
    "contrast": "white and bright on black",
    "solarized": "on blue",
}
