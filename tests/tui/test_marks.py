"""Rows that a finding is about, and what is wrong with a single connection."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from tcptop.model.finding import Finding, Subject
from tests.tui.live import live, next_look
from tests.tui.telling import STUCK
from tests.unit.prepared import (
    FIRST_COOKIE,
    NETNS,
    WORTH_KNOWING,
    everything,
    sample,
    socket,
)


@pytest.mark.parametrize(
    ("view", "row", "sign"),
    [
        ("1", "100 nginx", "!"),
        ("1", "200 curl", "*"),
        ("2", "10.0.0.8:51002", "*"),
        ("2", "0.0.0.0:80", "!"),
        ("2", "10.0.0.7:51000", " "),
        ("3", "0.0.0.0:80", "!"),
        ("3", "[::]%lo:443", " "),
        ("5", "192.0.2.1", "*"),
        ("5", "10.0.0.8", " "),
    ],
)
async def test_rows_that_a_finding_is_about_are_marked(
    told: list[Finding], view: str, row: str, sign: str
) -> None:
    async with live() as screen:
        await screen.press(view)
        found_row = next(line for line in screen.rows() if row in line)
        assert found_row[0] == sign
        assert screen.titles().startswith("!")


async def test_without_trouble_there_are_no_marks(told: list[Finding]) -> None:
    told[:] = [WORTH_KNOWING]
    async with live() as view:
        assert not view.titles().startswith("!")


async def test_sorting_by_marks_brings_trouble_to_the_top(told: list[Finding]) -> None:
    async with live() as view:
        await view.press("2", "less_than_sign")
        assert [row[0] for row in view.rows()[:4]] == ["!", "*", "*", " "]


async def test_a_connection_says_what_is_wrong_with_it(told: list[Finding]) -> None:
    rows = [socket("SYN_SENT", "10.0.0.1:1", "10.0.0.2:2", retrans=3, timer=1)]
    told[:] = [replace(STUCK, subject=Subject(NETNS, cookies=(FIRST_COOKIE,)))]
    async with live(sample(rows), size=(160, 30)) as view:
        await view.press("2")
        assert "Verdict" in view.titles()
        assert "SYN unanswered, 3 ret" in view.rows()[0]
        await view.press("enter")
        assert re.match(r"  verdict +SYN unanswered, 3 retries$", view.rows()[0])
        assert STUCK.title in view.rows()[1]
        await view.press("j", "enter")
        assert view.session.here.view == "findings"
        assert "Its end of file waits." in view.text()


async def test_the_options_of_what_is_looked_at_are_asked_for() -> None:
    first = everything()
    async with live(first) as view:
        await view.press("2", "enter")
        row = first.sockets.key.tolist().index(view.session.here.item)
        asked = first.sockets.id(row)
        await view.take(next_look(first))
        assert view.source is not None
        assert asked in view.source.requests.sockets
        await view.press("escape")
        await view.take(next_look(next_look(first)))
        assert asked not in view.source.requests.sockets
