"""The program that the driver's tests run: a few lines, and keys for whatever may go wrong."""

from __future__ import annotations

import os
import sys
import time
from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Static

from tcptop.tui.terminal.display import TerminalApp, finish


class DrivenApp(TerminalApp):
    """Shows its size, the keys, and whether there is a mouse."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "quit"),
        Binding("ctrl+z", "suspend_process"),
        Binding("c", "crash"),
        Binding("b", "block"),
        Binding("f", "flood"),
        Binding("m", "toggle_mouse"),
    ]
    keys = ""

    def compose(self) -> ComposeResult:
        yield Static("ready", id="size")
        yield Static("[bold red]some colour[/]")
        yield Static(id="keys", markup=False)

    def on_resize(self, event: events.Resize) -> None:
        self.query_one("#size", Static).update(f"ready {event.size.width}x{event.size.height}")

    def on_key(self, event: events.Key) -> None:
        if event.key != "ctrl+z":
            self._tell(event.key)

    def on_click(self) -> None:
        self._tell("click")

    def _tell(self, what: str) -> None:
        self.keys += f"{what} "
        self.query_one("#keys", Static).update(f"keys: {self.keys}")

    def action_crash(self) -> None:
        secret = "a local variable"
        raise ValueError(f"crashed on purpose {len(secret)}")

    def action_block(self) -> None:
        with open(os.environ["DRIVEN_BLOCKED"], "w") as file:
            file.write("blocked")
        time.sleep(60)

    def action_flood(self) -> None:
        assert self._driver is not None
        self._driver.write("\x1b[H" + "x" * 1_000_000)

    def action_toggle_mouse(self) -> None:
        self.mouse = not self.mouse


if __name__ == "__main__":
    app = DrivenApp()
    app.run(mouse="mouse" in sys.argv)
    sys.exit(finish(app))
