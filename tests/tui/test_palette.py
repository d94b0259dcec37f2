"""The palette: everything by name, found by some letters, run as its key would."""

from __future__ import annotations

import pytest
from textual import events

from tcptop.columns import SOCKETS
from tcptop.explain import pages
from tcptop.tui.fuzzy import fit, fitting
from tcptop.tui.keys import KEYS, VIEW_KEYS
from tcptop.tui.viewing import live_listing
from tests.tui.live import Live, live


def offered(view: Live) -> list[str]:
    """The lines of the palette between its edges."""
    return [line.strip("│ ") for line in view.app._palette.text().split("\n")[1:-1]]


async def write(view: Live, text: str) -> None:
    """Type `:` and a text at once, as a terminal sends a paste without brackets."""
    names = {" ": "space", "-": "minus"}
    await view.press("colon", *(names.get(letter, letter) for letter in text))


@pytest.mark.parametrize(
    ("typed", "first"),
    [
        ("pause", "pause"),
        ("ps", "pause"),
        ("hold", "pause"),
        ("close-wait", "explain close-wait"),
        ("findi", "view Findings"),
        ("rtt", "sort by RTT ms"),
        ("sort send", "sort by Send-Q"),
        ("QUIT", "quit"),
    ],
)
async def test_letters_find_a_command(typed: str, first: str) -> None:
    async with live(size=(120, 40)) as view:
        await view.press("2")
        await write(view, typed)
        assert offered(view)[0].startswith(first)
        assert f": {typed}" in view.app._palette.text()


async def test_it_offers_all_actions_columns_and_pages_with_their_keys() -> None:
    async with live(size=(160, 400)) as view:
        await view.press("2", "colon")
        text = " ".join(view.text().split())
        for id, keys, *_, told in (*KEYS, *VIEW_KEYS):
            if id != "commands":
                assert told[:40] in text, (id, keys)
        for column in live_listing(SOCKETS).columns[1:]:
            assert f"sort by {column.title}" in text
        for page in pages():
            assert f"explain {page.name}" in text
        assert any(line.startswith("pause") and line.endswith("Space") for line in offered(view))


async def test_enter_does_what_the_key_would_do() -> None:
    async with live(size=(120, 40)) as view:
        await write(view, "listeners")
        await view.press("enter")
        assert view.session.here.view == "listeners"
        assert not view.app.overlaid
        await write(view, "sort by fill")
        await view.press("enter")
        assert view.session.sort.key == "fill"
        assert "sorted by Fill" in view.status()
        await write(view, "explain time-wait")
        await view.press("enter")
        assert view.session.here.page == "time-wait"
        await view.press("escape")
        await write(view, "pause")
        await view.press("enter")
        assert "PAUSED" in view.lines()[0]
        await write(view, "columns")
        await view.press("enter")
        assert view.app._chooser.is_open


async def test_keys_typed_ahead_are_in_order() -> None:
    async with live() as view:
        await view.press("colon", *"conn", "enter", "s", "colon", *"pau", "enter", "3")
        assert view.session.sorts["sockets"].key == "recv_q"
        assert "PAUSED" in view.lines()[0]
        assert view.session.here.view == "listeners"


async def test_moving_deleting_and_leaving() -> None:
    async with live() as view:
        before = view.lines()
        await write(view, "xyzzy")
        assert "nothing is called like this" in view.app._palette.text()
        await view.press("enter", "backspace", "backspace")
        await view.press("ctrl+u", "down", "down", "up", "pagedown", "pageup", "tab")
        assert view.app._palette.row == 2
        await view.press("q", "s")
        assert view.app._palette.is_open
        await view.press("escape")
        assert not view.app.overlaid
        assert view.lines() == before


async def test_a_paste_is_text_without_controls() -> None:
    async with live() as view:
        await view.press("colon")
        view.app.post_message(events.Paste("pau\x1b[31m\nse"))
        await view.settled()
        assert ": pau[31mse_" in view.app._palette.text()


async def test_it_fits_on_small_screens() -> None:
    for width, height in ((40, 10), (20, 5), (80, 24)):
        async with live(size=(width, height)) as view:
            await write(view, "pause")
            box = view.app._palette.text().split("\n")
            assert len(box) <= height
            assert all(len(line) <= width for line in box)
            assert offered(view)[0].startswith("pause")
            await view.press("enter")
            assert view.session.held is not None


async def test_a_click_elsewhere_closes_it() -> None:
    async with live() as view:
        await view.press("colon", *"expl")
        view.app.screen.set_focus(view.app._table)
        await view.settled()
        assert not view.app.overlaid
        await view.press("3")
        assert view.session.here.view == "listeners"


async def test_it_names_keys_that_were_bound_anew() -> None:
    async with live(keys={"pause": "p"}, size=(120, 40)) as view:
        await write(view, "pause")
        assert offered(view)[0].split()[-1] == "p"


def test_better_fits_come_first() -> None:
    texts = ["unfold", "old", "hold on", "o l d", "go-old"]
    assert fitting(texts, "old", lambda text: (text,)) == [
        "old", "go-old", "hold on", "unfold", "o l d",
    ]  # fmt: skip
    assert fit("abc", "cb") is None
    assert fitting(texts, " ", lambda text: (text,)) == texts
