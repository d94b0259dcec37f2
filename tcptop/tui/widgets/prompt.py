"""The lines in which a filter, or a text to find, is typed."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from rich.cells import cell_len
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.geometry import Region
from textual.message import Message
from textual.widgets import Input

from tcptop.tui import keys
from tcptop.tui.widgets.lines import Lines

MOST = 2000  # characters of a filter or a text; a screen has about as many cells


class Prompt(Input):
    """One line of filter, with the earlier ones on the up key and the grammar's words on Tab."""

    BINDINGS: ClassVar[list[BindingType]] = keys.bindings(keys.PROMPT_KEYS)
    DEFAULT_CSS = """
    Prompt { width: 1fr; height: 1; border: none; padding: 0; background: $surface; }
    Prompt:focus { border: none; }
    Prompt:ansi { background: ansi_default; }
    Prompt:ansi > .input--cursor {
        background: ansi_default; color: ansi_default; text-style: reverse;
    }
    """

    class Scrolled(Message):
        """What is typed has moved sideways."""

    class Choices(Message):
        """The words that could stand here."""

        def __init__(self, words: list[str]) -> None:
            self.words = words
            super().__init__()

    def __init__(
        self,
        example: str,
        id: str,
        submitted: Callable[[str], object],
        cancelled: Callable[[], object],
    ) -> None:
        """`example` is shown where there is nothing yet. The others are called at once, not by a
        message: the next key may be here already."""
        super().__init__(placeholder=example, select_on_focus=False, id=id)
        self._when_submitted, self._when_cancelled = submitted, cancelled
        self.cursor_blink = False  # a blinking cursor costs 2.5 KB/s
        self._past: list[str] = []
        self._at = 0

    def begin(self, text: str) -> None:
        """Start with this text."""
        self._at = len(self._past)
        self._put(text)
        self.screen.set_focus(self)  # at once, for the next key may be here already

    def _put(self, text: str) -> None:
        self.value = text
        self.cursor_position = len(text)
        self._reveal()

    def remember(self, text: str) -> None:
        """Have the text on the up key."""
        if text and text not in self._past[-1:]:
            self._past.append(text)

    def watch_scroll_x(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_x(old_value, new_value)
        self.post_message(self.Scrolled())

    def on_resize(self) -> None:
        self._reveal()  # when the prompt opens, its text comes before its width

    def _reveal(self) -> None:
        """Have the cursor in view."""
        cursor = cell_len(self.value[: self.cursor_position])
        self.scroll_to_region(Region(cursor, 0, 1, 1), force=True, animate=False)

    def write(self, text: str) -> None:
        """Put text where the cursor is, as far as there is room for it."""
        room = MOST - len(self.value) + len(self.selected_text)
        self.replace(text[: max(0, room)], *self.selection)

    def paste(self, text: str) -> None:
        """Put in the first line of what is pasted."""
        lines = text.strip().splitlines()
        self.write("".join(filter(str.isprintable, lines[0] if lines else "")))

    def on_blur(self) -> None:
        """Another widget was clicked."""
        if self.screen.focused is not self:  # it may be here again
            self.action_cancel()

    def action_cancel(self) -> None:
        self._when_cancelled()

    async def action_submit(self) -> None:
        self._when_submitted(self.value)

    def action_earlier(self, steps: int) -> None:
        """Walk through the filters used before."""
        self._at = max(0, min(len(self._past), self._at - steps))
        if self._past:
            self._put(self._past[self._at] if self._at < len(self._past) else "")

    def action_complete(self) -> None:
        """Add what can only follow, or tell the choices."""
        from tcptop.analysis.filter.feedback import completed

        more, words = completed(self.value, self.cursor_position)
        self.insert_text_at_cursor(more)
        if words:
            self.post_message(self.Choices(words))


class FindPrompt(Prompt):
    """A line of plain text: nothing completes it."""

    def __init__(
        self,
        example: str,
        submitted: Callable[[str], object],
        cancelled: Callable[[], object],
    ) -> None:
        super().__init__(example, "plain_prompt", submitted, cancelled)

    def action_complete(self) -> None:
        """There is no grammar."""


class FindBar(Horizontal):
    """The prompt and what it is for; closed until `open`."""

    DEFAULT_CSS = "FindBar { height: 1; }"
    SIGN = " find "
    EXAMPLE = "any text of a row, whatever its case"
    ID = "find"

    def __init__(
        self, ascii_only: bool, asked: Callable[[str], object], closed: Callable[[], object]
    ) -> None:
        """`asked` is told what was typed, `closed` that nothing is typed any more."""
        super().__init__(id=self.ID)
        self.display = False
        self._sign = Lines(ascii_only, id="plain_sign")
        self._sign.styles.width = len(self.SIGN)
        self.prompt = FindPrompt(self.EXAMPLE, self._submit, self.close)
        self._when_asked, self._when_closed = asked, closed

    def compose(self) -> ComposeResult:
        yield from (self._sign, self.prompt)

    @property
    def is_open(self) -> bool:
        return self.display

    def open(self, text: str = "") -> None:
        """Begin with a text. With none Enter looks for the last one, which Up shows."""
        self.display = True
        self._sign.show(((self.SIGN, "header"),))
        self.prompt.begin(text)

    def close(self) -> None:
        if self.is_open:
            self.display = False
            self._when_closed()

    def on_input_changed(self, message: Input.Changed) -> None:
        message.stop()

    def _submit(self, value: str) -> None:
        text = value.strip()
        self.prompt.remember(text)
        self.close()
        self._when_asked(text)


class JumpBar(FindBar):
    """The line in which a time is typed."""

    SIGN = " jump to "
    EXAMPLE = "13:02, 13:02:30, -5m before the end, +30s after the beginning"
    ID = "jump"


class FileBar(FindBar):
    """The line in which the name of a file is typed."""

    SIGN = " file "
    EXAMPLE = "a name that ends with .md or .json"
    ID = "file"


class RecordBar(FindBar):
    """The line in which the name of a recording is typed."""

    SIGN = " record to "
    EXAMPLE = "a file; a recording that is there goes on"
    ID = "record"
