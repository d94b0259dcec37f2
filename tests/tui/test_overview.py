"""`0`: whether TCP is well here, at one look; each part leads to its list or pane."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from tcptop.analysis.clause import NO_FILTER
from tcptop.analysis.findings.settings import DEFAULTS
from tcptop.analysis.recent import Recent
from tcptop.analysis.rings import Rings
from tcptop.columns import OVERVIEW, RECORDED
from tcptop.model.finding import Finding
from tcptop.model.sample import Kernel, Namespace, Process
from tcptop.tui import export
from tcptop.tui.overview.board import Spot
from tcptop.tui.session import Session
from tcptop.tui.time_cursor import TimeCursor
from tcptop.tui.views import VIEWS
from tests.recordings import load, settings
from tests.tui.live import Live, live
from tests.unit.prepared import (
    NETNS,
    OTHER_NETNS,
    OVERFLOW,
    derived,
    everything,
    later,
    owners,
    sample,
    socket,
)

SIZES = [(60, 15), (80, 24), (120, 40), (200, 60)]
TITLES = (
    *("Findings", "This host", "Fullest listeners", "Fullest destinations"),
    *("Queues that stand still", "Top processes", "States"),
)


def spots(view: Live) -> list[Spot]:
    return list(view.app.main.overview._board.spots)


def chosen(view: Live) -> Spot:
    return view.app.main.overview.chosen


async def at(view: Live, spot: Spot) -> None:
    view.app.main.overview._choose(spot)
    await view.settled()


def counted(**rates: int) -> tuple[Kernel, Kernel]:
    """The counters of two looks; the second has so many more."""
    told = {"Tcp": ("ActiveOpens", "PassiveOpens", "OutSegs", "RetransSegs"),
            "TcpExt": ("ListenDrops", "ListenOverflows")}  # fmt: skip
    zeros = {section: dict.fromkeys(names, 100) for section, names in told.items()}
    more = {s: {n: 100 + rates.get(n, 0) for n in names} for s, names in told.items()}
    return Kernel(NETNS, zeros), Kernel(NETNS, more)


@pytest.mark.parametrize("size", SIZES)
async def test_every_part_has_its_numbers_whole(size: tuple[int, int]) -> None:
    before, after = counted(
        ActiveOpens=30, PassiveOpens=12, OutSegs=4000, RetransSegs=100, ListenDrops=7,
        ListenOverflows=5,
    )  # fmt: skip
    first = everything(kernel=(before,))
    async with live(first, size=size, opening=None) as view:
        await view.take(later(first, 1.0, kernel=(after,)))
        await view.take(later(first, 5.0, kernel=(after,)))
        await view.press("left_square_bracket")  # the second of them
        text = view.text()
        for title in TITLES[:3] if size[1] < 24 else TITLES:
            assert title in text or (title == "This host" and size == (200, 60))
        for numbers in ("42", "4,000", "2.4%", "74%"):
            assert numbers in text
        if size[0] >= 80:
            assert "96/129" in text
        assert all(len(line) <= size[0] for line in view.lines())
        assert len(view.lines()) == size[1]


@pytest.mark.parametrize("size", SIZES[1:])
async def test_queues_of_one_process_and_address_stand_still_in_one_row(
    size: tuple[int, int],
) -> None:
    remotes = [*["10.0.0.9:5432"] * 7, "10.0.0.8:40001", "10.0.0.8:40002", "10.0.0.7:5432"]
    rows = [
        socket("ESTABLISHED", f"10.0.0.1:{n}", to, cookie=n, send_q=1000, info={"bytes_acked": 1})
        for n, to in enumerate(remotes, 1)
    ]
    first = sample(rows)
    async with live(first, later(first, 20.0), size=size, opening=None) as view:
        told = [line.split() for line in view.text().split("Send-Q")[1:]]
    expected = [
        ["×7", "6.8KiB", "20s", "10.0.0.9:5432"],
        ["×2", "2KiB", "20s", "10.0.0.8"],
        ["1KiB", "20s", "10.0.0.7:5432"],
    ]
    assert [line[: len(each)] for line, each in zip(told, expected, strict=True)] == expected


@pytest.mark.parametrize("recording", ["tour", "churn"])
@pytest.mark.parametrize("size", SIZES[1:3])
async def test_what_rounds_to_nothing_has_no_bars(recording: str, size: tuple[int, int]) -> None:
    async with live(*load(recording), size=size, opening=OVERVIEW.name) as view:
        rates = [line for line in view.lines() if re.match(" *[A-Z][a-z]+/s ", line)]
        assert len(rates) >= 5
        assert any("▁" <= sign <= "█" for line in rates for sign in line)
        assert not [line for line in rates if re.search("[▁-█] +0(B|%)?(  |$)", line)]


async def test_below_that_it_is_a_list() -> None:
    async with live(size=(59, 14), opening=None) as view:
        assert not view.app.main.pictured
        assert [row.split()[0] for row in view.rows()][:2] == ["Opened/s", "Closed/s"]
        await view.press("enter")
        assert view.titles().startswith("Opened/s of this host")


async def test_it_is_the_first_screen(told: list[Finding]) -> None:
    told[:] = [each for each in told if each.severity != "critical"]
    async with live(opening=None) as view:
        assert view.session.here.view == OVERVIEW.name
        assert view.lines()[3].startswith("[0Overview]")


async def test_what_is_critical_at_the_first_look_comes_first(told: list[Finding]) -> None:
    async with live(opening=None) as view:
        assert view.session.here.view == "findings"
        await view.press("0")
        await view.take(later(everything(), 1.0))
        assert view.session.here.view == OVERVIEW.name  # only the first look decides


@pytest.mark.parametrize("chosen", [True, False])
def test_who_has_chosen_a_view_before_the_first_look_stays_there(chosen: bool) -> None:
    recent, rings = Recent(), Rings(RECORDED)
    session = Session.opened(None, NO_FILTER, DEFAULTS, TimeCursor(recent), rings)
    if chosen:
        session.go_to("ports", None)
    session.take(replace(derived(everything()), findings=(OVERFLOW,)), None)
    assert session.here.view == ("ports" if chosen else "findings")


async def test_every_spot_leads_to_its_list_or_pane_and_back() -> None:
    async with live(*load("tour"), size=(120, 40), opening="overview") as view:
        listed = spots(view)
        assert {spot.view for spot in listed} >= {*VIEWS} - {"remotes", "namespaces", "closed"}
        for spot in listed:
            await at(view, spot)
            await view.press("enter")
            here = view.session.here
            assert len(view.session.trail.places) == 2, spot
            if spot.row is None:
                assert here.listing
                assert here.view == spot.view
            elif VIEWS[spot.view].opens:
                assert (here.view, here.item) == (spot.view, spot.row)
            else:
                assert here.scope.text
            assert view.rows() or view.app.main.pictured
            await view.press("escape")
            assert chosen(view) == spot


async def test_arrows_reach_every_spot() -> None:
    async with live(*load("tour"), size=(80, 24), opening="overview") as view:
        listed, reached = spots(view), {chosen(view)}
        board = view.app.main.overview._board
        todo = [*reached]
        while todo:
            spot = todo.pop()
            near = {board.neighbour(spot, dx, dy) for dx, dy in ((0, 1), (0, -1), (1, 0), (-1, 0))}
            todo += near - reached
            reached |= near
        assert reached == set(listed)


async def test_the_cursor_stays_on_what_it_is_on() -> None:
    samples = load("tour")
    async with live(*samples, opening="overview") as view:
        spot = next(spot for spot in spots(view) if spot.view == "ports" and spot.row)
        await at(view, spot)
        await view.take(later(samples[-1], 1.0))
        assert chosen(view) == spot
        await view.take(replace(later(samples[-1], 2.0), sockets=sample([]).sockets))
        assert chosen(view).part == "ports"  # the part's title is left


async def test_it_explains_and_copies_the_command_of_what_is_chosen(
    tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    async with live(*load("tour"), size=(80, 24), opening="overview") as view:
        numbers = [spot for spot in spots(view) if spot.view == OVERVIEW.name]
        await at(view, numbers[0])
        row = view.session.row_of(view.app.main.cursor)
        assert row is not None
        assert export.command(*row, 0) == "nstat -az TcpActiveOpens TcpPassiveOpens"
        await view.press("Y")
        assert view.status().startswith(" copied")
        await view.press("x")
        assert view.session.here.page == "connection-churn"


async def test_where_nothing_changes_nothing_is_written() -> None:
    """For a quarter of an hour, at every size."""
    rows = [
        socket("LISTEN", "0.0.0.0:80", inode=1, send_q=128),
        socket("ESTABLISHED", "10.0.0.1:80", "10.0.0.7:51000", inode=2),
    ]
    still, _ = counted()
    first = sample(rows, kernel=(still,))
    for size in SIZES:
        async with live(first, size=size, opening=None) as view:
            await view.take(later(first, 1.0))
            before = view.lines()[5:]  # what says which checks need a longer watch has changed
            for second in (2, 3, 7, 12, 31, 60, 61, 125, 301, 620, 900):
                await view.take(later(first, second))
                assert view.lines()[5:] == before
            assert "steady" in view.text()


async def test_a_filter_chooses_the_lists_and_says_what_it_does_not() -> None:
    async with live(size=(80, 24), opening="overview") as view:
        await view.type("sport = 443")
        assert "numbers and states count all" in view.text()
        assert "[::]%lo:443" in view.text()
        assert "0.0.0.0:80 " not in view.text()


async def test_findings_lead_and_what_follows_is_counted(told: list[Finding]) -> None:
    async with live(size=(120, 40), opening="overview") as view:
        assert "Findings  4, of which 1 follows from another" in view.text()
        assert "192.0.2.1:80 does not answer" not in view.text()


async def test_in_the_past_it_shows_the_past() -> None:
    before, after = counted(ActiveOpens=30)
    first = everything(kernel=(before,))
    async with live(first, opening="overview") as view:
        await view.take(later(first, 1.0, kernel=(after,)))
        assert any(line.startswith("Opened/s          30") for line in view.lines())
        await view.take(later(first, 2.0, kernel=(after,)))
        assert any(line.startswith("Opened/s           0") for line in view.lines())
        await view.press("left_square_bracket")
        assert any(line.startswith("Opened/s          30") for line in view.lines())


async def test_a_click_chooses_and_a_second_one_opens() -> None:
    async with live(*load("tour"), opening="overview", findings=settings("tour")) as view:
        board = view.app.main.overview._board
        spot = next(each for each in board.spots if each.view == "listeners" and each.row)
        area = board._areas[spot]
        await view.pilot.click("#overview", offset=(area.left + 1, area.top))
        assert chosen(view) == spot
        await view.pilot.click("#overview", offset=(area.left + 1, area.top), times=2)
        assert view.session.here.item == spot.row


async def test_a_number_of_the_host_has_its_pane() -> None:
    before, after = counted(ActiveOpens=30, PassiveOpens=12)
    first = everything(kernel=(before,))
    async with live(first, size=(120, 40), opening="overview") as view:
        await view.take(later(first, 1.0, kernel=(after,)))
        number = next(spot for spot in spots(view) if spot.view == OVERVIEW.name)
        await at(view, number)
        await view.press("enter")
        text = view.text()
        assert "Opened/s of this host" in text
        assert "ActiveOpens  30/s" in text
        assert "PassiveOpens  12/s" in text
        assert "nstat -az TcpActiveOpens TcpPassiveOpens" in text


@pytest.mark.parametrize("size", [(60, 20), *SIZES[1:]])
async def test_no_two_rows_look_alike(size: tuple[int, int]) -> None:
    sleepers = [Process(pid, "sleep", "sleep 9", 0, pid, "/", 9, 1024, 0) for pid in (71, 72, 73)]
    rows = [
        socket("ESTABLISHED", f"10.0.0.{n}:40001", "10.9.8.7:8088", inode=n, cookie=n)
        for n in range(1, 4)
    ]
    held = owners(*((n, sleeper, 3) for n, sleeper in enumerate(sleepers, 1)))
    async with live(sample(rows, owners=held), size=size, opening="overview") as view:
        text = view.text()
        assert all(f"10.0.0.{n}" in text for n in (1, 2, 3))
        assert all(f"sleep/{pid}" in text for pid in (71, 72, 73))


@pytest.mark.parametrize("size", SIZES[1:])
async def test_listeners_of_several_namespaces_are_told_apart(size: tuple[int, int]) -> None:
    rows = [
        socket("LISTEN", "0.0.0.0:80", netns=netns, cookie=1, send_q=10, recv_q=5)
        for netns in (NETNS, OTHER_NETNS)
    ]
    named = (Namespace(NETNS, "red"), Namespace(OTHER_NETNS, "blue"))
    async with live(sample(rows, namespaces=named), size=size, opening="overview") as view:
        assert "red" in view.text()
        assert "blue" in view.text()
