"""Lines of text in styles: what turns them into strips, a few of them, or a picture of them."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import ClassVar, Generic, TypeVar

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import BindingType
from textual.filter import LineFilter
from textual.geometry import Region
from textual.message import Message
from textual.scrollbar import ScrollBarRender
from textual.strip import Strip
from textual.widget import Widget

from tcptop.model.cells import cell_width, safe
from tcptop.tui import keys
from tcptop.tui.widgets.layout import Line, window

# What a terminal without UTF-8 shows instead; whatever else is not ASCII becomes a question mark.
ASCII = str.maketrans("▲▼…–†·└┌┐┘├┤┬┴┼─│▁▂▃▄▅▆▇█", "^v~-*.`++++++++-|.:-=+*#@")

STRIPS = 512  # lines kept ready: several screens, so that rows that only move are not rebuilt

COMPONENT_CLASSES = {
    "line--header",
    "line--cursor",
    "line--sorted",
    "line--dim",
    "line--warn",
    "line--bad",
    "line--good",
}

# Colours alone are never enough: with an ansi theme the cursor is in reverse, and the styles have
# attributes that are still there when NO_COLOR takes the colours away.
_STYLES = """
    & > .line--header { background: $panel; color: $foreground; text-style: bold; }
    & > .line--sorted { text-style: bold reverse; }
    & > .line--cursor {
        background: $block-cursor-background; color: $block-cursor-foreground;
    }
    & > .line--dim { color: $text-muted; }
    & > .line--warn { color: $warning; }
    & > .line--bad { color: $error; text-style: bold; }
    & > .line--good { color: $success; }
    &:ansi > .line--header { text-style: bold underline; }
    &:ansi > .line--sorted { text-style: bold reverse; }
    &:ansi > .line--cursor {
        background: ansi_default; color: ansi_default; text-style: reverse;
    }
    &:ansi > .line--dim { color: ansi_default; text-style: dim; }
    &:nocolor > .line--cursor { text-style: reverse; }
    &:nocolor > .line--warn { text-style: underline; }
    &:nocolor > .line--bad { text-style: bold; }
"""


def styles_of(name: str) -> str:
    """Rules by which the widget of that name, with COMPONENT_CLASSES, gives all lines within it
    their styles. Once a screen: seven for each widget took a seventh of the start."""
    return f"{name} {{{_STYLES}}}"


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

    def strips(self, lines: Iterable[Line], crop: Region) -> list[Strip]:
        """The cells of `crop` of the lines, styled; one that does not fit is cut or filled up,
        for the compositor drops it whole."""
        filters = self._widget.get_line_filters()
        if filters != self._filters or len(self._strips) > STRIPS:
            self._filters = filters
            self.forget()
        return [self._strip(line).crop_extend(crop.x, crop.right, None) for line in lines]

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
        shown = safe(text)
        return to_ascii(shown) if self._ascii_only and not shown.isascii() else shown

    def _style(self, style_name: str) -> Style:
        """The style of a name; of "cursor bad" the colours are the cursor's."""
        style = self._styles.get(style_name)
        if style is None:
            style = self._styles[style_name] = self._filtered(self._unfiltered(style_name))
        return style

    def _unfiltered(self, style_name: str) -> Style:
        style, giver = self._widget.rich_style, self._giver()
        for name in reversed(style_name.split()):
            # Without a default, a KeyError before the first style sheet is applied.
            style += giver.get_component_rich_style(f"line--{name}", default=Style())
        return style

    def _giver(self) -> Widget:
        """The nearest around the widget that has the styles."""
        around = (node for node in self._widget.ancestors_with_self if isinstance(node, Widget))
        styled = (node for node in around if node.COMPONENT_CLASSES >= COMPONENT_CLASSES)
        return next(styled, self._widget)

    def _filtered(self, style: Style) -> Style:
        background = self._widget.background_colors[1]
        for line_filter in self._filters:
            style = line_filter.apply([Segment("", style)], background)[0].style or style
        return style


