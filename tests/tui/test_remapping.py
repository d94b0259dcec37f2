"""Keys that the configuration binds anew: obeyed, named on the screen, and refused in one line."""

from __future__ import annotations

from pathlib import Path

import pytest

import tcptop
from tcptop.tui.keymap import keymap
from tcptop.tui.keys import KEYS, TABLE_KEYS, VIEW_KEYS, key_name
from tests.tui.live import live
from tests.tui.terminal import Terminal
from tests.tui.test_driver import environ
from tests.tui.test_program import command, pid, running

__all__ = ["pid"]


async def test_a_key_taken_from_another_action_is_no_more_named_there() -> None:
    chosen, complaints = keymap({"reverse": "x", "pause": "?"})
    assert not complaints
    async with live(keys=chosen, size=(120, 60)) as view:
        await view.press("question_mark")
        assert "PAUSED" in view.lines()[0]
        before = view.session.sort.reverse
        await view.press("x")
        assert view.session.sort.reverse != before
        assert view.session.here.page is None
        await view.press("h")
        assert any(line.split()[:2] == ["x", "Reverse"] for line in view.lines())
        assert any(line.split()[:2] == ["i", "Explain"] for line in view.lines())


async def test_the_last_line_names_the_new_keys() -> None:
    async with live(keys=keymap({"filter": "|", "help": "f12", "pause": "Q"})[0]) as view:
        assert "F12 help" in view.status()
        assert "| filter" in view.status()
        assert "Q pause" in view.status()
        await view.press("vertical_line")
        assert view.app.main.filter_bar.is_open


@pytest.mark.parametrize(
    ("key", "name"),
    [("question_mark", "?"), ("vertical_line", "|"), ("comma", ","), ("ctrl+x", "^X"),
     ("f12", "F12"), ("X", "X"), ("pageup", "PgUp"), ("minus", "-"), ("insert", "insert")],
)  # fmt: skip
def test_keys_are_named_as_on_a_keyboard(key: str, name: str) -> None:
    assert key_name(key) == name


def test_the_file_binds_keys(pid: int, tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text('[keys]\npause = "p"\n')
    with running(pid, "--config", str(file)) as terminal:
        terminal.type("p")
        terminal.wait_for("PAUSED")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('pawse = "p"', 'unknown action "pawse"; did you mean pause'),
        ('pause = "hyperspace"', 'pause: no key is called "hyperspace"'),
        ('pause = "p"\nwide = "p"', '"p" is chosen for pause and for wide'),
        ('pause = "w"', "which leaves wide without a key"),
        ('pause = ""', "pause: a key is missing"),
    ],
)
def test_what_is_wrong_is_one_line(tmp_path: Path, line: str, said: str) -> None:
    file = tmp_path / "config.toml"
    file.write_text(f"[keys]\n{line}\n")
    with Terminal(command(1, "--config", str(file)), environ(), size=(200, 24)) as terminal:
        assert terminal.wait_exit() == 1
        told = [line for line in terminal.lines() if line]
        assert len(told) == 1
        assert told[0].startswith("tcptop: configuration: keys: ")
        assert said in told[0]
        assert b"\x1b" not in terminal.received


def test_the_man_page_lists_the_actions() -> None:
    page = (Path(tcptop.__file__).parent / "man" / "tcptop.1").read_text()
    listed = page.partition("compares them with the program.\n")[2].partition(".\n")[0]
    ids = [id for id, *_ in (*KEYS, *VIEW_KEYS, *TABLE_KEYS)]
    assert sorted(listed.replace("\n", " ").split(", ")) == sorted(ids)
