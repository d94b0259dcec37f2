"""The display against Textual's own, cell by cell on real pseudo terminals, and the contract."""

from __future__ import annotations

import inspect
import os
import select
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import ClassVar

import pytest
from textual import _compositor
from textual._ansi_sequences import SYNC_END, SYNC_START
from textual._compositor import ChopsUpdate, LayoutUpdate
from textual.app import App
from textual.binding import Binding, BindingType
from textual.geometry import Region
from textual.strip import Strip

from tcptop.tui.terminal import environment
from tests.tui.displayed import DisplayedApp
from tests.tui.lot import drawn
from tests.tui.terminal import Terminal

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "tests.tui.displayed"]
CTRL_L, CTRL_P, CTRL_Q, ESCAPE = "\x0c", "\x10", "\x11", "\x1b"
PTY_BUFFER = 70_000  # bytes that Linux keeps for a reader that does not read

TERMINALS = {
    "truecolor": {"TERM": "xterm-256color", "COLORTERM": "truecolor"},
    "256": {"TERM": "xterm-256color"},
    "16": {"TERM": "xterm", "TEXTUAL_THEME": "textual-dark"},
    "16-ansi": {"TERM": "xterm"},
    "no-colour": {"TERM": "xterm-256color", "NO_COLOR": "1"},
}

# Keys, or a new size, and what is then on the screen (or with a "!" is not).
STEPS: tuple[tuple[str | tuple[int, int], str], ...] = (
    ("t", "step 1"),
    ("t", "step 2"),
    ("t", "step 3"),
    ("jjjj", "step 3"),
    ("G", "proc-39"),
    ("n", "nord ok"),
    ("/", "typing"),
    ("some text\x1b[D\x1b[D", "some text"),
    ("\r", "!typing"),
    ("o", "in a box"),
    (ESCAPE, "!in a box"),
    ("g", "proc-1 "),
    (CTRL_P, "Search for commands"),
    ("ke", "Show help for the focused widget"),
    (ESCAPE, "!Show help for"),
    ("n", "ansi-light ok"),
    ((100, 30), "100x30"),
    ("t", "step 4"),
    ((60, 12), "60x12"),
    ("n", "textual-light ok"),
    ("t", "step 5"),
    ((7, 3), "7x3"),
    ((121, 41), "121x41"),
    ("tt", "step 7"),
)


def environ(**extra: str) -> dict[str, str]:
    """What the live view makes of an environment."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    made = {**kept, "TERM": "xterm-256color", "LANG": "C.UTF-8", "PYTHONPATH": str(ROOT), **extra}
    environment.prepare(made)
    return made


def shows(terminal: Terminal, text: str) -> bool:
    absent = text.startswith("!")
    return absent != any(text.lstrip("!") in line for line in terminal.lines())


class Pair:
    """The same program twice, with our display and with Textual's."""

    def __init__(self, ours: Terminal, stock: Terminal) -> None:
        self.ours, self.stock = ours, stock

    def same(self) -> bool:
        self.stock.read(0.005)
        cursors = [(each.screen.cursor.x, each.screen.cursor.y) for each in (self.ours, self.stock)]
        return self.ours.cells() == self.stock.cells() and cursors[0] == cursors[1]

    def both(self, keys: str | tuple[int, int], text: str) -> None:
        """Do it in both, and wait until both have done it and look the same."""
        for terminal in (self.ours, self.stock):
            if isinstance(keys, str):
                terminal.type(keys)
            else:
                terminal.resize(*keys)
        for terminal in (self.ours, self.stock):
            terminal.wait_until(partial(shows, terminal, text), f"seen: {text}")
        self.ours.wait_until(self.same, f"the same as Textual's after {keys!r}")


@contextmanager
def pair(**extra: str) -> Iterator[Pair]:
    with (
        Terminal(COMMAND, environ(**extra)) as ours,
        Terminal(COMMAND, environ(**extra, TCPTOP_DISPLAY="stock")) as stock,
    ):
        made = Pair(ours, stock)
        made.both("", "step 0")
        yield made


@contextmanager
def ours(**extra: str) -> Iterator[Terminal]:
    with Terminal(COMMAND, environ(**extra)) as terminal:
        terminal.wait_for("proc-1 ")
        yield terminal


@pytest.mark.parametrize("name", drawn(TERMINALS, 2))
def test_it_looks_as_textual_paints_it_for_less(name: str) -> None:
    with pair(**TERMINALS[name]) as made:
        for keys, text in STEPS:
            made.both(keys, text)
        assert len(made.ours.received) < len(made.stock.received) / 2
        made.both("e", "step 8")  # the display fails here and Textual's goes on
        made.both("t", "step 9")
        made.both((80, 24), "80x24")


def test_after_a_failure_textual_paints() -> None:
    with ours() as terminal:
        terminal.type("e")
        terminal.wait_for("step 1")
        seen = len(terminal.received)
        terminal.type("t")
        terminal.wait_for("step 2")
        assert b"\x1b[0m" in terminal.received[seen:]  # which ours never writes
        terminal.type(CTRL_Q)
        assert terminal.wait_exit() == 0
        assert terminal.left_behind() == []


