"""A box above the rest of the screen, with lines to choose from; it costs its cells, once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Generic, TypeVar

from textual import events
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.geometry import Offset
from textual.screen import ModalScreen

from tcptop.model.cells import cell_width, cut
from tcptop.tui import keys
from tcptop.tui.widgets.layout import Line, merge, window
from tcptop.tui.widgets.lines import COMPONENT_CLASSES, Lines, styles_of

WIDEST = 96  # cells


class ChoiceBox(Lines, can_focus=True, inherit_bindings=False):
    """Rows to choose from, in a `ChoiceScreen`. To derive from: the methods below.

    What a key does is done when it returns, with no message on the way: the next key may be here
    already.
    """

    COMPONENT_CLASSES = COMPONENT_CLASSES
    DEFAULT_CSS = styles_of("ChoiceBox")

    def __init__(self, ascii_only: bool, id: str) -> None:
        super().__init__(ascii_only, id, rows=0)
        self.row = 0  # under the cursor
        self._first = 0  # the row at the top

    # -- what a derived class says

    def heading(self) -> str:
        """What the upper edge says."""
        raise NotImplementedError

    def hint(self) -> str:
        """What the lower edge says: the keys."""
        raise NotImplementedError

    def rows(self, width: int) -> Sequence[Line]:
        """What there is to choose from, in lines of `width` cells."""
        raise NotImplementedError

    def take_text(self, text: str) -> bool:
        """Whether a printable key is text for this box, and not one of its keys."""
        return False

    # -- what the owner calls

    @property
    def is_open(self) -> bool:
        return self.is_attached and self.screen.is_active

    def open(self) -> None:
        """Begin with the first row; the screen is there."""
        self.row = self._first = 0
        self.draw()
        if self.is_open:  # the app may have ended meanwhile
            self.screen.set_focus(self)  # at once, for the next key may be here already

    def close(self) -> None:
        if self.is_open:
            self.screen.dismiss()

    def draw(self) -> None:
        """Paint the lines that changed, and lay out where their number did."""
        if not self.is_open:
            return
        across, down = self.app.size
        width = min(across, WIDEST)
        rows = self.rows(width - 4)
        self.row = max(0, min(self.row, len(rows) - 1))
        height = min(len(rows), max(1, down - 3))
        self._first = max(0, min(self._first, self.row), self.row - height + 1)
        self._first = min(self._first, max(0, len(rows) - height))
        self._lay_out(width, Offset((across - width) // 2, max(0, (down - height - 2) // 3)))
        seen = enumerate(rows[self._first : self._first + height], self._first)
        body = [self._boxed(row, at == self.row, width - 4) for at, row in seen]
        more = len(rows) - self._first - height
        hint = _legend(self.hint(), f"{more} more" if more > 0 else "", width - 6)
        self.show(_edge("┌┐", self.heading(), width), *body, _edge("└┘", hint, width))

    def _lay_out(self, width: int, offset: Offset) -> None:
        self.styles.width = width
        self.styles.offset = offset

    def _boxed(self, row: Line, chosen: bool, width: int) -> Line:
        inner = window((*row, ("", "")), 0, width)
        if chosen:
            inner = tuple((text, f"cursor {style}".rstrip()) for text, style in inner)
        return merge([("│ ", "dim"), *inner, (" │", "dim")])

    # -- keys and mouse

    def action_step(self, rows: int) -> None:
        """Move the cursor."""
        self.row += rows
        self.draw()

    def action_close(self) -> None:
        self.close()

    def on_click(self, event: events.Click) -> None:
        """A row is chosen, and acted upon by a second click."""
        row = self._first + event.y - 1
        if 0 < event.y < len(self.lines) - 1:
            self.row = row
            self.draw()
            if event.chain == 2:
                self.act()

    def act(self) -> None:
        """What a double click does."""


Box = TypeVar("Box", bound=ChoiceBox)


class ChoiceScreen(ModalScreen[None], Generic[Box], inherit_bindings=False):
    """Shows a box above the others; a click beside it closes it."""

    # Without a tint: every cell of the screen beneath would be another one.
    DEFAULT_CSS = "ChoiceScreen { background: transparent; overflow: hidden; }"
    BINDINGS: ClassVar[list[BindingType]] = keys.app_bindings(keys.ALWAYS)

    def __init__(self, box: Box) -> None:
        super().__init__()
        self.box = box

    def compose(self) -> ComposeResult:
        yield self.box

    def on_resize(self) -> None:
        self.box.draw()

    def on_click(self, event: events.Click) -> None:
        if event.widget is self:
            self.box.close()


def _legend(hint: str, more: str, room: int) -> str:
    """As many of the keys as have room, and that there are more rows."""
    keys = hint.split("  ")
    while keys and cell_width("  ".join([*keys, more]).strip()) > room:
        keys.pop()
    return "  ".join([*keys, *([more] if more else [])])


def _edge(corners: str, text: str, width: int) -> Line:
    said = f" {cut(text, max(0, width - 6))} " if text else ""
    rest = "─" * (width - cell_width(said) - 3)
    return ((f"{corners[0]}─", "dim"), (said, ""), (f"{rest}{corners[1]}", "dim"))
