"""Finding a text among rows, whatever list or text they are of."""

from __future__ import annotations

import pytest

from tcptop.columns import SOCKETS
from tcptop.tui.lists import Criteria, show
from tcptop.tui.place import Sort
from tcptop.tui.search import BLOCK, Search
from tests.tui.live import Live, live, next_look
from tests.unit.prepared import derived, everything, sample, socket


async def find(view: Live, text: str) -> None:
    await view.press("ctrl+f")
    view.app.main.find_bar.prompt.value = text
    await view.press("enter")
    await view.until(lambda: text in view.status(), "said")


async def test_the_cursor_goes_from_one_to_the_next_and_round() -> None:
    async with live(size=(120, 40)) as view:
        await view.press("2")
        rows = [row for row in view.rows() if "5100" in row]
        assert len(rows) > 1
        seen = []
        await find(view, "5100")
        for _ in rows:
            seen.append(view.cursor())
            assert f" of {len(rows)}: 5100" in view.status()
            await view.press("n")
        assert seen == rows
        assert view.cursor() == rows[0]
        assert f"1 of {len(rows)}: 5100" in view.status()
        await view.press("N")
        assert view.cursor() == rows[-1]
        assert f"{len(rows)} of {len(rows)}" in view.status()


async def test_case_does_not_matter_and_not_found_is_said() -> None:
    async with live(size=(120, 40)) as view:
        await view.press("2", "end")
        before = view.cursor()
        await find(view, "no such text")
        assert "not found: no such text" in view.status()
        assert view.cursor() == before
        await find(view, "Close-Wait")
        assert view.cursor().startswith("CLOSE-WAIT")
        assert "1 of 1" in view.status()


async def test_the_found_row_stays_under_the_cursor() -> None:
    first = everything()
    async with live(first, size=(120, 40)) as view:
        await view.press("2")
        await find(view, "51002")
        await view.take(next_look(first))
        assert "51002" in view.cursor()
        await view.press("s", "s")
        assert "51002" in view.cursor()


@pytest.mark.parametrize("place", ["question_mark", "X", "3", "6", "7", "8"])
async def test_texts_and_other_lists_can_be_searched(place: str) -> None:
    async with live(size=(70, 24)) as view:
        await view.press(place)
        word = view.rows()[-1].split()[0]
        await find(view, word)
        assert word in view.cursor()


async def test_another_text_can_be_typed_at_once_and_none_finds_the_last_again() -> None:
    async with live(size=(120, 40)) as view:
        await view.press("2", "ctrl+f", *"51001", "enter")
        assert "51001" in view.cursor()
        await view.press("ctrl+f", *"51002", "enter")
        assert "51002" in view.cursor()
        await view.press("home", "ctrl+f", "enter")
        assert "51002" in view.cursor()
        await view.press("ctrl+f", "up", "up", "enter")
        assert "51001" in view.cursor()


async def test_without_a_text_n_asks_for_one() -> None:
    async with live() as view:
        await view.press("n")
        assert "find" in view.lines()[-1]
        await view.press("q", "escape")
        assert view.app.main.body.has_focus
        assert "? help" in view.status()
        await view.press("8", "n")
        assert "no rows to search" in view.status()


async def test_every_character_is_text_while_it_is_typed() -> None:
    async with live() as view:
        await view.press("f3", *"q2s?", "tab", "enter")
        assert "not found: q2s?" in view.status()
        assert view.session.here.view == "processes"


def test_all_of_many_rows_are_found_in_blocks() -> None:
    rows = [
        socket("ESTABLISHED", f"10.0.{n // 250}.{n % 250}:80", "10.9.9.9:1") for n in range(6000)
    ]
    model = show(derived(sample(rows)), Criteria(SOCKETS, Sort("state"))).model
    search = Search(model, model.columns, "10.0.3.7:", 5000, -1)
    blocks = 0
    while search.go_on():
        blocks += 1
    wanted = [n for n in range(6000) if "10.0.3.7:" in model.cells(n, model.columns[1:5])[2]]
    assert search.first == max(n for n in wanted if n <= 5000)
    assert search.rank == (wanted.index(search.first) + 1, len(wanted))
    assert blocks == -(-5001 // BLOCK) + -(-999 // BLOCK)