def to_ascii(text: str) -> str:
    """The text in ASCII characters, as many as it has cells."""
    plain = text.translate(ASCII)
    return "".join(c if c.isascii() else "?" * cell_width(c) for c in plain)


class Lines(Widget):
    """Shows lines; only those that differ from the last ones are painted."""

    ALLOW_SELECT = False
    FILLS = False  # whether the height is that of the room, and not that of the lines
    DEFAULT_CSS = "Lines { height: auto; }"

    def __init__(self, ascii_only: bool = False, id: str | None = None, rows: int = 1) -> None:
        self._painter = Painter(self, ascii_only)
        self._lines: tuple[Line, ...] = ((),) * rows
        super().__init__(id=id)
        self.styles.height = "1fr" if self.FILLS else rows

    @property
    def lines(self) -> tuple[Line, ...]:
        return self._lines

    def show(self, *lines: Line) -> None:
        """Replace the lines; the height follows their number."""
        before, self._lines = self._lines, lines
        if len(before) != len(lines):
            if not self.FILLS:
                self.styles.height = len(lines)
            self.refresh(layout=True)
            return
        pairs = enumerate(zip(before, lines, strict=True))
        dirty = [Region(0, y, self.size.width, 1) for y, (old, new) in pairs if old != new]
        if dirty:
            self.refresh(*dirty)

    def text(self) -> str:
        """What is shown, without looks."""
        return "\n".join("".join(text for text, _ in line) for line in self._lines)

    def render_lines(self, crop: Region) -> list[Strip]:
        lines = [window(line, 0, self.size.width) for line in self._lines[crop.y : crop.bottom]]
        return self._painter.strips(lines, crop)

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._painter.forget()


ChosenKey = TypeVar("ChosenKey")


class Diagram(Lines, Generic[ChosenKey], can_focus=True, inherit_bindings=False):
    """Shows as many lines as fit, the chosen thing among them; things go by keys."""

    FILLS = True
    BINDINGS: ClassVar[list[BindingType]] = keys.bindings(keys.DIAGRAM_KEYS)

    class Chosen(Message):
        """Another one is chosen, or there is other room: it is to be drawn."""

    class Opened(Message):
        """The chosen one was clicked again."""

        def __init__(self, key: Hashable) -> None:
            self.key = key
            super().__init__()

    def __init__(
        self,
        chosen: ChosenKey,
        neighbour: Callable[[ChosenKey, int, int], ChosenKey],
        found: Callable[[int, int], ChosenKey | None],
        ascii_only: bool = False,
        id: str | None = None,
    ) -> None:
        """`neighbour` leads from a key in a direction (dx, dy), `found` says what is at a cell."""
        super().__init__(ascii_only, id, rows=0)
        self.chosen = chosen
        self._neighbour, self._found = neighbour, found
        self._top = 0

    def draw(self, lines: Sequence[Line], sight: int) -> None:
        """Show the lines; `sight` is the number of one that has to be in sight."""
        height = self.size.height
        last = max(0, len(lines) - height)
        self._top = max(0, min(self._top, sight - 1, last), min(sight + 2 - height, last))
        seen = lines[self._top : self._top + height]
        self.show(*seen, *[()] * (height - len(seen)))

    def action_step(self, dx: int, dy: int) -> None:
        """Choose what is next in this direction."""
        self._choose(self._neighbour(self.chosen, dx, dy))

    def _choose(self, key: ChosenKey) -> None:
        self.chosen = key
        self.post_message(self.Chosen())

    def on_resize(self) -> None:
        self.post_message(self.Chosen())

    def on_click(self, event: events.Click) -> None:
        key = self._found(event.x, event.y + self._top)
        if key is not None and event.chain == 2 and key == self.chosen:
            self.post_message(self.Opened(key))
        elif key is not None:
            self._choose(key)
