"""What each view shows of prepared samples, and how one moves between them."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from tcptop import columns
from tcptop.columns import Listing, units
from tcptop.tui import header
from tcptop.tui.views import VIEWS, view_key
from tests.tui.live import live, next_look
from tests.unit.prepared import OVERFLOW, everything, found, kernel, later, sample, socket


async def test_the_header_says_where_and_how_it_goes() -> None:
    async with live(size=(132, 30)) as view:
        title, _, strip, tabs = view.lines()[:4]
        for words in ("tcptop", "web1", "current netns", "root", "18 sockets", "poll 3 ms"):
            assert words in title
        assert title.endswith("LIVE 1s")
        assert strip.startswith(" ESTAB 7  LISTEN 2  SYN-SENT 1  SYN-RECV 1")
        assert tabs.startswith(" 0 Overview [1 Processes 7] 2 Connections 18  3 Listeners 2")


@pytest.mark.parametrize(("counted", "said"), [(40, "saw 2% of opens"), (1, ""), (15, "")])
async def test_the_header_says_where_openings_were_missed(counted: int, said: str) -> None:
    """If there were enough of them for that to say something."""
    rows = [socket("ESTABLISHED", "10.0.0.1:1", "10.0.0.2:2")]
    first = sample([], kernel=(kernel(opens=10),))
    async with live(first, size=(120, 30)) as view:
        opens = kernel(opens=10 + counted)
        await view.take(next_look(first, sockets=sample(rows).sockets, kernel=(opens,)))
        assert said in view.lines()[0]
        assert ("of opens" in view.lines()[0]) is bool(said)


async def test_an_unprivileged_look_says_so_where_there_is_little_room() -> None:
    async with live(everything(privileged=False), size=(60, 24)) as view:
        assert "root, not privileged" in view.lines()[0]


async def test_the_strip_shows_changes_and_a_trend() -> None:
    first = sample([socket("ESTABLISHED", "10.0.0.1:1", "10.0.0.2:2")])
    rows = [socket("ESTABLISHED", f"10.0.0.1:{n}", "10.0.0.2:2") for n in range(1, 9)]
    async with live(first, size=(120, 30)) as view:
        assert view.lines()[2] == " ESTAB 1"
        await view.take(next_look(first, sockets=sample(rows).sockets))
        assert view.lines()[2] == " ESTAB 8 +7 ▁█"


async def test_the_strip_has_the_most_first_and_no_zeros() -> None:
    rows = [socket("CLOSE_WAIT", f"10.0.0.1:{n}", "10.0.0.2:2") for n in range(1, 4)]
    first = sample([*rows, socket("ESTABLISHED", "10.0.0.1:9", "10.0.0.2:2")])
    async with live(first) as view:
        assert view.lines()[2] == " CLOSE-WAIT 3  ESTAB 1"
        await view.take(next_look(first, sockets=sample(rows).sockets))
        assert view.lines()[2] == " CLOSE-WAIT 3"


async def test_what_the_strip_has_no_room_for_is_counted() -> None:
    async with live(size=(40, 24)) as view:
        assert view.lines()[2] == " ESTAB 7  LISTEN 2  SYN-SENT 1  +8 more"


@pytest.mark.parametrize("number", range(9))
async def test_digits_choose_the_view(number: int) -> None:
    async with live(size=(120, 30)) as view:
        await view.press("6" if number == 1 else "1", str(number))
        name, shown = [*VIEWS.items()][number]
        assert view.session.here.view == name
        assert f"[{number} {shown.listing.title}" in view.lines()[3]
        assert view.rows() or view.app.main.pictured


async def test_tab_goes_round() -> None:
    async with live() as view:
        seen = []
        overview, first, *others = (name for name, each in VIEWS.items() if not each.key)
        for _ in (overview, first, *others):
            await view.press("tab")
            seen.append(view.session.here.view)
        assert seen == [*others, overview, first]
        await view.press("shift+tab", "shift+tab")
        assert view.session.here.view == others[-1]


async def test_connections_look_like_those_of_ss() -> None:
    async with live(size=(100, 24)) as view:
        await view.press("2")
        row = next(row for row in view.rows() if "51001" in row)
        assert row.split()[:5] == ["ESTAB", "120", "0", "10.0.0.1:80", "10.0.0.7:51001"]
        assert "(accept queue)" in row
        assert view.rows()[0].startswith("CLOSE-WAIT")


async def test_listeners_show_their_fill_and_owner() -> None:
    async with live() as view:
        await view.press("3")
        assert view.rows()[0].split() == [
            *["0.0.0.0:80", "v4", "96", "128", "74%", "96", "1", "12"],
            "nginx/100",
            "+1",
        ]


async def test_the_limits_stand_beside_the_counters() -> None:
    async with live(size=(240, 60)) as view:
        await view.press("6")
        row = next(row for row in view.rows() if "ActiveOpens" in row.split())
        assert "ip_local_port_range 40000 40099" in row
        await view.press("enter")
        assert re.search(r"net\.ipv4\.ip_local_port_range +40000 40099", view.text())
        assert "nstat -az TcpActiveOpens" in view.text()
        await view.press("escape")
        assert "ActiveOpens" in view.cursor().split()


async def test_the_counters_rate_is_known_after_two_looks() -> None:
    first = everything()
    more = replace(first.kernel[0], counters={"Tcp": {"ActiveOpens": 30}})
    async with live(first) as view:
        await view.press("6")
        assert "Per s" not in view.titles()
        await view.take(later(first, 2.0, kernel=(more,)))
        assert view.rows()[0].split()[:2] == ["ActiveOpens", "10"]


async def test_nothing_to_show_is_said_in_every_view() -> None:
    async with live(sample([], kernel=())) as view:
        for number in range(1, 7):
            await view.press(str(number))
            assert len(view.rows()) == 1
            assert view.rows()[0].endswith(".")


async def test_help_tells_what_the_first_lines_say() -> None:
    async with live(size=(200, 60)) as view:
        first = view.lines()[0]
        await view.press("question_mark", "end")
        told = {word for row in view.rows() for word in row.split()[:3]}
        assert {word for word in ("poll", "LIVE") if word in first} == {"poll", "LIVE"}
        assert {"poll", "cpu", "LIVE"} <= told


async def test_what_could_not_be_seen_is_noted() -> None:
    notes = ("one thing is missing.", "another " + "word " * 40 + "ends.")
    async with live(everything(notes=notes)) as view:
        assert view.lines()[4].startswith(" note: one thing is missing. another")
        assert view.lines()[4].endswith("…")
        await view.press("question_mark", "pagedown")
        assert "word ends." in " ".join(view.text().split())
        await view.pilot.resize_terminal(80, 12)
        await view.pilot.pause()
        assert not view.lines()[4].startswith(" note:")


async def test_foreign_text_is_shown_and_not_obeyed() -> None:
    before = everything()
    hostile = {p: replace(x, name="\x1b[31m[b]x") for p, x in before.owners.processes.items()}
    owners = replace(before.owners, processes=hostile)
    host = replace(before.host, hostname="\x1b]0;x\x07[red]h")
    users = dict.fromkeys(before.users, "[bold]\n")
    async with live(replace(before, owners=owners, host=host, users=users), size=(200, 60)) as view:
        for key in ("1", "2", "3", "4", "5", "enter", "enter"):
            await view.press(key)
            assert "\x1b" not in view.text()
            assert "\x07" not in view.text()
        await view.press("1")
        assert any("\\x1b[31m[b]x" in row for row in view.rows())
        assert "\\x1b]0;x\\x07[red]h" in view.lines()[0]


async def test_ascii_only_draws_nothing_else() -> None:
    notes = ("– … † ü.",)
    async with live(everything(notes=notes), size=(200, 60), ascii_only=True) as view:
        later_one = next_look(everything(notes=notes), sockets=sample([]).sockets)
        await view.take(later_one)
        for key in ("1", "2", "S", "3", "4", "5", "6", "enter", "question_mark", "slash", "tab"):
            await view.press(key)
            assert view.text().isascii(), key


def test_the_title_keeps_what_matters_most() -> None:
    status = header.Status("netns web", "root", 1.0, cpu=0.5)
    line = "".join(text for text, _ in header.title(None, status, 80))
    assert line.startswith(" tcptop  first sample…")


@pytest.mark.parametrize("width", [1, 5, 20, 40, 60, 80, 200])
async def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    async with live(size=(width, 24)) as view:
        assert all(len(line) <= width for line in view.lines())
        if width >= 20:
            assert view.lines()[0].endswith("LIVE 1s")
        if width >= 40:
            assert "web1" in view.lines()[0]
            assert "18 sockets" in view.lines()[0]


@pytest.mark.parametrize(
    ("counts", "picture"),
    [
        ([5, 5, 5], "▄▄▄"),
        ([0, 4, 8], " ▅█"),
        ([100, 101, 100], "███"),
        ([136, 140, 148], "▅▆█"),
        ([1, 8], "▁█"),
        ([], ""),
    ],
)
def test_a_small_change_does_not_look_like_a_large_one(counts: list[int], picture: str) -> None:
    assert units.spark(np.array(counts, np.int64), 8) == picture


async def test_a_tiny_terminal_gives_no_cell_to_a_scroll_bar_of_the_screen() -> None:
    async with live(size=(10, 3)) as view:
        await view.press("2", "j")
        assert view.app.screen.max_scroll_y > 0
        assert max(map(len, view.lines())) <= 10
        assert not any(set(line) & set("▁▂▃▄▅▆▇█") for line in view.lines())


def test_every_list_has_a_view_and_every_view_what_its_rows_open_as() -> None:
    assert {view.listing for view in VIEWS.values()} == {
        each for each in vars(columns).values() if isinstance(each, Listing)
    }
    for name, view in VIEWS.items():
        assert name == view.listing.name
        assert (view.pane is None) or (view.facts is None)
        assert view.opens or view.listing.scope is not None
        assert view.listing.rows(found(OVERFLOW)).size
    digits = [view_key(view.listing) for view in VIEWS.values() if not view.key]
    assert digits == [str(number) for number in range(len(digits))]
    assert len(digits) <= 10
