"""Themes: legible, cycled through, remembered, and given up where there are no colours for them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from rich.color import Color as RichColor
from rich.color import ColorSystem
from textual.color import Color
from textual.theme import Theme

from tcptop.options import THEMES
from tcptop.tui.themes import themes
from tests.tui.live import Live, live
from tests.tui.terminal import Terminal
from tests.tui.test_driver import environ
from tests.tui.test_program import command, pid, running

__all__ = ["pid"]
FULL = [theme for theme in themes({}) if not theme.ansi]


def luminance(colour: str, system: ColorSystem) -> float:
    """As WCAG 2.2 defines it."""
    rgb = RichColor.parse(colour).downgrade(system).get_truecolor()
    parts = (part / 255 for part in rgb)
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(colour: str, other: str, system: ColorSystem) -> float:
    dark, light = sorted((luminance(colour, system), luminance(other, system)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", FULL, ids=lambda theme: theme.name)
@pytest.mark.parametrize("system", [ColorSystem.TRUECOLOR, ColorSystem.EIGHT_BIT])
def test_everything_can_be_read(theme: Theme, system: ColorSystem) -> None:
    text, background = str(theme.foreground), str(theme.background)
    cursor, muted = theme.variables["block-cursor-background"], theme.variables["text-muted"]
    pairs = [(text, background), (text, str(theme.panel)), (text, cursor), (muted, background)]
    signals = (theme.success, theme.warning, theme.error)
    pairs += [(str(signal), background) for signal in signals]
    pairs += [(str(theme.warning), str(theme.panel))]  # PAUSED, in the title
    for one, other in pairs:
        assert contrast(one, other, system) >= 4.5, (one, other)


def test_a_light_terminal_that_says_so_gets_no_yellow() -> None:
    (dark, *_), (light, *_) = themes({"COLORFGBG": "15;0"}), themes({"COLORFGBG": "0;15"})
    assert (dark.warning, light.warning) == ("ansi_yellow", "ansi_magenta")
    assert themes({})[0].warning == "ansi_yellow"
    assert tuple(theme.name for theme in themes({})) == THEMES


def background(view: Live) -> Color:
    return view.app.screen.background_colors[1]


async def test_t_goes_through_the_themes_and_round() -> None:
    async with live() as view:
        assert view.app.theme == "terminal"
        assert view.app.native_ansi_color
        seen = []
        for name in (*THEMES[1:], THEMES[0]):
            await view.press("T")
            assert f"theme {name}" in view.status()
            seen.append(str(background(view).hex))
            assert view.app.theme == name
        assert seen[:-1] == [str(theme.background).upper() for theme in FULL]
        await view.press("colon", *"light", "enter")
        assert view.app.theme == "light"


async def test_the_theme_is_remembered_and_the_configuration_wins(tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    async with live(state=state) as view:
        await view.press("T", "T")
    assert json.loads(state.read_text())["theme"] == "light"
    async with live(state=state) as view:
        assert view.app.theme == "light"
    async with live(state=state, theme="dark") as view:
        assert view.app.theme == "dark"
    state.write_text(state.read_text().replace('"light"', '"of another version"'))
    async with live(state=state) as view:
        assert view.app.theme == "terminal"


async def test_without_colours_for_it_the_line_says_why() -> None:
    async with live(no_themes="TERM=vt100 has too few colours", theme="dark") as view:
        assert "dark is not shown: TERM=vt100 has too few colours" in view.status()
        assert view.app.theme == "terminal"
        await view.press("T")
        assert "no other themes: TERM=vt100 has too few colours" in view.status()
        assert view.app.theme == "terminal"


def colours(terminal: Terminal) -> set[tuple[str, str]]:
    return {(cell.fg, cell.bg) for line in terminal.cells() for cell in line}


def test_at_first_the_terminals_own_colours_are_used(pid: int) -> None:
    with running(pid, TERM="xterm-256color") as terminal:
        assert {background for _, background in colours(terminal)} == {"default"}
        assert all(fg.isalpha() for fg, _ in colours(terminal))  # no numbers: names of the sixteen
        terminal.type("T")
        terminal.wait_for("theme dark")
        shown = {"005f87", "121212", "262626"}  # the cursor, the background, titles
        terminal.wait_until(lambda: {bg for _, bg in colours(terminal)} == shown, "dark")
        terminal.type("TTTT")
        terminal.wait_for("theme terminal")
        terminal.wait_until(lambda: {bg for _, bg in colours(terminal)} == {"default"}, "back")


def test_a_theme_of_the_configuration(pid: int, tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('theme = "light"\n')
    options = ("--config", str(file))
    with running(pid, *options, TERM="xterm-256color") as terminal:
        assert "ffffff" in {bg for _, bg in colours(terminal)}
    told = "light is not shown: NO_COLOR is set"
    with running(pid, *options, last=told, TERM="xterm-256color", NO_COLOR="1") as terminal:
        assert colours(terminal) == {("default", "default")}
    told = "light is not shown: TERM=vt100 has too few colours"
    with running(pid, *options, last=told, TERM="vt100") as terminal:
        assert {bg for _, bg in colours(terminal)} == {"default"}


def test_a_theme_that_there_is_not_is_one_line(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('theme = "drak"\n')
    with Terminal(command(1, "--config", str(file)), environ(), size=(200, 24)) as terminal:
        assert terminal.wait_exit() == 1
        told = [line for line in terminal.lines() if line]
        assert len(told) == 1
        assert told[0].endswith('unknown theme "drak"; did you mean dark?')


@pytest.mark.parametrize("term", ["xterm", "tmux-256color", "screen", "linux", "vt100"])
def test_usual_terminals_work(pid: int, term: str) -> None:
    with running(pid, TERM=term) as terminal:
        terminal.type("2o")
        terminal.wait_for("Columns of Connections")
        terminal.type("q:pau")
        terminal.wait_for(": pau_")
        terminal.type("\r")
        terminal.wait_for("PAUSED")
        terminal.type("q")
        assert terminal.wait_exit() == 0
        assert terminal.left_behind() == []