def test_ctrl_l_repairs_what_others_have_written() -> None:
    with ours() as terminal:
        before = terminal.cells()
        terminal.stream.feed(b"\x1b[2;2H\x1b[1;31mBroadcast message from root\x1b[8;1H\x1b[2K")
        assert terminal.cells() != before
        terminal.type(CTRL_L)
        terminal.wait_until(lambda: terminal.cells() == before, "repaired")


def test_a_resize_to_the_same_size_is_painted() -> None:
    with ours() as terminal:
        before = terminal.cells()
        terminal.stream.feed(b"\x1b[2J")
        terminal.process.send_signal(signal.SIGWINCH)
        terminal.wait_until(lambda: terminal.cells() == before, "painted")


def test_nothing_is_sent_when_nothing_changes() -> None:
    with ours() as terminal:
        terminal.type("g")
        while select.select([terminal.master], [], [], 0.3)[0]:
            terminal.read(0)
        seen = len(terminal.received)
        terminal.type("g")  # is already there
        assert not select.select([terminal.master], [], [], 0.5)[0]
        assert len(terminal.received) == seen


def test_a_frame_is_one_piece_where_the_terminal_can() -> None:
    with ours() as terminal:
        terminal.type("\x1b[?2026;2$y")
        terminal.type("t")
        terminal.wait_for("step 1")
        seen = len(terminal.received)
        terminal.type("t")
        terminal.wait_for("step 2")
        terminal.wait_until(lambda: terminal.received.endswith(SYNC_END.encode()), "ended")
        frames = terminal.received[seen:].decode()
        assert frames.startswith(SYNC_START)
        for frame in frames.split(SYNC_START)[1:]:
            assert frame.index(SYNC_END) == len(frame) - len(SYNC_END)


def test_a_stalled_link_gets_the_newest_frame_only(tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    with ours(DISPLAYED_RAN=str(ran)) as terminal:
        terminal.type("r")  # a thousand frames, and from here on nobody reads
        master, terminal.master = terminal.master, -1
        terminal.wait_until(ran.exists, "ran")
        terminal.master = master
        seen = len(terminal.received)
        terminal.wait_for("step 1000")
        one = len(terminal.received)
        terminal.type(CTRL_L)
        terminal.wait_until(lambda: len(terminal.received) - one > 1500, "painted")
        frame = 2 * 24 * 80
        assert one - seen < PTY_BUFFER + frame


async def test_without_a_terminal_textual_displays() -> None:
    app = DisplayedApp()
    async with app.run_test() as pilot:
        await pilot.press("t")
        await pilot.pause()
        assert app._frame is None
        assert app.display_error is None


# -- the private parts of Textual that the display relies on


def parameters(function: object) -> list[str]:
    assert callable(function)
    return list(inspect.signature(function).parameters)


def test_textual_hands_over_updates_as_it_did() -> None:
    assert parameters(App._display) == ["self", "screen", "renderable"]
    assert parameters(ChopsUpdate) == ["chops", "spans", "chop_ends"]
    assert parameters(LayoutUpdate) == ["strips", "region"]
    updates = {each.__name__ for each in _compositor.CompositorUpdate.__subclasses__()}
    assert updates == {"ChopsUpdate", "LayoutUpdate", "InlineUpdate"}
    render = parameters(_compositor.Compositor.render_update)
    assert render[:3] == ["self", "full", "screen_stack"]
    assert SYNC_START == "\x1b[?2026h"
    assert SYNC_END == "\x1b[?2026l"


def test_textual_decides_as_it_did_what_to_display() -> None:
    source = inspect.getsource(App._display)
    for condition in ("_batch_count", "_running", "_closed", "is_headless", "_driver is not None"):
        assert condition in source
    assert "clamp_offset(" in source
    app = DisplayedApp()
    for name in ("_batch_count", "_running", "_closed", "_sync_available", "_driver"):
        assert hasattr(app, name)
    assert app.cursor_position == (0, 0)
    assert hasattr(app.console, "_color_system")


def test_updates_hold_what_they_did() -> None:
    strip = Strip.blank(3)
    layout = LayoutUpdate([[strip]], Region(0, 0, 3, 1))
    assert list(layout.strips[0]) == [strip]
    assert layout.region.offset == (0, 0)
    assert layout.region.size == (3, 1)
    chops = ChopsUpdate([{0: strip}], [(0, 0, 3)], [[3]])
    assert (chops.spans, chops.chop_ends) == ([(0, 0, 3)], [[3]])
    assert chops.chops[0][0] is strip
    assert [(text, style) for text, style, _ in strip] == [("   ", None)]


class BoundApp(App[None]):
    """It counts what its keys do."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("t", "count"),
        Binding("p", "count", priority=True),
    ]
    counted = 0

    def action_count(self) -> None:
        self.counted += 1


async def test_textual_does_at_once_what_a_key_is_bound_to() -> None:
    """And says whether it did; the app relies on it for keys that come in one read."""
    assert parameters(App._check_bindings) == ["self", "key", "priority"]
    app = BoundApp()
    async with app.run_test():
        assert await app._check_bindings("t")
        assert app.counted == 1
        assert not await app._check_bindings("x")
        assert not await app._check_bindings("p")
        assert await app._check_bindings("p", priority=True)
        assert app.counted == 2
