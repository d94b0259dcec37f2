"""Drilling, going back, and a cursor that keeps to its row."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tcptop.model.sample import Sample
from tests.tui.live import Live, live, next_look
from tests.unit.prepared import FIRST_COOKIE, everything


def without(sample: Sample, cookie: int) -> Sample:
    """The sample without one of its sockets."""
    return replace(sample, sockets=sample.sockets.take(sample.sockets.cookie != np.uint64(cookie)))


def shuffled(sample: Sample) -> Sample:
    """The sample with its sockets in another order."""
    order = np.random.default_rng(1).permutation(len(sample.sockets))
    return replace(sample, sockets=sample.sockets.take(order))


async def to_row(view: Live, text: str) -> None:
    """Move the cursor down to a row."""
    for _ in range(40):
        if text in view.cursor():
            return
        await view.press("j")
    raise AssertionError(f"no row with {text}:\n{view.text()}")


async def test_a_process_leads_to_its_connections_and_one_of_them_to_its_facts() -> None:
    async with live() as view:
        await to_row(view, "101 nginx")
        count = int(view.cursor().split()[2])
        await view.press("enter")
        assert view.titles().startswith("Process nginx/101")
        await view.press("enter")
        assert view.session.here.scope.text.startswith("pid = 101")
        assert " filter: pid = 101" in view.text()
        assert len(view.rows()) == count
        await to_row(view, "CLOSE-WAIT")
        await view.press("right")
        assert "the peer has closed and this process has not" in " ".join(view.text().split())
        await view.press("escape")
        assert view.cursor().startswith("CLOSE-WAIT")
        await view.press("left", "left")
        assert "101 nginx" in view.cursor()
        assert "filter:" not in view.text()


async def test_listeners_destinations_and_remotes_lead_to_their_connections() -> None:
    async with live(size=(120, 40)) as view:
        await view.press("3", "enter", "enter")
        assert all("10.0.0.1:80 " in row or "0.0.0.0:80 " in row for row in view.rows())
        assert len(view.rows()) == 6
        await view.press("4", "enter", "enter")
        assert view.rows()
        assert all("10.0.0.9:8080" in row for row in view.rows())
        await view.press("5", "enter", "enter")
        assert len(view.rows()) == 5
        assert all(" 10.0.0.9:" in row for row in view.rows())


async def test_remotes_by_port_lead_to_those_of_the_port() -> None:
    async with live() as view:
        await view.press("5", "a")
        assert "remotes by address and port" in view.status()
        row = next(row for row in view.rows() if row.startswith("10.0.0.8:51002"))
        await to_row(view, row.split()[0])
        await view.press("enter")
        assert view.titles().startswith("Remote 10.0.0.8:51002")
        await view.press("enter")
        assert len(view.rows()) == 1
        assert "51002" in view.rows()[0]


async def test_sockets_without_a_process_open_too() -> None:
    async with live() as view:
        for group in ("no process", "closed: TIME-WAIT", "accept queue"):
            await view.press("1")
            await view.press("home")
            await to_row(view, group)
            count = int(view.cursor().split(")")[-1].split()[0]) if ")" in view.cursor() else None
            await view.press("enter")
            if view.session.has_pane:
                await view.press("enter")
            assert view.session.here.listing
            if count is not None:
                assert len(view.rows()) == count


async def test_a_drill_stays_behind_when_the_view_is_changed() -> None:
    async with live() as view:
        await to_row(view, "101 nginx")
        await view.press("enter", "5")
        assert "filter:" not in view.text()
        await view.press("2")
        assert len(view.session.trail.places) == 1
        await view.press("1")
        assert "101 nginx" in view.cursor()


async def test_pressing_the_digit_of_a_drilled_view_leaves_the_drill() -> None:
    async with live() as view:
        await view.press("enter", "enter")
        assert view.session.here.scope.text
        await view.press("2")
        assert not view.session.here.scope.text


async def test_the_cursor_stays_on_its_socket_while_rows_move() -> None:
    first = everything()
    async with live(first) as view:
        await view.press("2")
        await to_row(view, "10.0.0.7:51001")
        await view.take(shuffled(next_look(first)))
        assert "10.0.0.7:51001" in view.cursor()
        await view.press("s", "s", "S")
        assert "10.0.0.7:51001" in view.cursor()
        await view.take(without(shuffled(next_look(next_look(first))), FIRST_COOKIE))
        assert "10.0.0.7:51001" in view.cursor()


async def test_an_unmoved_cursor_stays_on_top_until_it_follows() -> None:
    first = everything()
    async with live(first) as view:
        await view.press("2", "s", "S")
        top = view.cursor()
        await view.press("f")
        assert "the cursor follows the selected row" in view.status()
        await view.press("S")
        assert view.cursor() == top
        await view.press("f")
        assert "the cursor stays in its line" in view.status()
        await view.press("home", "S")
        assert view.cursor() == view.rows()[0]


async def test_a_socket_that_vanishes_keeps_its_last_facts() -> None:
    first = everything()
    async with live(first) as view:
        await view.press("2")
        await to_row(view, "10.0.0.8:51002")
        await view.press("enter")
        await view.take(without(next_look(first), FIRST_COOKIE + 4))
        assert "; what was known last is shown" in view.text()
        assert "10.0.0.8:51002" in view.text()
        await view.press("question_mark", "escape")
        assert "10.0.0.8:51002" in view.text()
        assert "this is gone since " in view.text()
        await view.press("escape")
        assert "this is gone since " not in view.text()


async def test_help_over_facts_does_not_lose_them() -> None:
    async with live() as view:
        await view.press("2", "enter")
        facts = view.rows()
        await view.press("question_mark")
        assert view.rows() != facts
        await view.press("question_mark")
        assert view.rows() == facts


async def test_escape_closes_one_thing_after_another() -> None:
    async with live() as view:
        await view.type("state established")
        await view.press("2", "enter", "question_mark")
        await view.press("escape")
        assert view.session.here.item is not None
        await view.press("escape")
        assert view.session.here.listing
        assert view.session.typed.text
        await view.press("slash", "x", "escape")
        assert not view.app.main.filter_bar.is_open
        assert view.session.typed.text == "state established"
        await view.press("escape")
        assert not view.session.typed.text
        assert "filter cleared" in view.status()
        await view.press("escape")
        assert "q quits" in view.status()


async def test_a_page_of_help_is_left_without_a_trace() -> None:
    async with live() as view:
        await view.press("2", "question_mark", "pagedown", "end", "escape")
        assert view.rows()[0].startswith("CLOSE-WAIT")


async def test_an_empty_drill_says_how_to_leave() -> None:
    first = everything()
    async with live(first) as view:
        await view.press("5", "end", "enter", "enter")
        await view.take(next_look(first, sockets=first.sockets.part(0, 0)))
        assert view.rows() == ["Nothing left of it. Esc goes back."]
