"""The palette: everything by name, found by some letters, run as its key would."""

from __future__ import annotations

import pytest
from textual import events
from textual.strip import Strip

from tcptop.columns import SOCKETS
from tcptop.explain import pages
from tcptop.tui.keys import KEYS, VIEW_KEYS
from tcptop.tui.lists import live_listing
from tcptop.tui.palette import fit, fitting
from tests.tui.live import Live, live


def offered(view: Live) -> list[str]:
    """The lines of the palette between its edges."""
    return [line.strip("│ ") for line in view.app.palette.box.text().split("\n")[1:-1]]


async def write(view: Live, text: str) -> None:
    """Type `:` and a text at once, as a terminal sends a paste without brackets."""
    names = {" ": "space", "-": "minus"}
    await view.press("colon", *(names.get(letter, letter) for letter in text))


@pytest.mark.parametrize(
    ("typed", "first"),
    [
        ("pause", "pause"),
        ("pse", "pause"),
        ("resume", "pause"),
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
        assert f": {typed}" in view.app.palette.box.text()


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
        assert view.app.screen is view.app.main
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
        assert view.app.column_chooser.box.is_open


async def test_keys_typed_ahead_are_in_order() -> None:
    async with live() as view:
        await view.press("colon", *"conn", "enter", "s", "colon", *"pau", "enter", "3")
        assert view.session.choices.sorts["sockets"].key == "recv_q"
        assert "PAUSED" in view.lines()[0]
        assert view.session.here.view == "listeners"


async def test_moving_deleting_and_leaving() -> None:
    async with live() as view:
        before = view.lines()
        await write(view, "xyzzy")
        assert "no match" in view.app.palette.box.text()
        await view.press("enter", "backspace", "backspace")
        await view.press("ctrl+u", "down", "down", "up", "pagedown", "pageup", "tab")
        assert view.app.palette.box.row == 2
        await view.press("q", "s")
        assert view.app.palette.box.is_open
        await view.press("escape")
        assert view.app.screen is view.app.main
        assert view.lines()[1:] == before[1:]  # the first one tells what tcptop costs


async def test_a_paste_comes_before_the_keys_that_follow_it() -> None:
    async with live() as view:
        driver = view.app._driver
        assert driver is not None
        for message in (
            *(events.Key("colon", ":"), events.Paste("explain close-wait")),
            *(events.Key("enter", None), events.Key("pagedown", None)),
        ):
            driver.send_message(message)
        await view.settled()
        assert "close-wait - the peer has closed" in view.text()
        driver.send_message(events.Paste("q"))  # nobody types text here
        await view.settled()
        assert "close-wait - the peer has closed" in view.text()


async def test_a_paste_is_text_without_controls() -> None:
    async with live() as view:
        await view.press("colon")
        view.app.post_message(events.Paste("pau\x1b[31m\nse"))
        await view.settled()
        assert ": pau[31mse_" in view.app.palette.box.text()


async def test_it_fits_on_small_screens() -> None:
    for width, height in ((40, 10), (20, 5), (80, 24)):
        async with live(size=(width, height)) as view:
            await write(view, "pause")
            box = view.app.palette.box.text().split("\n")
            assert len(box) <= height
            assert all(len(line) <= width for line in box)
            assert offered(view)[0].startswith("pause")
            await view.press("enter")
            assert view.session.time.held is not None


async def test_it_goes_on_fitting_when_the_terminal_changes() -> None:
    async with live(size=(120, 40)) as view:
        await view.press("colon")
        for width, height in ((80, 20), (40, 10), (130, 30)):
            await view.pilot.resize_terminal(width, height)
            await view.settled()
            box = view.app.palette.box.region
            assert box.width == min(width, 96)
            assert box.x == (width - box.width) // 2
            assert box.bottom <= height
            assert view.lines()[box.bottom - 1][box.x] == "└"


async def test_a_click_elsewhere_closes_it() -> None:
    async with live() as view:
        await view.press("colon", *"expl")
        await view.pilot.click(offset=(40, 23))
        await view.settled()
        assert view.app.screen is view.app.main
        await view.press("3")
        assert view.session.here.view == "listeners"


async def test_the_keys_are_those_of_the_screen_again_when_it_is_closed() -> None:
    async with live(size=(120, 40)) as view:
        for key, widget in (("2", view.app.main.table), ("8", view.app.main.diagram)):
            await view.press(key, "colon", "escape")
            assert view.app.focused is widget
        await view.press("colon", *"view list", "enter")
        assert view.app.focused is view.app.main.table


async def test_tab_is_not_that_of_the_screen_beneath() -> None:
    async with live() as view:
        await view.press("colon", "tab", "tab", "shift+tab")
        assert view.app.palette.box.row == 2
        await view.press("escape")
        assert view.session.here.view == "processes"


@pytest.mark.parametrize("key", ["f10", "f9"])
async def test_the_program_can_be_ended_from_it(key: str) -> None:
    async with live(keys={"quit": "q,f9"} if key == "f9" else {}) as view:
        await view.press("colon", "q")
        assert ": q_" in view.app.palette.box.text()
        assert not view.app._exit
        await view.press(key)
        assert view.app._exit


async def test_what_is_beside_it_keeps_its_colours() -> None:
    """A tint would paint the whole screen: twice the bytes over SSH."""
    async with live(theme="dark", size=(120, 40)) as view:
        before = view.strips()
        await view.press("colon", *"pause")
        after = view.strips()
        box = view.app.palette.box.region
        # The last line names keys, of which those that it named do nothing now.
        for y, (then, now) in enumerate(zip(before[:-1], after[:-1], strict=True)):
            beside = [(0, 120)] if y not in box.line_range else [(0, box.x), (box.right, 120)]
            for start, end in beside:
                assert cells(then.crop(start, end)) == cells(now.crop(start, end))


def cells(strip: Strip) -> list[tuple[str, object]]:
    """Each character with its colours."""
    return [(text, segment.style) for segment in strip for text in segment.text]


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
