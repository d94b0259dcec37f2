"""What the keys do now: q, the last line, the first screen of the help, and notes said once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tcptop.analysis.findings import engine
from tcptop.analysis.findings.rules import RULES
from tcptop.model.finding import Finding
from tcptop.tui.keys import GROUPS, MAIN
from tests.recordings import load
from tests.tui.live import Live, live
from tests.unit.prepared import everything, later

AWAY = {
    "pane": "1 enter",
    "facts": "6 enter",
    "finding": "7 enter",
    "help": "2 question_mark",
    "page": "8 x",
    "pages": "X",
    "changes": "D",
    "number": "0 down down down down down enter",
}
LISTS = ("0", "1", "2", "6", "7", "8")
DRILLED = ("8 enter", "0 enter", "4 enter enter")
ENDING = ("f10", "ctrl+c", "ctrl+q")


@pytest.mark.parametrize("way", AWAY.values(), ids=AWAY)
async def test_q_leaves_a_page_or_pane(way: str) -> None:
    async with live(*load("tour")[-2:]) as view:
        await view.press(*way.split())
        assert not view.session.here.listing
        deep = len(view.session.trail.places)
        assert "q close" in view.status()
        await view.press("q")
        assert not view.app._exit
        assert len(view.session.trail.places) == deep - 1


@pytest.mark.parametrize("way", DRILLED)
async def test_q_goes_back_from_a_list_that_was_opened(way: str) -> None:
    async with live(*load("tour")[-2:]) as view:
        await view.press(*way.split())
        deep = len(view.session.trail.places)
        assert view.session.here.listing
        assert "q close" in view.status()
        await view.press(*"q" * (deep - 1))
        assert not view.app._exit
        assert len(view.session.trail.places) == 1
        await view.press("q")
        assert view.app._exit


@pytest.mark.parametrize("way", LISTS)
async def test_q_ends_it_from_a_list(way: str) -> None:
    async with live(*load("tour")[-2:]) as view:
        await view.press(*way.split())
        assert "q quit" in view.status()
        await view.press("q")
        assert view.app._exit


@pytest.mark.parametrize("key", ENDING)
@pytest.mark.parametrize(
    "way", ["1 enter", "2 question_mark", "2 slash", "2 ctrl+f", "2 o", "2 colon"]
)
async def test_some_keys_end_it_from_everywhere(way: str, key: str) -> None:
    async with live(*load("tour")[-2:]) as view:
        await view.press(*way.split())
        await view.press(key)
        assert view.app._exit


async def hinted(view: Live, *keys: str) -> str:
    await view.press(*keys)
    await view.press("ctrl+l")  # what was said is gone
    return view.status()


async def test_the_last_line_says_what_the_keys_do_now() -> None:
    async with live(*load("tour"), size=(300, 40)) as view:
        listed = await hinted(view, "2")
        for now in ("Space pause", "t tree", "d names", "w all columns", "f follow"):
            assert f" {now} " in f"{listed} "
        assert "Esc" not in listed  # it does nothing there
        assert "a by port" not in listed
        assert "Space live" in await hinted(view, "space")
        assert "Space pause" in await hinted(view, "space")
        assert "Space live" in await hinted(view, "left_square_bracket")
        await view.press("space")
        assert "t plain list" in await hinted(view, "t")
        assert "w fewer columns" in await hinted(view, "w")
        assert "f unfollow" in await hinted(view, "j")
        assert "f follow" in await hinted(view, "f")
        assert "a by port" in await hinted(view, "5")
        assert "a by address" in await hinted(view, "a")
        await view.type("state established")
        assert "Esc clear filter" in await hinted(view)
        assert "Esc back" in await hinted(view, "enter")
        assert "? close help" in await hinted(view, "question_mark")


async def test_in_the_list_of_pages_no_key_is_named_that_leads_there() -> None:
    async with live(size=(120, 24)) as view:
        await view.press("8")
        assert "X all pages" in await hinted(view, "x")
        assert "X all pages" not in await hinted(view, "X")
        assert "Enter open page" in view.status()


async def test_without_rows_there_is_nothing_to_open_or_to_sort() -> None:
    async with live(*load("tour"), size=(300, 40)) as view:
        assert "Enter open" in await hinted(view, "2")
        await view.type("state closing and sport = :1")
        empty = await hinted(view)
        assert "Enter" not in empty
        assert "sort" not in empty
        assert "Esc clear filter" in empty


async def test_the_help_begins_with_the_keys_that_matter_on_one_screen() -> None:
    names = [id for ids, *_ in MAIN for id in ids]
    assert 20 <= len(names) <= 35
    known = {id for listed in GROUPS.values() for id, *_ in listed}
    assert set(names) <= known
    async with live(size=(80, 24)) as view:
        await view.press("2", "question_mark")
        rows = view.rows()
        for _, _, told in MAIN:
            assert any(told in row for row in rows), told
        assert rows[0].startswith("main keys 0-9 ")


NOTES = ("See --netns NAME|PID: 2 other network namespaces have sockets.",)


async def test_a_note_is_shown_once_and_then_a_mark_which_the_help_explains() -> None:
    first = everything(notes=NOTES)
    async with live(first, size=(80, 24)) as view:
        assert NOTES[0] in view.lines()[4]
        assert "[?]" not in view.lines()[0]
        await view.press("2")  # too early to have read it
        assert NOTES[0] in view.lines()[4]
        more = (NOTES[0].replace("2", "31"),)
        await view.take(later(first, 5.0, notes=more))
        assert more[0] in view.lines()[4]
        await view.press("j")
        assert NOTES[0] not in view.text()
        assert "[?]" in view.lines()[0]
        await view.take(later(first, 6.0))
        assert "[?]" in view.lines()[0]
        await view.press("question_mark")
        assert "See --netns NAME|PID" in view.text()
        await view.press("q")
        await view.take(later(first, 7.0, notes=("another one.",)))
        assert "another one." in view.lines()[4]
        await view.take(later(first, 8.0, notes=()))
        assert "[?]" not in view.lines()[0]


async def test_a_rule_that_raises_is_noted_and_the_others_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(seen: object, limits: object) -> list[Finding]:
        raise KeyError("nobody's")

    rules = [r._replace(find=broken) if r.id == "resets" else r for r in RULES]
    monkeypatch.setattr(engine, "RULES", rules)
    monkeypatch.setattr(engine, "RAISED", (MemoryError,))
    first = everything()
    async with live(first, size=(120, 24)) as view:
        assert "note: resets could not look because of an error in tcptop" in view.text()
        assert "LIVE" in view.lines()[0]
        await view.take(later(first, 5.0))
        await view.press("j")
        assert "[?]" in view.lines()[0]
        await view.press("question_mark")
        assert "resets could not look" in view.text()


async def test_where_there_is_no_room_for_notes_there_is_the_mark() -> None:
    async with live(everything(notes=NOTES), size=(60, 15)) as view:
        assert "[?]" in view.lines()[0]


def test_the_demo_remembers_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from tcptop.commands import live as command
    from tcptop.commands.effective import decided
    from tcptop.options import DemoOptions

    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    user = decided(DemoOptions())
    assert command.settings(DemoOptions(), user, "demo", remembered=False).state is None
    assert command.settings(DemoOptions(), user, "here").state is not None


@pytest.mark.parametrize("box", ["o", "colon"])
async def test_beneath_a_box_no_keys_are_named(box: str) -> None:
    async with live() as view:
        await view.press("2")
        before = view.app.main.last_line.text()
        await view.press(box)
        assert not view.app.main.last_line.text().strip()
        await view.press("escape")
        assert view.app.main.last_line.text() == before
