"""The line in which a text to look for is typed."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Horizontal
from textual.message import Message
from textual.widgets import Input

from tcptop.tui.prompt import Prompt
from tcptop.tui.widgets.lines import Lines

SIGN = " find "


class FindPrompt(Prompt):
    """A line of plain text: nothing completes it."""

    def __init__(self) -> None:
        super().__init__("any text of a row, whatever its case", "find_prompt")

    def action_complete(self) -> None:
        """There is no grammar."""


class FindBar(Horizontal):
    """The prompt and what it is for; closed until `open`."""

    DEFAULT_CSS = """
    FindBar { height: 1; }
    FindBar #find_sign { width: 6; }
    """

    class Asked(Message):
        """This is to be found."""

        def __init__(self, text: str) -> None:
            self.text = text
            super().__init__()

    class Closed(Message):
        """Nothing is typed any more."""

    def __init__(self, ascii_only: bool) -> None:
        super().__init__(id="find")
        self.display = False
        self._sign = Lines(ascii_only, id="find_sign")
        self._prompt = FindPrompt()

    def compose(self) -> ComposeResult:
        yield from (self._sign, self._prompt)

    @property
    def is_open(self) -> bool:
        return self.display

    def open(self) -> None:
        """Begin with no text: Enter then looks for the last one, which Up shows."""
        self.display = True
        self._sign.show(((SIGN, "header"),))
        self._prompt.begin("")

    def close(self) -> None:
        if self.is_open:
            self.display = False
            self.post_message(self.Closed())

    def on_prompt_cancelled(self) -> None:
        self.close()

    def on_input_changed(self, message: Input.Changed) -> None:
        message.stop()

    def on_input_submitted(self, message: Input.Submitted) -> None:
        message.stop()
        text = message.value.strip()
        self._prompt.remember(text)
        self.close()
        self.post_message(self.Asked(text))
