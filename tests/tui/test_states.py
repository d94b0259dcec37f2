"""The view of the state machine: choosing, opening, explaining, and how it fits."""

from __future__ import annotations

import pytest

from tcptop.model import tcp
from tcptop.tui import state_diagram
from tests.tui.live import Live, live, next_look
from tests.unit.prepared import everything, sample, socket

SIZES = [(80, 24), (120, 40), (200, 60)]


def chosen(view: Live) -> int:
    return view.app.main.diagram.chosen


async def choose(view: Live, state: int) -> None:
    """By clicking on it."""
    box = state_diagram.BOXES[state]
    await view.pilot.click("#diagram", offset=(box.x, box.y - view.app.main.diagram._top))
    assert chosen(view) == state


@pytest.mark.parametrize("size", SIZES)
async def test_every_state_is_drawn_with_its_sockets(size: tuple[int, int]) -> None:
    async with live(size=size) as view:
        await view.press("8")
        for state in range(1, 12):
            await choose(view, state)
            name = "CLOSED" if state == tcp.CLOSE else tcp.SS_STATES[state]
            count = 7 if state == tcp.ESTABLISHED else 2 if state == tcp.LISTEN else 1
            assert f" {name} {count} " in view.text()
        assert all(len(line) <= size[0] for line in view.lines())
        assert "Enter its sockets" in view.status()


async def test_arrows_choose_enter_lists_and_escape_comes_back() -> None:
    async with live() as view:
        await view.press("8")
        assert chosen(view) == tcp.ESTABLISHED
        await view.press("l")
        assert chosen(view) == tcp.CLOSE_WAIT
        await view.press("enter")
        assert view.session.here.scope.text == "state close-wait"
        assert view.app.focused is view.app.main.table
        assert [row.split()[0] for row in view.rows()] == ["CLOSE-WAIT"]
        await view.press("j", "escape")
        assert view.session.here.view == "states"
        assert chosen(view) == tcp.CLOSE_WAIT
        assert "( CLOSED 1 )" in view.text()
        await view.press("h")
        assert chosen(view) != tcp.CLOSE_WAIT


async def test_each_state_has_its_page_one_key_away() -> None:
    async with live() as view:
        await view.press("8", "k", "x")
        assert view.text().count("syn-recv -") == 1
        await view.press("escape")
        assert chosen(view) == tcp.SYN_RECV
        assert "[ SYN-RECV 1 ]" in view.text()


async def test_the_second_click_opens() -> None:
    async with live() as view:
        await view.press("8")
        box = state_diagram.BOXES[tcp.TIME_WAIT]
        await view.pilot.click("#diagram", offset=(box.x, box.y), times=2)
        assert view.session.here.scope.text == "state time-wait"
        assert [row.split()[0] for row in view.rows()] == ["TIME-WAIT"]


async def test_rates_are_seen_between_looks() -> None:
    first = sample([socket("ESTABLISHED", "10.0.0.1:1", "10.0.0.2:2", cookie=7)])
    second = sample([socket("CLOSE_WAIT", "10.0.0.1:1", "10.0.0.2:2", cookie=7)])
    async with live(first) as view:
        await view.press("8")
        assert "/s" not in view.text()
        assert "rates need a second sample" in view.text()
        await view.take(next_look(first, sockets=second.sockets))
        assert "FIN came 1.0/s" in view.text()


async def test_a_filter_counts_its_sockets_only() -> None:
    first = everything()
    async with live(first) as view:
        await view.press("8")
        await view.take(next_look(first))
        await view.type("state established")
        assert "[ ESTAB 7 ]" in view.text()
        assert "( CLOSED )" in view.text()
        assert "[ LISTEN 0 ]" in view.text()
        assert "rates count all sockets" in view.text()
        assert view.app.focused is view.app.main.diagram


async def test_where_there_is_room_it_says_who_and_how_many_there_were() -> None:
    first = everything()
    async with live(first, size=(200, 60)) as view:
        await view.press("8", "l")
        await view.take(next_look(first))
        assert "the peer has closed and this process has not" in view.text()
        assert "by process" in view.text()
        assert "-30s" in view.text()


async def test_a_low_terminal_keeps_the_chosen_state_in_sight() -> None:
    async with live(size=(80, 16)) as view:
        await view.press("8", *["down"] * 4)
        assert chosen(view) == tcp.TIME_WAIT
        assert "[ TIME-WAIT 1 ]" in view.text()
        assert "LISTEN" not in "\n".join(view.lines()[3:])
        await view.press(*["up"] * 5)
        assert chosen(view) == tcp.CLOSE
        assert "( CLOSED 1 )" in view.text()


async def test_a_narrow_terminal_has_a_list_of_the_states() -> None:
    async with live(size=(60, 20)) as view:
        await view.press("8", "s")
        assert view.rows()[0].split()[:3] == ["ESTAB", "7", "39%"]
        await view.press("enter")
        assert view.session.here.scope.text == "state established"
        await view.press("escape")
        await view.pilot.resize_terminal(100, 30)
        await view.settled()
        assert "[ ESTAB 7 ]" in view.text()
        assert chosen(view) == tcp.ESTABLISHED
        await view.press("s")
        assert "only lists are sorted" in view.status()
        await view.pilot.resize_terminal(60, 20)
        await view.settled()
        assert view.rows()[0].split()[:3] == ["ESTAB", "7", "39%"]


async def test_the_picture_is_drawn_in_ascii_too() -> None:
    async with live(size=(200, 60), ascii_only=True) as view:
        await view.press("8")
        assert view.text().isascii()
        assert "?" not in "\n".join(view.lines()[4:22])


@pytest.mark.parametrize("size", [(1, 1), (40, 10), (77, 16), (76, 40), (300, 17)])
async def test_no_size_breaks_it(size: tuple[int, int]) -> None:
    async with live(size=size) as view:
        await view.press("8", "down", "left", "enter", "escape", "question_mark", "escape")
        assert view.session.here.view in ("states", "processes")
        assert all(len(line) <= size[0] for line in view.lines())
