"""The explain pages in the live view."""

from __future__ import annotations

import re

import pytest

from tcptop.explain import Page, pages
from tcptop.model.finding import Finding
from tcptop.tui.help import PageModel
from tests.tui.live import live
from tests.tui.test_moving import to_row


@pytest.mark.parametrize(
    ("keys", "title"),
    [
        (("7",), "accept-queue-overflow - "),
        (("7", "enter"), "accept-queue-overflow - "),
        (("2",), "close-wait-unread - "),  # its finding
        (("2", "enter"), "close-wait-unread - "),
        (("2", "j"), "connect-unanswered - "),
        (("2", "G"), "time-wait - "),  # its state
        (("3",), "accept-queue-overflow - "),
        (("3", "j"), "queues - "),
        (("4",), "ports - "),
        (("question_mark",), "About"),
    ],
)
async def test_what_is_under_the_cursor_is_explained(
    told: list[Finding], keys: tuple[str, ...], title: str
) -> None:
    async with live() as view:
        await view.press(*keys)
        before = view.lines()[1:]
        await view.press("x")
        assert title in view.titles()
        assert view.status().startswith(" Esc back")
        await view.press("escape")
        assert view.lines()[1:] == before


async def test_what_nothing_explains_shows_the_list_of_pages() -> None:
    async with live() as view:
        await view.press("x")
        assert "About" in view.titles()
        await view.press("x", "X", "escape")
        assert view.session.here.listing


async def test_a_counter_is_explained_by_what_it_feeds() -> None:
    async with live() as view:
        await view.press("6")
        await to_row(view, "ListenDrops")
        await view.press("i")
        assert view.titles().startswith("accept-queue-overflow - ")


async def test_pages_are_listed_and_lead_to_each_other() -> None:
    async with live(size=(80, 120)) as view:  # all of them at once
        await view.press("X")
        text = view.text()
        assert all(f" {page.name} " in text for page in pages())
        await to_row(view, "close-wait-leak")
        await view.press("enter")
        assert view.titles().startswith("close-wait-leak - the peer has closed")
        assert "What the kernel does" in view.text()
        await view.press("G", "k", "k", "k")
        assert view.cursor() == "  half-closed"
        await view.press("enter")
        assert view.titles().startswith("half-closed - ")
        await view.press("escape", "escape", "escape")
        assert view.session.here.listing


async def test_a_long_page_scrolls() -> None:
    async with live() as view:
        await view.press("X", "enter")
        seen: set[str] = set()
        for _ in range(8):
            seen.update(view.rows())
            await view.press("pagedown")
        assert any(line.strip() == "See also" for line in seen)


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_a_narrow_page_loses_no_word(page: Page) -> None:
    model = PageModel(page, 40)
    lines = [str(model.cells(row, model.columns)[0]) for row in range(len(model))]
    assert all(len(line) <= 40 for line in lines)
    body = page.text.partition("\n")[2]
    assert re.sub(r"[\s,]", "", "".join(lines)) == re.sub(r"[\s,]", "", body)
