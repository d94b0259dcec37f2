"""How the lines of a table look: styles by component classes, strips kept ready."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.filter import LineFilter
from textual.scrollbar import ScrollBarRender
from textual.strip import Strip
from textual.widget import Widget

from tcptop.tui.widgets.layout import Line

# What a terminal without UTF-8 shows instead; whatever else is not ASCII becomes a question mark.
ASCII = str.maketrans("▲▼…–†·└┌┐┘├┤┬┴┼─│▁▂▃▄▅▆▇█", "^v~-*.`++++++++-|.:-=+*#@")

STRIPS = 512  # lines kept ready: several screens, so that rows that only move are not rebuilt

COMPONENT_CLASSES = {
    "table--header",
    "table--cursor",
    "table--dim",
    "table--warn",
    "table--bad",
    "table--good",
}

# Colours alone are never enough: with an ansi theme the cursor is in reverse, and the styles have
# attributes that are still there when NO_COLOR takes the colours away.
CSS = """
Table {
    height: 1fr; overflow-x: hidden; overflow-y: auto;
    scrollbar-size-vertical: 1; scrollbar-gutter: stable;
    & > .table--header { background: $panel; color: $foreground; text-style: bold; }
    & > .table--cursor {
        background: $block-cursor-background; color: $block-cursor-foreground;
    }
    & > .table--dim { color: $text-muted; }
    & > .table--warn { color: $warning; }
    & > .table--bad { color: $error; text-style: bold; }
    & > .table--good { color: $success; }
    &:ansi > .table--header { text-style: bold underline; }
    &:ansi > .table--cursor {
        background: ansi_default; color: ansi_default; text-style: reverse;
    }
    &:ansi > .table--dim { color: ansi_default; text-style: dim; }
    &:nocolor > .table--cursor { text-style: reverse; }
    &:nocolor > .table--warn { text-style: underline; }
    &:nocolor > .table--bad { text-style: bold; }
}
"""


class SolidBar(ScrollBarRender):
    """Whole cells only: blocks of eighths need glyphs and bytes."""

    VERTICAL_BARS: ClassVar[list[str]] = [" "]


class Painter:
    """Turns lines into strips for `widget`.

    The line filters (NO_COLOR) are applied to the few styles, instead of to every line as
    Textual's StylesCache does.
    """

    def __init__(self, widget: Widget, ascii_only: bool) -> None:
        self._widget = widget
        self._ascii_only = ascii_only
        self._strips: dict[Line, Strip] = {}
        self._styles: dict[str, Style] = {}
        self._filters: Sequence[LineFilter] = ()

    def strips(self, lines: Iterable[Line]) -> list[Strip]:
        """The lines, styled."""
        filters = self._widget.get_line_filters()
        if filters != self._filters or len(self._strips) > STRIPS:
            self._filters = filters
            self.forget()
        return [self._strip(line) for line in lines]

    def forget(self) -> None:
        """The styles have changed."""
        self._strips.clear()
        self._styles.clear()

    def _strip(self, line: Line) -> Strip:
        strip = self._strips.get(line)
        if strip is None:
            pieces = [(self._drawable(text), style) for text, style in line]
            strip = Strip([Segment(text, self._style(style)) for text, style in pieces])
            self._strips[line] = strip
        return strip

    def _drawable(self, text: str) -> str:
        return to_ascii(text) if self._ascii_only and not text.isascii() else text

    def _style(self, style_name: str) -> Style:
        """The style of a name; of "cursor bad" the colours are the cursor's."""
        style = self._styles.get(style_name)
        if style is None:
            style = self._styles[style_name] = self._filtered(self._unfiltered(style_name))
        return style

    def _unfiltered(self, style_name: str) -> Style:
        style = self._widget.rich_style
        for name in reversed(style_name.split()):
            # Without a default, a KeyError before the first style sheet is applied.
            style += self._widget.get_component_rich_style(f"table--{name}", default=Style())
        return style

    def _filtered(self, style: Style) -> Style:
        background = self._widget.background_colors[1]
        for line_filter in self._filters:
            style = line_filter.apply([Segment("", style)], background)[0].style or style
        return style


def to_ascii(text: str) -> str:
    """The text in as many ASCII characters."""
    return text.translate(ASCII).encode("ascii", "replace").decode()
