"""What is decided from the environment before Textual is imported."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tcptop.tui.terminal import environment


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, "ascii"),
        ({"LANG": "C"}, "ascii"),
        ({"LANG": "POSIX"}, "ascii"),
        ({"LANG": "en_US.ISO-8859-1"}, "ascii"),
        ({"LANG": "en_US.UTF-8"}, "unicode"),
        ({"LANG": "C.utf8"}, "unicode"),
        ({"LANG": "de_DE.UTF-8@euro"}, "unicode"),
        ({"LANG": "en_US.UTF-8", "LC_ALL": "C"}, "ascii"),
        ({"LANG": "C", "LC_CTYPE": "en_US.UTF-8"}, "unicode"),
        ({"LANG": "en_US.UTF-8", "LC_ALL": ""}, "unicode"),
        ({"LANG": "en_US.UTF-8", "TERM": "linux"}, "ascii"),
        ({"LANG": "C", "LC_CTYPE": "C.UTF-8"}, "ascii"),
        ({"LC_CTYPE": "C.UTF-8"}, "ascii"),
        ({"LANG": "C.UTF-8", "LC_CTYPE": "C.UTF-8"}, "unicode"),
    ],
)
def test_glyphs(environ: dict[str, str], expected: str) -> None:
    assert environment.glyphs(environ) == expected


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"TERM": "xterm-256color"}, "256"),
        ({"TERM": "xterm-256color", "COLORTERM": "truecolor"}, "truecolor"),
        ({"TERM": "xterm-direct"}, "truecolor"),
        ({"TERM": "xterm-kitty"}, "256"),
        ({"TERM": "linux"}, "standard"),
        ({"TERM": "screen"}, "standard"),
    ],
)
def test_colour_system(environ: dict[str, str], expected: str) -> None:
    assert environment.colour_system(environ) == expected


def test_mouse_is_off_over_ssh() -> None:
    assert environment.mouse({})
    assert not environment.mouse({"SSH_TTY": "/dev/pts/1"})
    assert not environment.mouse({"SSH_CONNECTION": "192.0.2.1 1 192.0.2.2 22"})


def test_refusals_are_one_line() -> None:
    assert environment.refusal({"TERM": "xterm"}, terminal=True) is None
    assert environment.refusal({"TERM": "xterm"}, terminal=False) == "no terminal"
    for term in ("dumb", "unknown", ""):
        reason = environment.refusal({"TERM": term}, terminal=True)
        assert reason is not None
        assert "TERM" in reason
        assert "\n" not in reason


def test_empty_no_color_means_colours() -> None:
    environ = {"TERM": "xterm-256color", "NO_COLOR": ""}
    environment.prepare(environ)
    assert "NO_COLOR" not in environ


def test_what_the_user_has_set_stays() -> None:
    environ = {"TERM": "linux", "ESCDELAY": "200"}
    environment.prepare(environ)
    assert environ["ESCDELAY"] == "200"


@pytest.mark.parametrize(
    ("environ", "why"),
    [
        ({"TERM": "xterm-256color"}, ""),
        ({"TERM": "tmux-256color"}, ""),
        ({"TERM": "xterm", "COLORTERM": "truecolor"}, ""),
        ({"TERM": "xterm-256color", "NO_COLOR": "1"}, "NO_COLOR is set"),
        ({"TERM": "linux"}, "TERM=linux has too few colours"),
        ({"TERM": "vt100"}, "TERM=vt100 has too few colours"),
    ],
)
def test_why_there_are_no_themes(environ: dict[str, str], why: str) -> None:
    assert environment.no_themes(environ) == why


def test_textual_reads_what_was_prepared() -> None:
    program = """
import os, sys
from tcptop.tui.terminal import environment
assert "textual" not in sys.modules and "rich" not in sys.modules
os.environ.update({"TERM": "linux", "NO_COLOR": "1"})
environment.prepare(os.environ)
from textual import constants
from textual.app import App
assert constants.DISABLE_KITTY_KEY and constants.ESCAPE_DELAY == 0.1
assert constants.TEXTUAL_ANIMATIONS == "none" and not constants.SMOOTH_SCROLL
app = App()
assert app.native_ansi_color and app.no_color
print(app.console.color_system)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("standard\n", "")
