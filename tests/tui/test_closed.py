"""The list of connections that have ended, and the page of one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tcptop.model.sample import Deaths
from tests.tui.live import live, next_look
from tests.unit.prepared import NETNS, TAKEN_AT, everything, socket, table


def dead(port: int, remote: str, acked: int, cookie: int) -> dict[str, object]:
    info = {"segs_out": 5, "segs_in": 5, "rtt": 1500, "bytes_sent": 900, "bytes_acked": acked}
    return socket("CLOSE", f"10.0.0.1:{port}", remote, cookie=cookie, info=info)


def deaths() -> tuple[Deaths]:
    rows = [dead(40_020, "10.0.0.9:8080", 902, 70), dead(40_021, "10.0.0.5:443", 901, 71)]
    return (Deaths(NETNS, table(rows), np.array([TAKEN_AT + 0.2, TAKEN_AT + 0.6])),)


async def test_what_has_ended_is_listed_filtered_and_opened() -> None:
    first = everything()
    async with live(first, size=(120, 30)) as view:
        await view.press("9")
        assert "No connection has ended yet" in view.text()
        await view.take(replace(next_look(first), deaths=deaths()))
        newest, oldest = view.rows()
        assert "10.0.0.5:443" in newest
        assert "reset" in newest
        assert "10.0.0.9:8080" in oldest
        assert "closed" in oldest
        assert "~curl/200" in oldest
        await view.press("slash", *"dport = 8080", "enter")
        assert [("10.0.0.9:8080" in row) for row in view.rows()] == [True]
        await view.press("enter")
        assert "Closed connection 10.0.0.1:40020 with 10.0.0.9:8080" in view.text()
        assert "inferred: the connections to the same destination" in view.text()
        assert "900 B" in view.text()
        await view.press("escape")
        assert view.session.here.view == "closed"


async def test_a_page_of_a_destination_has_its_own() -> None:
    first = everything()
    async with live(first, size=(120, 60)) as view:
        await view.take(replace(next_look(first), deaths=deaths()))
        await view.press("5", "slash", *"dst 10.0.0.9", "enter", "enter")
        assert "Remote 10.0.0.9" in view.text()
        assert "Closed, the newest first" in view.text()
        assert "10.0.0.1:40020" in view.text()
