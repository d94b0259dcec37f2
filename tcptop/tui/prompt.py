"""The filter prompt: typed with live feedback, applied by Enter."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.message import Message
from textual.widgets import Input


class Prompt(Input):
    """One line of filter, with the earlier ones on the up key."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "cancel", show=False, tooltip="Leave the filter as it was"),
        Binding("up", "earlier(1)", "earlier", show=False, tooltip="The filter before"),
        Binding("down", "earlier(-1)", "later", show=False, tooltip="The filter after"),
    ]
    DEFAULT_CSS = """
    Prompt {
        height: 1; border: none; padding: 0 1; background: $surface; display: none;
        &:focus { border: none; }
        &.-open { display: block; }
    }
    """

    class Cancelled(Message):
        """Escape: nothing changes."""

    def __init__(self) -> None:
        super().__init__(placeholder="state established and dport = :443", id="prompt")
        self.cursor_blink = False  # a blinking cursor costs 2.5 KB/s
        self._past: list[str] = []
        self._at = 0

    def open(self, text: str) -> None:
        self.value = text
        self._at = len(self._past)
        self.add_class("-open")
        self.focus()
        self.cursor_position = len(text)

    def close(self) -> None:
        self.remove_class("-open")

    def remember(self, text: str) -> None:
        if text and text not in self._past[-1:]:
            self._past.append(text)

    def action_cancel(self) -> None:
        self.post_message(self.Cancelled())

    def action_earlier(self, steps: int) -> None:
        """Walk through the filters used before."""
        if not self._past:
            return
        self._at = max(0, min(len(self._past), self._at - steps))
        self.value = self._past[self._at] if self._at < len(self._past) else ""
        self.cursor_position = len(self.value)
