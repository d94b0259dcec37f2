"""A picture of whole lines with things in it that can be chosen, such as states."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual import events
from textual.binding import BindingType
from textual.message import Message

from tcptop.tui import keys
from tcptop.tui.widgets.layout import Line
from tcptop.tui.widgets.lines import Lines


class Diagram(Lines, can_focus=True, inherit_bindings=False):
    """Shows as many lines as fit, the chosen thing among them; keys are numbers."""

    FILLS = True
    BINDINGS: ClassVar[list[BindingType]] = keys.bindings(keys.DIAGRAM_KEYS)

    class Chosen(Message):
        """Another one is chosen, or there is other room: it is to be drawn."""

    class Opened(Message):
        """The chosen one was clicked again."""

        def __init__(self, key: int) -> None:
            self.key = key
            super().__init__()

    def __init__(
        self,
        chosen: int,
        neighbour: Callable[[int, int, int], int],
        found: Callable[[int, int], int | None],
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

    def _choose(self, key: int) -> None:
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
