"""Going back to earlier looks: every view shows the moment, and the way back to now."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tcptop.model.sample import Sample
from tests.tui.live import Live, live, next_look
from tests.tui.telling import STUCK, told
from tests.unit.prepared import everything, later

__all__ = ["told"]
BACK, ON = "left_square_bracket", "right_square_bracket"
MINUTE_BACK, MINUTE_ON = "left_curly_bracket", "right_curly_bracket"


def samples(number: int, seconds: float = 1.0) -> list[Sample]:
    """Each with one socket less than the one before."""
    found = [everything()]
    for _ in range(number - 1):
        last = found[-1]
        found.append(later(last, seconds, sockets=last.sockets.part(0, len(last.sockets) - 1)))
    return found


def shown(view: Live) -> int:
    """How many sockets the look that is shown has."""
    title = view.lines()[0].split()
    return int(title[title.index("sockets") - 1])


async def test_every_list_shows_the_moment_that_was_gone_back_to() -> None:
    async with live(*samples(4), size=(120, 40)) as view:
        await view.press("2")
        assert len(view.rows()) == shown(view) == 15
        await view.press(BACK)
        assert view.lines()[0][:-9].endswith("PAST")
        assert "1 s ago; Space returns to live" in view.status()
        await view.press(BACK)
        assert len(view.rows()) == shown(view) == 17
        await view.press("5", "1", "3", "4", "6", "7", "8")
        assert shown(view) == 17
        await view.press("2", "enter", "escape")
        await view.type("state established")
        assert shown(view) == 17
        assert "PAST" in view.lines()[0]


async def test_after_the_newest_it_is_live_again() -> None:
    first, second, third = samples(3)
    async with live(first, second) as view:
        await view.press(ON)
        assert "this is the newest sample" in view.status()
        assert view.lines()[0].endswith("LIVE 1s")
        await view.press(BACK)
        assert shown(view) == 18
        await view.press(BACK)
        assert "this is the oldest sample kept" in view.status()
        await view.take(third)
        assert shown(view) == 18
        await view.press(ON)
        assert shown(view) == 17
        await view.press(ON)
        assert "PAST" in view.lines()[0]
        assert shown(view) == 16
        await view.press(ON)
        assert view.lines()[0].endswith("LIVE 1s")
        assert "live again" in view.status()
        await view.press(BACK, "space")
        assert view.lines()[0].endswith("LIVE 1s")
        assert shown(view) == 16


async def test_minutes_back_and_on() -> None:
    async with live(*samples(9, 20.0)) as view:
        assert shown(view) == 10
        await view.press(MINUTE_BACK)
        assert shown(view) == 13
        await view.press(BACK, MINUTE_BACK)
        assert shown(view) == 17
        await view.press(MINUTE_BACK)
        assert shown(view) == 18
        await view.press(MINUTE_BACK)
        assert "this is the oldest sample kept" in view.status()
        await view.press(MINUTE_ON)
        assert shown(view) == 15
        await view.press(MINUTE_ON, MINUTE_ON)
        assert view.lines()[0].endswith("LIVE 1s")
        await view.press(MINUTE_ON)
        assert "this is the newest sample" in view.status()


async def test_findings_of_the_past_are_those_of_then(told: list) -> None:  # type: ignore[type-arg]
    first = everything()
    told[:] = [STUCK]
    async with live(first, size=(120, 40)) as view:
        told.clear()
        await view.take(next_look(first))
        await view.press("7")
        assert "No problems" in view.text()
        await view.press(BACK)
        assert STUCK.title in view.text()
        await view.press("enter")
        assert "Its end of file waits." in view.text()


async def test_a_socket_that_is_gone_now_is_there_in_the_past() -> None:
    first = everything()
    key = int(first.sockets.key[0])
    left = first.sockets.take(first.sockets.key != np.uint64(key))
    async with live(first, size=(120, 40)) as view:
        await view.take(replace(next_look(first), sockets=left))
        await view.press("2")
        assert view.app.main.table.model.row_of(key) is None  # type: ignore[union-attr]
        await view.press(BACK)
        assert view.app.main.table.model.row_of(key) is not None  # type: ignore[union-attr]


async def test_before_the_first_look_there_is_nothing_to_go_to() -> None:
    async with live(OSError("not yet")) as view:
        for key in (BACK, ON, MINUTE_BACK, MINUTE_ON):
            await view.press(key)
            assert "no sample yet" in view.status()
