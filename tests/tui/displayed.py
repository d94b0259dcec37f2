"""The program that the display's tests run: what the live view has on its screen, and worse."""

from __future__ import annotations

import os
import sys
from collections.abc import Hashable, Sequence
from itertools import cycle
from pathlib import Path
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from tcptop.tui.terminal.display import TerminalApp, finish
from tcptop.tui.widgets.layout import Cell, TableColumn
from tcptop.tui.widgets.lines import Lines
from tcptop.tui.widgets.table import Table

WORDS = (
    "plain [bold]bold[/] [dim italic]dim[/] [link='http://host/']a link[/]",
    "日本語 [on red]ワイド[/] cafe\u0301 naïve ▁▃▅█ …",
    "本日 [underline]語日[/] ✓ wide, moved by one: 語ワイド",
)
THEMES = ("nord", "ansi-light", "textual-light")


class Rows:
    """Forty rows that change with `step`."""

    step = 0
    columns: Sequence[TableColumn] = (
        TableColumn("process", "process", 8, flex=True),
        TableColumn("recv_q", "recv_q", 8, right=True),
        TableColumn("rtt", "rtt", 6, right=True),
        TableColumn("state", "state", 12, priority=1),
    )

    def __len__(self) -> int:
        return 40

    def key(self, row: int) -> Hashable:
        return row

    def row_of(self, key: Hashable) -> int | None:
        return key if isinstance(key, int) else None

    def cells(self, row: int, columns: Sequence[TableColumn]) -> Sequence[Cell]:
        known: dict[str, Cell] = {
            "process": f"proc-{row}",
            "recv_q": str(self.step * row % 977),
            "rtt": (str(self.step % (row + 1)), "warn" if (row + self.step) % 3 else ""),
            "state": "ESTAB" if (row + self.step) % 4 else "CLOSE-WAIT",
        }
        return [known[column.key] for column in columns]

    def style(self, row: int) -> str:
        return ("", "bad", "dim", "good", "")[(row + self.step) % 5]


class Box(ModalScreen[None]):
    """A window over the rest, with half a wide character under its edge."""

    CSS = "Box { align: center middle; } Box Static { width: 21; height: 3; border: round red; }"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss")]

    def compose(self) -> ComposeResult:
        yield Static("in a box 日本")


class DisplayedApp(TerminalApp):
    """Each key makes a step, and says so."""

    CSS = "#words { height: 2; } Input { height: 3; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("t", "tick"),
        Binding("n", "theme"),
        Binding("o", "box"),
        Binding("slash", "type"),
        Binding("ctrl+l", "repaint_all"),
        Binding("ctrl+q", "quit", priority=True),
        Binding("e", "break"),
        Binding("r", "run"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.rows = Rows()
        self.themes = cycle(THEMES)
        self.lines = Lines(rows=2)
        self.table = Table()
        self.input = Input(id="input")
        self.input.cursor_blink = False

    def compose(self) -> ComposeResult:
        yield self.lines
        yield Static(id="words")
        yield self.table
        yield self.input

    def on_mount(self) -> None:
        self.table.show(self.rows, "recv_q", True)
        self.table.focus()
        self._tell()

    def on_resize(self) -> None:
        self.call_after_refresh(self._tell)

    def _tell(self) -> None:
        step = f"step {self.rows.step}"
        size = f"{self.size.width}x{self.size.height}"
        self.lines.show(((step, "header"),), ((f"{size} {self.theme}", "good"), (" ok", "bad")))
        self.query_one("#words", Static).update(WORDS[self.rows.step % len(WORDS)])

    def action_tick(self) -> None:
        self.rows.step += 1
        self.table.changed()
        self._tell()

    def action_theme(self) -> None:
        self.theme = next(self.themes)
        self._tell()

    def action_box(self) -> None:
        self.push_screen(Box())

    def action_type(self) -> None:
        self.input.focus()

    def on_descendant_focus(self) -> None:
        self.input.border_title = "typing" if self.input.has_focus else ""

    @on(Input.Submitted)
    def _back(self) -> None:
        self.table.focus()

    def action_repaint_all(self) -> None:
        self.repaint_all()

    def action_break(self) -> None:
        """The next update finds a display that fails."""

        def fail(*arguments: object) -> None:
            raise RuntimeError("failed on purpose")

        self._take = fail  # type: ignore[assignment]
        self.action_tick()

    def action_run(self) -> None:
        """Change everything a thousand times, then make a file."""
        timer = self.set_interval(1 / 250, lambda: run())

        def run() -> None:
            if self.rows.step < 1000:
                self.action_tick()
                return
            timer.stop()
            Path(os.environ["DISPLAYED_RAN"]).touch()


if __name__ == "__main__":
    app = DisplayedApp()
    app.run(mouse=False)
    sys.exit(finish(app))
