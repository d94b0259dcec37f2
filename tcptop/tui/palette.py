"""`:`: everything that can be done, by name; type some letters of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import ClassVar, NamedTuple

from textual import events
from textual.binding import BindingType

from tcptop.tui import keys
from tcptop.tui.fuzzy import fitting
from tcptop.tui.widgets.layout import Line, cut
from tcptop.tui.widgets.overlay import Overlay

NAME = 22  # cells, at least


class Command(NamedTuple):
    """`action` as Textual runs it."""

    name: str
    told: str
    key: str
    action: str


class Palette(Overlay, inherit_bindings=False):
    """Shows the commands that fit what is typed, and runs the chosen one when it is closed."""

    BINDINGS: ClassVar[list[BindingType]] = keys.bindings(keys.PALETTE_KEYS)

    def __init__(self, run: Callable[[str], Awaitable[object]], ascii_only: bool) -> None:
        super().__init__(ascii_only, "palette")
        self._run = run
        self._commands: Sequence[Command] = ()
        self._fitting: Sequence[Command] = ()
        self._typed = ""

    def begin(self, commands: Sequence[Command]) -> None:
        """Open with all of them."""
        self._commands = commands
        self._type("")
        self.open()

    def type(self, text: str) -> None:
        """More text."""
        self._type(self._typed + text)

    def _type(self, text: str) -> None:
        self._typed, self.row = text, 0
        self._fitting = fitting(self._commands, text, lambda each: (each.name, each.told))
        self.draw()

    def on_paste(self, event: events.Paste) -> None:
        event.stop()
        self.type("".join(filter(str.isprintable, event.text)))

    # -- what is shown

    def heading(self) -> str:
        return f": {self._typed}_"

    def hint(self) -> str:
        return "Enter runs it  Esc leaves" if self._fitting else "nothing is called like this"

    def rows(self, width: int) -> Sequence[Line]:
        longest = max((len(command.name) for command in self._fitting), default=0)
        name = min(longest, max(NAME, width * 2 // 5))
        return [_line(command, name, width) for command in self._fitting]

    # -- what keys do

    def act(self) -> None:
        self.call_later(self.action_run)

    async def action_run(self) -> None:
        if self._fitting:
            command = self._fitting[self.row]
            self.close()
            await self._run(command.action)

    def action_rub_out(self, letters: int) -> None:
        self._type(self._typed[:-letters])


def _line(command: Command, name: int, width: int) -> Line:
    room = max(0, width - name - 2 - len(command.key) - 1)
    told = cut(command.told, room).ljust(room + 1)
    return (
        (cut(command.name, name).ljust(name + 2), ""),
        (told, "dim"),
        (command.key, "header" if command.key else ""),
    )
