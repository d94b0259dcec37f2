"""A few lines of text in looks: header, state strip, tabs, status."""

from __future__ import annotations

from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from tcptop.tui.widgets import look
from tcptop.tui.widgets.layout import Line, window


class Lines(Widget):
    """Shows lines; only those that differ from the last ones are painted."""

    ALLOW_SELECT = False
    FILLS = False  # whether the height is that of the room, and not that of the lines
    COMPONENT_CLASSES = look.COMPONENT_CLASSES
    DEFAULT_CSS = look.CSS.replace("Table {", "Lines {", 1).replace(
        "height: 1fr; overflow-x: hidden; overflow-y: auto;\n"
        "    scrollbar-size-vertical: 1; scrollbar-gutter: stable;",
        "height: auto;",
    )

    def __init__(self, ascii_only: bool = False, id: str | None = None, rows: int = 1) -> None:
        self._painter = look.Painter(self, ascii_only)
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
        return [strip.crop(crop.x, crop.right) for strip in self._painter.strips(lines)]

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._painter.forget()
