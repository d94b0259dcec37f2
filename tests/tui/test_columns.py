"""The column chooser: which columns a list has, where, how wide, and that it is found again."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from tcptop.columns import SOCKETS
from tcptop.tui.lists import live_listing
from tests.tui.live import Live, live


def keys(view: Live) -> list[str]:
    """The columns of the table, without the marks."""
    return [key for key in view.app.main.table.widths_shown if key != "mark"]


def box(view: Live) -> list[str]:
    """The lines of the overlay."""
    return view.app.column_chooser.box.text().split("\n")


def chosen(view: Live) -> str:
    """The row under the cursor of the overlay."""
    chooser = view.app.column_chooser.box
    line = chooser.lines[1 + chooser.row - chooser._first]
    assert any("cursor" in style for _, style in line)
    return "".join(text for text, _ in line)


async def to(view: Live, title: str) -> None:
    """Move the cursor of the overlay to a column."""
    for _ in range(40):
        if title in chosen(view):
            return
        await view.press("j")
    raise AssertionError(f"no column {title}")


async def test_it_lists_the_columns_with_their_meaning() -> None:
    async with live(size=(120, 40)) as view:
        await view.press("2", "o")
        assert "Columns of Connections" in box(view)[0]
        assert len(box(view)) == len(live_listing(SOCKETS).columns) - 1 + 2
        for column in live_listing(SOCKETS).columns[1:]:
            line = next(line for line in box(view) if f" {column.title} " in line)
            assert column.meaning[:40] in line
            assert ("shown" in line) == (column.key in keys(view))
        await view.press("escape")
        assert "Columns of" not in view.text()
        await view.press("f2", "enter")
        assert "Columns of" not in view.text()


async def test_space_hides_and_shows_at_once() -> None:
    async with live() as view:
        await view.press("2", "o", "j")
        assert "Recv-Q" in chosen(view)
        await view.press("space")
        assert "recv_q" not in keys(view)
        assert "hidden" in chosen(view)
        await view.press("space")
        assert "recv_q" in keys(view)


async def test_a_chosen_column_wins_over_those_that_only_have_room() -> None:
    async with live() as view:
        await view.press("2", "o")
        assert "user" not in keys(view)
        await to(view, "User")
        assert "no room" in chosen(view)
        await view.press("space")
        assert "shown" in chosen(view)
        assert "user" in keys(view)
        await view.pilot.resize_terminal(40, 10)
        await view.settled()
        assert "user" in keys(view)


async def test_a_column_moves_and_goes_on_moving() -> None:
    async with live() as view:
        await view.press("2", "o", "j", "J", "J")
        assert "Recv-Q" in chosen(view)
        assert keys(view)[:4] == ["state", "send_q", "local", "recv_q"]
        await view.press("K", "K", "K", "K")
        assert keys(view)[:2] == ["recv_q", "state"]
        await view.press("r")
        assert keys(view)[:2] == ["state", "recv_q"]


async def test_a_column_is_made_wider_and_narrower() -> None:
    async with live() as view:
        await view.press("2", "o", "j", *["greater_than_sign"] * 3)
        assert view.app.main.table.widths_shown["recv_q"] == 9
        await view.press(*["less_than_sign"] * 20)
        assert view.app.main.table.widths_shown["recv_q"] == 3
        await view.press("r")
        assert view.app.main.table.widths_shown["recv_q"] == 6


async def test_one_column_stays() -> None:
    async with live() as view:
        await view.press("2", "o")
        for _ in live_listing(SOCKETS).columns:
            if "shown" in chosen(view):
                await view.press("space")
            await view.press("j")
        for _ in range(40):  # those that had no room have it now
            await view.press("k")
            if "shown" in chosen(view):
                await view.press("space")
        assert len(keys(view)) == 1


async def test_other_keys_do_nothing_meanwhile() -> None:
    async with live() as view:
        await view.press("o")
        before = view.text()
        await view.press("3", "s", "slash", "tab", "question_mark", "x", "x")
        assert view.text() == before
        await view.press("o", "3")
        assert view.session.here.view == "listeners"


async def test_it_opens_over_lists_only() -> None:
    async with live() as view:
        await view.press("question_mark", "o")
        assert "only lists have columns" in view.status()
        assert view.app.screen is view.app.main


async def test_it_fits_on_small_screens() -> None:
    for width, height in ((80, 24), (40, 10), (20, 5)):
        async with live(size=(width, height)) as view:
            await view.press("2", "o", "G")
            assert len(view.lines()) == height
            assert any("CC" in line or "Cgroup" in line or "Verdict" in line for line in box(view))
            assert all(len(line) <= width for line in box(view))
            assert len(box(view)) <= height


@pytest.mark.parametrize("size", [(60, 15), (80, 24)])
async def test_its_keys_are_named_whole(size: tuple[int, int]) -> None:
    async with live(size=size) as view:
        await view.press("2", "o")
        told = box(view)[-1]
    assert "…" not in told
    assert told.startswith("└─ Space show/hide  J K move  Enter done")


async def test_it_is_remembered(tmp_path: Path) -> None:
    state = tmp_path / "state" / "tcptop" / "state.json"
    async with live(state=state) as view:
        await view.press("2", "s", "o", "j", "space", "greater_than_sign", "J", "enter")
        before = keys(view)
        assert "recv_q" not in before
    assert stat.S_IMODE(state.stat().st_mode) == 0o600
    assert json.loads(state.read_text())["views"]["sockets"]["hidden"] == ["recv_q"]
    async with live(state=state) as view:
        await view.press("2")
        assert view.session.sort.key == "recv_q"
        assert keys(view) == before
        await view.press("o", "r", "enter", "S", "1", "s")
    async with live(state=state) as view:
        assert view.session.sort.key != "sockets"
        await view.press("2")
        assert view.session.sort.reverse
        assert keys(view)[:2] == [column.key for column in SOCKETS.columns[:2]]


async def test_nothing_is_written_where_nothing_was_chosen(tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    async with live(state=state) as view:
        await view.press("2", "o", "escape")
    assert not state.exists()


async def test_a_broken_file_is_said_and_left_alone(tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    state.write_text("{")
    async with live(state=state, size=(200, 24)) as view:
        assert f"{state} is not used, and left as it is: not JSON" in view.status()
        await view.press("2", "s")
        assert view.session.sort.key == "recv_q"
    assert state.read_text() == "{"
