"""Mark and compare: what is listed, where its rows lead, and the ways in and out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tcptop.model.finding import Finding
from tcptop.model.sample import Kernel, Sample
from tests.tui.live import Live, live
from tests.tui.telling import STUCK, told
from tests.tui.test_moving import to_row
from tests.unit.prepared import (
    NETNS,
    OVERFLOW,
    WORKER,
    everything,
    kernel,
    later,
    mini,
    owners,
    sample,
    socket,
)

__all__ = ["told"]
BACK = "left_square_bracket"


def connection(
    cookie: int, state: str = "ESTABLISHED", remote: str = "10.0.0.7"
) -> dict[str, object]:
    return socket(state, f"10.0.0.1:{cookie}", f"{remote}:80", cookie=cookie, inode=cookie)


def listening(queue: int, drops: int) -> dict[str, object]:
    columns = {"recv_q": queue, "send_q": 8, "memory": {"drops": drops}, "cookie": 1, "inode": 1}
    return socket("LISTEN", "0.0.0.0:80") | columns


HELD = owners(*((cookie, WORKER, cookie) for cookie in range(2, 9)))


def before() -> Sample:
    rows = [listening(0, 0), connection(2), connection(3), connection(4, remote="10.0.0.8")]
    return sample(rows, owners=HELD, kernel=(kernel(opens=10),))


def after() -> Sample:
    rows = [listening(5, 3), connection(3, "CLOSE_WAIT"), *(connection(n) for n in (5, 6, 7))]
    changed = sample(rows, owners=HELD, kernel=(kernel(opens=25),))
    return later(before(), 5.0, sockets=changed.sockets, kernel=changed.kernel)


def row(view: Live, text: str) -> list[str]:
    return next(row for row in view.rows() if text in row).split()


async def compared(view: Live) -> None:
    """Mark, look again, compare."""
    await view.press("m")
    assert "marked" in view.status()
    await view.take(after())
    await view.press("D")


async def test_all_that_changed_is_listed_from_every_side() -> None:
    async with live(before(), size=(120, 50)) as view:
        await compared(view)
        assert "since" in view.titles()
        assert row(view, "states")[-3:] == ["0", "1", "+1"]
        assert row(view, "nginx/101 CLOSE-WAIT")[-3:] == ["0", "1", "+1"]
        assert row(view, "0.0.0.0:80 accept queue")[-3:] == ["0", "5", "+5"]
        assert row(view, "0.0.0.0:80 drops")[-3:] == ["0", "3", "+3"]
        assert row(view, "10.0.0.8")[-3:] == ["1", "0", "-1"]
        assert row(view, "opened")[-6:] == ["nginx/101", "to", "10.0.0.7", "0", "3", "+3"]
        closed = [line for line in view.rows() if line.endswith("-1") and " to " in line]
        assert len(closed) == 2
        assert row(view, "TcpActiveOpens")[-3:] == ["10", "25", "+15"]


async def test_rows_lead_to_what_they_count() -> None:
    async with live(before(), size=(120, 50)) as view:
        await compared(view)
        await to_row(view, "nginx/101 CLOSE-WAIT")
        await view.press("enter")
        assert view.session.here.scope.text == f"pid = 101 and netns = {NETNS} and state close-wait"
        assert len(view.rows()) == 1
        await view.press("escape")
        assert "nginx/101 CLOSE-WAIT" in view.cursor()
        await to_row(view, "opened")
        await view.press("enter")
        assert view.session.here.scope.text == f"dst 10.0.0.7 and netns = {NETNS}"
        assert len(view.rows()) == 4
        await view.press("escape")
        await to_row(view, "TcpActiveOpens")
        await view.press("enter")
        assert "nstat -az TcpActiveOpens" in view.text()
        await view.press("escape", "home", "x")
        assert "close-wait" in view.titles()
        await view.press("escape", "escape")
        assert view.session.here.view == "processes"
        assert view.session.here.listing


async def test_findings_that_began_and_ended_are_on_top(told: list[Finding]) -> None:
    told[:] = [STUCK]
    first = everything()
    async with live(first, size=(120, 50)) as view:
        await view.press("m")
        told[:] = [OVERFLOW]
        await view.take(later(first, 1.0))
        await view.press("D")
        assert view.rows()[0].startswith("begun")
        assert OVERFLOW.title in view.rows()[0]
        assert view.rows()[1].startswith("ended")
        assert STUCK.title in view.rows()[1]
        await view.press("enter")
        assert view.session.here.view == "findings"
        await view.press("escape", "j", "enter", "x")
        assert "close-wait-unread" in view.titles()


async def test_without_a_mark_it_is_since_the_oldest_look() -> None:
    async with live(before(), after(), size=(120, 50)) as view:
        await view.press("D")
        assert row(view, "TcpActiveOpens")[-3:] == ["10", "25", "+15"]
        await view.press("D")
        assert view.session.here.listing
        await view.press("D", BACK)
        assert "No changes since" in view.text()


async def test_a_mark_after_the_look_that_is_shown() -> None:
    async with live(before(), after(), size=(120, 50)) as view:
        await view.press("m", BACK, "D")
        assert "from " in view.titles()
        assert row(view, "TcpActiveOpens")[-3:] == ["10", "25", "+15"]


async def test_the_list_follows_the_looks_and_says_what_the_filter_does_not_do() -> None:
    async with live(before(), size=(120, 50)) as view:
        await view.press("m", "D")
        assert "No changes since" in view.text()
        await view.type("state established")
        assert "changes are those of all sockets" in view.text()
        await view.take(after())
        assert row(view, "TcpActiveOpens")[-3:] == ["10", "25", "+15"]


async def test_of_very_many_changes_the_largest_are_listed() -> None:
    first = sample([connection(2)])
    rows = [
        socket("ESTABLISHED", "10.0.0.1:1", f"10.1.{n // 250}.{n % 250}:80") for n in range(600)
    ]
    async with live(first, size=(120, 200)) as view:
        await view.press("m")
        await view.take(replace(later(first, 1.0), sockets=sample(rows).sockets))
        await view.press("D")
        assert view.text().count("551 more") == 1
        assert "550 more" in view.text()
        assert np.count_nonzero([" to 10." in line for line in view.rows()]) <= 52


async def test_before_the_first_look_there_is_nothing_to_compare() -> None:
    async with live(OSError("not yet")) as view:
        await view.press("m", "D")
        assert "no sample yet" in view.status()


def counted(octets: int, opens: int, pruned: int) -> Kernel:
    counters = {
        "IpExt": {"InOctets": octets},
        "TcpExt": {"TCPHPHits": pruned},
        "Tcp": {"ActiveOpens": opens},
    }
    return replace(kernel(), counters=counters)


async def test_counters_of_tcp_come_before_those_of_what_carries_it() -> None:
    first = sample([], kernel=(counted(0, 1, 1),))
    async with live(first, size=(120, 50)) as view:
        await view.press("m")
        await view.take(later(first, 5.0, kernel=(counted(1_000_054, 2, 9),)))
        await view.press("D")
        listed = [row.split() for row in view.rows()]
    assert listed[0][0] == "counters"
    assert [row[-4] for row in listed] == [
        "TcpActiveOpens", "TcpExtTCPHPHits", "IpExtInOctets",
    ]  # fmt: skip
    assert listed[-1][-3:] == ["0", "1,000,054", "+1,000,054"]


async def test_time_wait_without_a_process_is_called_so_here_too() -> None:
    first = sample([])
    closed = mini("TIME_WAIT", "10.0.0.1:9", "10.0.0.9:80", cookie=9)
    async with live(first, size=(120, 50)) as view:
        await view.press("m")
        await view.take(later(first, 5.0, sockets=sample([closed]).sockets))
        await view.press("D")
        assert row(view, "processes")[1:3] == ["(closed:", "TIME-WAIT)"]
