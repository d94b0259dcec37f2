"""More keys at once than anybody types: they neither keep `q` from acting nor fill the memory."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from textual import events

from tcptop.tui.key_budget import (
    AT_ONCE,
    CLICKS_AT_ONCE,
    PER_S,
    TOLD,
    TOO_MANY_CLICKS,
    ClickBudget,
    KeyBudget,
)
from tests.tui.live import live
from tests.tui.terminal import Terminal
from tests.tui.test_driver import environ

COMMAND = [sys.executable, "-m", "tcptop", "--config", "/dev/null"]
KB, MB = 1 << 10, 1 << 20


def peak(pid: int) -> int:
    """The most memory that a process has had, in bytes."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * KB


@pytest.mark.parametrize(
    ("opening", "text", "end"),
    [("", "j", "q"), ("", "jk", "q"), ("/", "dst 10/8 and ", "\x03"), ("\x06", "x", "\x1b[B\x03")],
    ids=["held", "letters", "filter", "find"],
)  # fmt: skip
def test_a_flood_of_keys_keeps_nobody_waiting(
    opening: str, text: str, end: str, tmp_path: Path
) -> None:
    with Terminal(COMMAND, environ(XDG_STATE_HOME=str(tmp_path)), cwd=tmp_path) as terminal:
        terminal.wait_for("LIVE")
        terminal.type(opening)
        before = peak(terminal.process.pid)
        terminal.flood(text * (64 * KB // len(text)))
        assert peak(terminal.process.pid) - before < 40 * MB
        terminal.type(end)
        assert terminal.wait_exit() == 0
        assert terminal.left_behind() == []


CLICK = "\x1b[<0;10;10M\x1b[<0;10;10m"
TAB, WHEEL = "\x1b[<0;20;4M\x1b[<0;20;4m", "\x1b[<65;5;8M"


@pytest.mark.parametrize("reports", [CLICK + WHEEL, TAB, WHEEL], ids=["rows", "tabs", "wheel"])
def test_a_flood_of_clicks_keeps_nobody_waiting(reports: str, tmp_path: Path) -> None:
    """Each was a list drawn anew, and the end waited for all of them."""
    with Terminal(COMMAND, environ(XDG_STATE_HOME=str(tmp_path)), cwd=tmp_path) as terminal:
        terminal.wait_for("LIVE")
        terminal.flood(reports * 3000)
        terminal.type("\x03")
        assert terminal.wait_exit() == 0
        assert terminal.left_behind() == []


def press(budget: ClickBudget, kind: type[events.MouseEvent]) -> bool:
    return budget.lets(kind(None, 3, 3, 0, 0, 1, False, False, False))


def test_of_many_clicks_some_are_taken_whole() -> None:
    now = 100.0
    budget = ClickBudget(lambda: now)
    for _ in range(100):  # a quick hand
        assert press(budget, events.MouseDown)
        assert press(budget, events.MouseUp)
        now += 0.1
    taken = [(press(budget, events.MouseDown), press(budget, events.MouseUp)) for _ in range(500)]
    assert taken == sorted(taken, reverse=True)
    assert taken.count((True, True)) == int(CLICKS_AT_ONCE)
    assert taken.count((False, False)) == 500 - int(CLICKS_AT_ONCE)


async def test_clicks_that_are_ignored_are_told() -> None:
    async with live(size=(120, 24)) as view:
        driver = view.app._driver
        assert driver is not None
        for _ in range(100):
            for kind in (events.MouseDown, events.MouseUp):
                driver.send_message(kind(None, 5, 8, 0, 0, 1, False, False, False))
        await view.settled()
        assert view.status() == f" {TOO_MANY_CLICKS}"
        await view.press("ctrl+c")
        assert view.app.ending


async def test_what_is_ignored_is_said() -> None:
    async with live(size=(120, 24), budget=KeyBudget(["ctrl+c"])) as view:
        await view.press(*["j", "k"] * 200)
        assert view.status() == f" {TOLD}"
        await view.press("ctrl+c")
        assert view.app.ending


def test_what_is_typed_is_taken() -> None:
    now = 100.0
    budget = KeyBudget(["q"], lambda: now)
    for _ in range(1000):
        assert budget.lets("j")
        now += 3.0  # a slow one
        budget.rest()
        now += 1 / 30
    assert [budget.lets("j") for _ in range(300)].count(True) == int(AT_ONCE)
    assert budget.lets("q")
    now += 1 / PER_S
    assert budget.lets("j")
    assert not budget.lets("j")


@pytest.mark.parametrize(
    "typed", ["\x1bq", "/ab\x1bq", "2\x1b\x1bq"], ids=["list", "filter", "twice"]
)
def test_q_right_after_escape_is_no_alt_q(typed: str, tmp_path: Path) -> None:
    """They are the same bytes where they come in one read."""
    with Terminal(COMMAND, environ(XDG_STATE_HOME=str(tmp_path)), cwd=tmp_path) as terminal:
        terminal.wait_for("LIVE")
        terminal.type(typed)
        assert terminal.wait_exit() == 0
        assert terminal.left_behind() == []


async def test_alt_q_is_whose_it_was_made() -> None:
    async with live(size=(120, 24), keys={"help": "alt+q"}) as view:
        await view.press("alt+q")
        assert not view.app.ending
        assert view.app.session.here.help


@pytest.mark.parametrize("end", ["\x03", "\x11", "\x1b[21~"], ids=["^C", "^Q", "F10"])
def test_a_paste_without_end_does_not_make_it_deaf(end: str, tmp_path: Path) -> None:
    with Terminal(COMMAND, environ(XDG_STATE_HOME=str(tmp_path)), cwd=tmp_path) as terminal:
        terminal.wait_for("LIVE")
        terminal.type("\x1b[48;24;80;0;0t\x1b[<0;10;6M\x1b[200~state")
        terminal.read(0.1)
        terminal.type(end)
        assert terminal.wait_exit() == 0
        assert terminal.left_behind() == []
