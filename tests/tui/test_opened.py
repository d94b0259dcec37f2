"""Panes in the live view: what Enter opens, where their rows lead, and that they stay true."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tcptop.demo import held, pools, sockets
from tcptop.demo.namespace import DemoNamespace
from tcptop.model.route import route_key
from tcptop.model.source import Requests
from tests.tui.live import Live, live, live_in, next_look
from tests.tui.test_moving import to_row, without
from tests.tui.test_panes import lines
from tests.unit.prepared import FIRST_COOKIE, everything

# The key of a view -> the title of a pane, and that of its first chart.
PANES: dict[str, tuple[str | tuple[str, ...], str]] = {
    "1": (("Process ", "Sockets without a process"), "Sockets  "),
    "2": ("Connection ", "Queues, bytes  "),
    "3": ("Listener ", "Accept queue  "),
    "4": ("Destination ", "Ports  "),
    "5": ("Remote ", "Sockets  "),
}


async def test_what_is_no_key_is_told() -> None:
    async with live(size=(80, 24)) as view:
        for place in ("1", "8", "question_mark", "X"):
            await view.press(place, "&")
            assert view.status().startswith(" & does nothing here; ? for keys")
        await view.press("1", "o", "9")
        assert "no key" not in view.text()
        await view.press("escape", "slash", "9")
        assert "no key" not in view.text()


async def test_keys_that_do_nothing_in_a_pane_say_so() -> None:
    async with live(size=(80, 24)) as view:
        for number in "126":
            await view.press(number, "enter")
            for key in ("s", "less_than_sign", "S"):
                await view.press(key)
                assert "only lists are sorted" in view.status()
        await view.press("enter")
        assert "nothing to open here" in view.status()


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)], ids=str)
@pytest.mark.parametrize("ascii_only", [False, True])
async def test_enter_opens_a_pane_of_any_row(size: tuple[int, int], ascii_only: bool) -> None:
    now = everything()
    async with live(now, size=size, ascii_only=ascii_only) as view:
        for number, (title, chart) in PANES.items():
            await view.press(number, "end", "enter")
            assert view.titles().startswith(title)
            now = next_look(now)
            await view.take(now)
            assert any(row.startswith(chart) for row in view.rows())  # on the first screen
            assert "Enter open" in view.status()
            assert not ascii_only or view.text().isascii()
            await view.press("escape")
            assert view.session.here.listing


async def test_the_rows_of_a_pane_lead_further_and_back() -> None:
    async with live(size=(120, 40)) as view:
        await to_row(view, "101 nginx")
        await view.press("enter")
        await to_row(view, "0.0.0.0:80")
        await view.press("enter")
        assert view.titles().startswith("Listener 0.0.0.0:80")
        assert "[3 Listeners" in view.text()
        await to_row(view, "10.0.0.7:51001")
        await view.press("enter")
        assert view.titles().startswith("Connection 10.0.0.1:80 with 10.0.0.7:51001")
        await to_row(view, "remote ")
        await view.press("enter")
        assert view.titles().startswith("Remote 10.0.0.7")
        await view.press("escape", "escape")
        assert "10.0.0.7:51001" in view.cursor()
        await view.press("escape")
        assert "0.0.0.0:80" in view.cursor()
        await view.press("escape")
        assert "101 nginx" in view.cursor()


async def test_a_line_that_leads_nowhere_opens_the_connections_and_of_one_nothing() -> None:
    async with live() as view:
        await view.press("3", "enter")
        await to_row(view, "SYN queue")
        await view.press("enter")
        assert (
            view.session.here.scope.text == "src 0.0.0.0/0 and sport = :80 and netns = 4026531840"
        )
        await to_row(view, "10.0.0.7:51000")
        await view.press("enter")
        await to_row(view, "Send-Q")
        await view.press("enter")
        assert view.titles().startswith("Connection ")


async def test_a_pane_shows_all_whatever_the_filter() -> None:
    async with live(filter="state listen") as view:
        await to_row(view, "101 nginx")
        await view.press("enter")
        assert "3 sockets: " in view.rows()[0]


async def test_what_is_gone_is_shown_as_it_was() -> None:
    first = everything()
    async with live(first) as view:
        await view.press("3", "enter")
        before = view.rows()[:3]
        await view.take(without(next_look(next_look(first)), FIRST_COOKIE))
        assert "this is gone since " in view.text()
        assert "what was known last is shown" in view.text()
        assert view.rows()[:3] == before


async def test_options_and_route_are_asked_for_while_they_are_shown() -> None:
    first = everything()
    async with live(first) as view:
        assert view.source is not None
        await view.press("2")
        await to_row(view, "10.0.0.7:51000")
        asked = first.sockets.id(2)
        await view.press("enter")
        await view.take(next_look(first))
        await view.until(lambda: view.app.watcher.requests.sockets == {asked}, "wanted")
        where = route_key(first.sockets, 2)
        assert view.app.watcher.requests.routes == {where}
        await view.take(next_look(next_look(first)))
        assert view.source.requests.sockets >= {asked}
        assert view.source.requests.routes >= {where}
        await view.press("escape")
        assert view.app.watcher.requests == Requests()


async def test_a_connection_is_recorded_from_when_it_was_opened() -> None:
    first = everything()
    async with live(first) as view:
        await view.press("2")
        await to_row(view, "10.0.0.8:51002")
        await view.press("enter")
        assert "Queues" not in view.text()
        await view.take(next_look(first))
        assert "Queues, bytes  ⠒ Recv-Q 1  Send-Q 0" in view.text()


async def test_remotes_by_port_keep_their_pane() -> None:
    async with live() as view:
        await view.press("2")
        await to_row(view, "10.0.0.8:51002")
        await view.press("5", "a", "2", "enter")
        await to_row(view, "remote ")
        await view.press("enter")
        assert view.titles().startswith("Remote 10.0.0.8:51002")


async def test_a_finding_in_a_pane_is_opened_and_explained(namespace: DemoNamespace) -> None:
    listener = namespace.run(sockets.listening, port=8080, backlog=1)
    for _ in range(2):
        namespace.run(sockets.dialing, "127.0.0.1", 8080)
    namespace.run(sockets.dialing, "127.0.0.1", 8080)
    async with live_in(namespace.pid) as view:
        await view.press("3")
        await view.until(lambda: "critical" in view.text(), "found")
        await view.press("enter")
        await to_row(view, "! critical")
        await view.press("x")
        assert "accept-queue-overflow" in view.text()
        await view.press("escape", "enter")
        assert "[7 Findings" in view.text()
        assert "evidence" in view.text()
    namespace.run(held.close, listener.fd)


async def test_a_chart_follows_the_queue(namespace: DemoNamespace) -> None:
    listener = namespace.run(sockets.listening, port=8081, backlog=10)
    async with live_in(namespace.pid) as view:
        await view.press("3", "enter")
        await view.until(lambda: "queue 0  peak 0  - backlog 10" in view.text(), "recorded")
        namespace.run(pools.connect, "127.0.0.1", 8081, 7)
        await view.until(lambda: "⠒ queue 7  o peak 7  - backlog 10" in view.text(), "drawn")
        assert _waiting(view) == 7
        namespace.run(pools.accept, listener.fd, 7)
        await view.until(lambda: "⠒ queue 0" in view.text() and not _waiting(view), "empty again")


def _waiting(view: Live) -> int:
    return sum("127.0.0.1:" in row and "ESTAB" in row for row in view.rows())


async def test_a_look_without_its_numbers_is_no_crash() -> None:
    """As from /proc/net/tcp, to which nothing of what panes tell is known."""
    first = everything()
    bare = replace(first, source="procfs", sockets=first.sockets.take(np.arange(18)))
    for name in ("info_size", "memory_count", "has", "cgroup_id"):
        getattr(bare.sockets, name)[:] = 0
    async with live(bare) as view:
        for number in PANES:
            await view.press(number, "enter", "pagedown", "pagedown", "end")
        await view.press("2")
        await to_row(view, "10.0.0.7:51000")
        await view.press("enter")
        past = view.session.watched
        assert past is not None
        assert past.pane is not None
        assert any("not told by procfs" in text for text in lines(past.pane))
