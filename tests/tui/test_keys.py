"""Sorting, pausing, exporting, help, mouse, sizes: what each key does."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

import jsonschema
import pytest
from textual.binding import Binding

from tcptop.columns import LISTINGS
from tcptop.tui.app import TcptopApp
from tcptop.tui.keys import GROUPS, key_name
from tcptop.tui.lists import live_listing
from tcptop.tui.views import VIEWS, view_key
from tcptop.tui.widgets.prompt import Prompt
from tcptop.tui.widgets.table import Table
from tests.tui.live import Live, live, next_look
from tests.unit.prepared import everything


def sorted_title(view: Live) -> str:
    """The title that has the mark."""
    before, mark, after = view.titles().replace("▲", "▼").partition("▼")
    assert mark
    return after.split()[0] if before.endswith(" ") else before.split("  ")[-1]


async def test_sorting_walks_over_the_columns_on_the_screen() -> None:
    async with live() as view:
        await view.press("2")
        shown = [*view.app.main.table.widths_shown]
        walked = []
        for _ in shown:
            await view.press("s")
            walked.append(view.session.sort.key)
        assert walked == [*shown[1:], shown[0]]
        await view.press("less_than_sign")
        assert view.session.sort.key == shown[-1]
        await view.press("greater_than_sign")
        assert view.session.sort.key == shown[0]


@pytest.mark.parametrize("name", LISTINGS)
async def test_every_column_can_be_sorted_by_when_wide(name: str) -> None:
    async with live() as view:
        await view.press(str([*VIEWS].index(name)), "w")
        listing = view.session.listing
        for _ in listing.columns:
            await view.press("s")
            title = listing.column(view.session.sort.key).title
            assert title in view.titles()
            assert f"sorted by {title}" in view.status()
            before = view.rows()
            await view.press("S")
            assert sorted(view.rows()) == sorted(before)
            await view.press("I")
            assert view.rows() == before


async def test_reverse_turns_the_order_round() -> None:
    async with live() as view:
        await view.press("2", "s")
        before = [int(row.split()[1]) for row in view.rows()]
        assert before == sorted(before, reverse=True)
        await view.press("S")
        assert [int(row.split()[1]) for row in view.rows()] == before[::-1]


async def test_a_view_keeps_its_order() -> None:
    async with live() as view:
        await view.press("2", "s", "S", "3", "2")
        assert view.session.sort.key == "recv_q"
        assert view.session.sort.reverse


# -- pause


async def test_a_held_picture_stays_and_can_be_worked_with() -> None:
    first = everything()
    async with live(first) as view:
        await view.press("space")
        assert view.lines()[0][:-9].endswith("PAUSED")
        held = view.lines()[0]
        second = next_look(first, sockets=first.sockets.part(0, 2))
        await view.take(second)
        assert view.lines()[0] == held
        assert "18 sockets" in view.lines()[0]
        await view.press("2", "s")
        assert len(view.rows()) == 18
        await view.type("state established")
        assert len(view.rows()) == 7
        await view.press("enter")
        assert "open both ways" in view.text()
        await view.press("escape", "escape", "z")
        assert view.lines()[0].endswith("LIVE 1s")
        assert "2 sockets" in view.lines()[0]
        assert len(view.rows()) == 2


async def test_pausing_before_the_first_look_does_nothing() -> None:
    async with live(OSError("not yet")) as view:
        await view.press(
            "space", "s", "S", "enter", "ctrl+s", "f", "w", "a", "question_mark", "escape"
        )
        assert "nothing to export" not in view.status()
        assert view.lines()[0].startswith(" tcptop  first sample…")


# -- failures


async def test_a_failing_look_is_said_and_got_over() -> None:
    first = everything()
    async with live(first) as view:
        await view.take(OSError(5, "Input/output error"))
        assert "sampling failed, trying again: [Errno 5] Input/output error" in view.text()
        assert view.lines()[0].endswith("FAILING")
        assert view.rows()
        await view.take(next_look(first))
        assert "look failed" not in view.text()
        assert view.lines()[0].endswith("LIVE 1s")


async def test_a_source_that_breaks_is_said() -> None:
    async with live(size=(80, 30)) as view:
        await view.take(KeyError("a bug"))
        assert "cannot read sockets: 'a bug'" in view.text()
        await view.press("2")
        assert len(view.rows()) == 18


# -- export


async def test_export_writes_what_is_selected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with live() as view:
        await view.type("state established")
        await view.press("space", "ctrl+s")
        await view.until(lambda: "exported 7 sockets to /" in view.status(), "exported")
        await view.press(*["ctrl+s"] * 50)
        assert view.status() == " exported already"
        await view.type("state listen")
        await view.press("ctrl+s")
        # A file has this name only when it is whole.
        again = tmp_path / "tcptop-web1-20260101T000000Z-2.json"
        await view.until(again.exists, "exported with another filter")
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["tcptop-web1-20260101T000000Z-2.json", "tcptop-web1-20260101T000000Z.json"]
    written = json.loads((tmp_path / names[1]).read_text())
    schema = resources.files("tcptop.views") / "schema" / "tcptop.snapshot-1.json"
    jsonschema.validate(written, json.loads(schema.read_text()))
    assert len(written["sockets"]) == 7
    assert written["filter"] == "state established"


async def test_an_export_that_fails_says_so_in_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = tmp_path / "gone"
    directory.mkdir()
    monkeypatch.chdir(directory)
    os.rmdir(directory)
    async with live(size=(120, 24)) as view:
        await view.press("ctrl+s")
        await view.until(lambda: "not exported: tcptop-web1" in view.status(), "refused")
        assert "No such file or directory" in view.status()


# -- help


def described(listed: Sequence[object]) -> list[tuple[str, str]]:
    return [(b.key, b.tooltip) for b in listed if isinstance(b, Binding)]


async def test_help_lists_every_binding_and_column() -> None:
    async with live(size=(120, 200)) as view:
        for name, listing in LISTINGS.items():
            await view.press(view_key(listing), "question_mark")
            text = " ".join(view.text().split())
            listed = [*TcptopApp.BINDINGS, *Table.BINDINGS, *Prompt.BINDINGS]
            for pressed, tooltip in described(listed):
                assert tooltip
                assert tooltip in text
                for key in pressed.split(","):
                    assert f" {key_name(key)} " in text, key
            for column in live_listing(LISTINGS[name]).columns:
                assert " ".join(column.meaning.split()) in text


async def test_no_two_bindings_share_a_key() -> None:
    seen = [key for b in (TcptopApp.BINDINGS, Table.BINDINGS) for pair in described(b)
            for key in pair[0].split(",")]  # fmt: skip
    assert len(seen) == len(set(seen))


# -- the rest


async def test_keys_can_be_bound_anew() -> None:
    chosen = {"pause": "p,f8", "table.down": "n", "view.findings": "F"}
    assert set(chosen) <= {id for listed in GROUPS.values() for id, *_ in listed}
    async with live(keys=chosen, size=(120, 60)) as view:
        assert "p pause" in view.status()
        await view.press("space")
        assert "LIVE" in view.lines()[0]
        await view.press("p")
        assert "PAUSED" in view.lines()[0]
        before = view.cursor()
        await view.press("n")
        assert view.cursor() != before
        await view.press("F")
        assert view.session.here.view == "findings"
        await view.press("question_mark")
        assert "p F8 " in view.text()
        assert "Space z Z" not in view.text()


async def test_the_interval_changes_within_bounds() -> None:
    async with live() as view:
        await view.press(*["plus"] * 9)
        assert view.lines()[0].endswith("LIVE 0.1s")
        await view.press(*["minus"] * 20)
        assert view.lines()[0].endswith("LIVE 60s")
        assert "refresh every 60 s" in view.status()


async def test_a_click_chooses_a_tab_and_a_title_sorts() -> None:
    async with live() as view:
        x = view.lines()[3].index("3Listen")
        await view.pilot.click("#tabs", offset=(x, 0))
        assert view.session.here.view == "listeners"
        x = view.titles().index("Drops")
        await view.pilot.click("#table", offset=(x, 0))
        assert view.session.sort.key == "drops"
        assert sorted_title(view) == "Drops"
        await view.pilot.click("#table", offset=(x, 0))
        assert view.session.sort.reverse
        await view.pilot.click("#table", offset=(3, 1), times=2)
        assert view.titles().startswith("Listener ")
        assert view.session.here.item is not None


async def test_resizing_keeps_the_picture_whole() -> None:
    async with live(size=(200, 60)) as view:
        await view.press("2", "end")
        port = view.cursor().split()[3].rpartition(":")[2]
        for width, height in ((40, 10), (80, 24), (1, 1), (20, 5), (200, 60)):
            await view.pilot.resize_terminal(width, height)
            await view.pilot.pause()
            assert len(view.lines()) == height
            assert all(len(line) <= width for line in view.lines())
            if height >= 10 and width >= 80:
                assert f":{port} " in view.cursor()
                assert "quit" in view.status()


async def test_wide_shows_all_columns_and_scrolls() -> None:
    async with live() as view:
        await view.press("2")
        assert "Cgroup" not in view.titles()
        await view.press("w", *["shift+right"] * 20)
        assert "Cgroup" in view.titles()
        await view.press("w")
        assert view.titles().startswith("State")


async def test_ctrl_c_quits() -> None:
    async with live() as view:
        await view.press("ctrl+c")
        assert view.app._exit
