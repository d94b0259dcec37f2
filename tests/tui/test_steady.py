"""What a picture costs where nothing happens: ages and the header's numbers do not tick."""

from __future__ import annotations

import pytest

from tcptop.columns import FINDINGS, KERNEL, LISTINGS
from tcptop.columns.units import coarse_age
from tcptop.tui.lists import AGES
from tcptop.tui.watcher import OwnCost, Steady
from tests.tui.live import live, next_look
from tests.unit.prepared import derived, everything, kernel, later, sample, socket


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0, "<10s"), (9.9, "<10s"), (10.0, "10s"), (59.9, "50s"), (60.0, "1m"), (3599.0, "59m"),
        (3600.0, "1h00m"), (90_000.0, "1d"), (float("nan"), "–"),
    ],
)  # fmt: skip
def test_ages_are_coarse(seconds: float, text: str) -> None:
    assert coarse_age(seconds) == text


def test_the_columns_of_ages_exist() -> None:
    every = [
        column.key for each in (*LISTINGS.values(), KERNEL, FINDINGS) for column in each.columns
    ]
    assert set(AGES) <= set(every)


def test_a_number_changes_markedly_or_not_at_all() -> None:
    steady = Steady(2.0)
    assert steady.show(None, 0.0) is None
    assert steady.show(3.0, 1.0) == 3.0
    assert steady.show(30.0, 2.0) == 3.0  # too early
    assert steady.show(4.9, 20.0) == 3.0  # too little
    assert steady.show(30.0, 21.0) == 30.0
    assert steady.show(44.0, 40.0) == 30.0  # less than half more
    assert steady.show(14.0, 41.0) == 14.0
    assert steady.show(None, 90.0) == 14.0


def test_a_sample_that_had_to_wait_is_not_what_one_costs() -> None:
    cost, taken = OwnCost(), sample([], poll_ms=4.0)
    shown = []
    for number in range(30):
        slow = 40.0 if number in (3, 4, 12) else 4.0 if number < 18 else 10.0
        taken = next_look(taken, poll_ms=slow)
        shown.append(cost.shown(derived(taken))[0])
    assert shown == [4.0] * 22 + [10.0] * 8  # that it is slower now is seen by the fifth


async def test_an_idle_host_changes_nothing_on_the_screen() -> None:
    rows = [socket("ESTABLISHED", f"10.0.0.1:{n}", "10.0.0.7:80") for n in (1, 2, 3)]
    first = sample([socket("LISTEN", "0.0.0.0:80", send_q=128), *rows], kernel=(kernel(),))
    minute = [later(first, 300.0 + second) for second in range(61)]  # small pictures are full
    last = minute[-1]
    async with live(first, *minute, size=(200, 60)) as view:
        for key in "12345678":
            await view.press(key)
            before = view.lines()
            for poll_ms in (4.0, 2.5, 3.0):
                last = next_look(last, poll_ms=poll_ms)
                await view.take(last)
                assert view.lines()[1:21] == before[1:21], key  # a chart below moves
                assert "poll 3 ms" in view.lines()[0]


async def test_a_held_picture_changes_nothing_at_all() -> None:
    first = everything()
    async with live(first, size=(200, 60)) as view:
        for key in ("1", "2", "3", "8"):
            await view.press(key, "space")
            before = view.lines()
            for _ in range(3):
                first = next_look(first, poll_ms=90.0)
                await view.take(first)
                assert view.lines() == before
            await view.press("space")
