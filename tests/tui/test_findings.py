"""Findings in the live view: the line on every screen, their tab, what one opens as, its end."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from tcptop.analysis.findings.rules import RULES
from tcptop.analysis.findings.settings import FindingSettings
from tcptop.columns import findings, units
from tcptop.model.finding import SEVERITIES, Finding, Subject, tree
from tcptop.model.sample import Sample
from tcptop.tui import header
from tcptop.tui.session import sockets_of
from tests.tui.live import live, next_look
from tests.tui.telling import STUCK, words
from tests.tui.test_moving import to_row
from tests.unit.prepared import (
    FIRST_COOKIE,
    NETNS,
    OVERFLOW,
    UNANSWERED,
    WORTH_KNOWING,
    everything,
    finding,
    found,
    sample,
    socket,
)

SIZES = [(80, 24), (120, 40), (200, 60), (40, 10)]


# -- the line


async def test_every_screen_says_the_worst(told: list[Finding]) -> None:
    async with live() as view:
        for keys in ("1", "2", "enter", "3", "4", "5", "6", "enter", "question_mark", "7", "enter"):
            await view.press(keys)
            assert view.lines()[1].startswith(" ! critical  nginx on :80 is too slow to accept:")
            assert view.lines()[1].endswith("+1 more")
        await view.type("dport = 1")
        assert "! critical" in view.lines()[1]


async def test_the_line_tells_more_where_there_is_room(told: list[Finding]) -> None:
    async with live(size=(200, 40)) as view:
        assert f"* warning  {STUCK.title}" in view.lines()[1]
        assert view.lines()[1].endswith("+1 info  7 lists all")
        assert UNANSWERED.title not in view.lines()[1]


async def test_a_low_terminal_has_no_room_for_the_line(told: list[Finding]) -> None:
    async with live(size=(80, 12)) as view:
        assert "critical" in view.lines()[1]
        await view.pilot.resize_terminal(80, 11)
        await view.pilot.pause()
        assert "critical" not in view.lines()[1]
        assert view.lines()[2].startswith(" 0Overview[1Procs]")


def test_quiet_words() -> None:
    def said(*listed: Finding, watched: float | None = None) -> str:
        snapshot = replace(found(*listed).snapshot, over_s=watched)
        return "".join(text for text, _ in header.alarm(snapshot, FindingSettings(), 80)).strip()

    assert said() == "..  no problems yet; some findings need a longer watch"
    assert said(watched=3600) == said(watched=3601) == "ok  no problems"
    assert said(WORTH_KNOWING, watched=3600) == "ok  no problems, 1 notice  7 lists all"


@pytest.mark.parametrize("width", [1, 10, 20, 40, 80, 99, 100, 200])
def test_the_line_fits(width: int) -> None:
    many = [finding("fd-limit", title="x" * n, key=f"fd-limit/{n}") for n in (10, 300, 20, 30)]
    snapshot = found(*many).snapshot
    line = header.alarm(snapshot, FindingSettings(), width)
    assert sum(len(text) for text, _ in line) <= width or width < 14
    shown = sum(text == "x" * len(text) and len(text) > 5 for text, _ in line)
    if width == 200:
        assert shown == 1
        assert "+3 more" in "".join(text for text, _ in line)


async def test_a_click_on_the_line_opens_the_tab(told: list[Finding]) -> None:
    async with live() as view:
        await view.pilot.click("#alarm", offset=(20, 0))
        assert view.session.here.view == "findings"


# -- the tab


async def test_the_tab_has_the_worst_first_and_effects_beneath(told: list[Finding]) -> None:
    async with live(size=(160, 30)) as view:
        await view.press("7")
        rows = [row.split() for row in view.rows()]
        assert [row[0] for row in rows] == ["!", "*", "*", "·"]
        words = [next(each for each in row if each in SEVERITIES) for row in rows]
        assert words == ["critical", "warning", "warning", "info"]
        assert rows[0][1] == "10s"
        assert "└ 192.0.2.1:80 does not answer" in view.rows()[1]
        assert "nginx/100 +1" in view.rows()[0]
        assert " 0.0.0.0:80 " in view.rows()[0]
        assert "accept-queue-overflow" in view.rows()[0]
        assert "7 Findings 4" in view.lines()[3]
        await view.press("s", "s")
        assert "sorted by Finding" in view.status()
        await view.press("less_than_sign", "less_than_sign")
        assert "sorted by ! (severity)" in view.status()


async def test_a_filter_leaves_the_findings_that_concern_it(told: list[Finding]) -> None:
    async with live() as view:
        await view.press("7")
        await view.type("dst 192.0.2.1")
        assert len(view.rows()) == 1
        assert "192.0.2.1:80 does not answer" in view.rows()[0]
        assert "└" not in view.rows()[0]


async def test_one_finding_says_all_that_is_known(told: list[Finding]) -> None:
    async with live(size=(100, 50)) as view:
        await view.press("7", "enter")
        text = words(view)
        for said in (OVERFLOW.title, *OVERFLOW.evidence, OVERFLOW.advice, OVERFLOW.confirm):
            assert said in text
        assert re.search(r"since [-\d ]*\d\d:\d\d:\d\d \(12 s ago\)", text)
        assert "nginx/100 nginx.service nginx: master" in text
        assert "listener 0.0.0.0:80" in text
        assert f"explains * warning {UNANSWERED.title}" in text
        assert "capacity" in text  # a threshold
        assert view.status().startswith(" Enter its sockets  x explain  Esc back")
        await to_row(view, "explains  ")
        await view.press("enter")
        assert f"because ! critical {OVERFLOW.title}" in words(view)
        await view.press("escape", "escape")
        assert view.cursor().startswith("!    10s nginx on :80 ")


async def test_a_finding_opens_as_its_sockets(told: list[Finding]) -> None:
    async with live(size=(100, 30)) as view:
        await view.press("7", "enter", "enter")
        assert view.session.here.view == "sockets"
        assert len(view.rows()) == 1
        assert "0.0.0.0:80" in view.rows()[0]
        await view.press("escape")
        assert view.session.here.view == "findings"
        assert OVERFLOW.title in view.text()


async def test_the_sockets_of_a_finding_follow_it(told: list[Finding]) -> None:
    """Where no filter says which they are, each look shows those that it names now."""
    some = [socket("ESTABLISHED", f"10.0.0.1:{n}", "10.0.0.2:2") for n in range(1, 5)]
    about = Subject(NETNS, cookies=(FIRST_COOKIE, FIRST_COOKIE + 2))
    told[:] = [replace(STUCK, subject=about)]
    first = sample(some)
    async with live(first) as view:
        await view.press("7", "enter", "enter")
        assert " filter: sockets of finding close-wait-unread" in view.text()
        assert [row.split()[2] for row in view.rows()] == ["10.0.0.1:1", "10.0.0.1:3"]
        told[:] = [replace(STUCK, subject=replace(about, cookies=(FIRST_COOKIE + 1,)))]
        await view.take(next_look(first))
        assert [row.split()[2] for row in view.rows()] == ["10.0.0.1:2"]
        told.clear()
        await view.take(next_look(next_look(first)))
        assert [row.split()[1] for row in view.rows()] == ["10.0.0.1:1", "10.0.0.1:3"]


@pytest.mark.parametrize(
    ("about", "text"),
    [
        (Subject(NETNS, (101,), None, None, (FIRST_COOKIE + 4,)), "state close-wait"),
        (
            Subject(NETNS, (100,), "[::]:443", None, (FIRST_COOKIE + 1,)),
            "pid = 100 and sport = :443",
        ),
        (Subject(NETNS, (), None, "192.0.2.1:80", (FIRST_COOKIE + 11,)), "dst 192.0.2.1:80"),
        (Subject(NETNS, (200,)), "pid = 200"),
        (Subject(NETNS, cookies=(FIRST_COOKIE, FIRST_COOKIE + 7)), None),
    ],
)
def test_words_say_the_same_as_the_finding(about: Subject, text: str | None) -> None:
    snapshot = found(WORTH_KNOWING).snapshot
    place = sockets_of(replace(STUCK, subject=about), snapshot)
    assert (text or "sockets of finding close-wait-unread") in place.scope.text
    assert (place.about is None) == (text is not None)


async def test_a_finding_that_is_over_says_since_when(told: list[Finding]) -> None:
    first = everything()
    async with live(first, size=(100, 30)) as view:
        await view.press("7", "enter")
        told.clear()
        await view.take(next_look(first))
        assert re.search(r"this is over since \d\d:\d\d:\d\d; what was known last is", view.text())
        before = view.lines()[2:]
        await view.take(next_look(next_look(first)))
        assert view.lines()[2:] == before
        assert OVERFLOW.advice in view.text()
        await view.press("enter")
        assert "0.0.0.0:80" in view.rows()[0]


async def test_the_empty_tab_says_what_was_looked_for(told: list[Finding]) -> None:
    told.clear()
    first = everything()
    async with live(first, findings=FindingSettings(ignored=frozenset({"fd-limit"}))) as view:
        await view.press("7")
        text = words(view)
        assert f"No problems in {len(RULES)} checks, one sample" in text
        waiting = [rule.id for rule in RULES if rule.look_s > 1]
        assert f"These need a longer watch: {waiting[0]}" in text
        assert "These are ignored: fd-limit." in text
        await view.take(next_look(first))
        assert "watched for <10s" in words(view)


def test_keys_of_rows_are_stable_and_apart() -> None:
    selection = found(OVERFLOW, UNANSWERED, STUCK)
    keys = findings.keys(selection, selection.findings).tolist()
    assert keys == [findings.number(each.key) for each in (OVERFLOW, UNANSWERED, STUCK)]
    assert len(set(keys)) == 3


def test_causes_in_a_circle_are_shown_once_each() -> None:
    one = finding("fd-limit", because="resets")
    two = finding("resets", because="fd-limit")
    assert sorted(place for place, _ in tree((one, two, OVERFLOW))) == [0, 1, 2]


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0s"), (42.7, "42s"), (61, "1m"), (3599, "59m"), (11_220, "3h07m")]
)
def test_an_age_is_coarse_after_a_minute(seconds: float, text: str) -> None:
    assert units.age(seconds) == text


# -- everywhere


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("ascii_only", [False, True])
async def test_every_place_fits(
    told: list[Finding], size: tuple[int, int], ascii_only: bool
) -> None:
    async with live(size=size, ascii_only=ascii_only) as view:
        for key in ("7", "j", "enter", "x", "X", "enter", "question_mark", "2", "enter", "x"):
            await view.press(key)
            assert len(view.lines()) == size[1]
            assert all(len(line) <= size[0] for line in view.lines())
            assert view.rows()
            assert view.text().isascii() or not ascii_only
        await view.press("7")
        assert "nginx" in view.rows()[0]


async def test_hostile_titles_are_shown_and_not_obeyed(told: list[Finding]) -> None:
    told[:] = [replace(STUCK, title="\x1b[31m\x07[b]x", advice="\x9b1m", evidence=("\x1b]0;y",))]
    async with live(size=(120, 40)) as view:
        for key in ("1", "7", "enter", "escape", "2", "enter"):
            await view.press(key)
            assert not set(view.text()) & {"\x1b", "\x07", "\x9b"}
            assert "\\x1b[31m\\x07[b]x" in view.text()


async def test_the_first_view_can_be_chosen(told: list[Finding]) -> None:
    async with live(opening="findings") as view:
        assert "[7Finds]" in view.lines()[3]
        assert view.rows()[0].startswith("!    10s ")


async def test_nothing_changes_on_the_screen_while_nothing_happens(told: list[Finding]) -> None:
    """What ticks costs bytes: the line and the tab say the same a second later."""
    told[:] = [replace(OVERFLOW, since=OVERFLOW.since and OVERFLOW.since - 120)]
    first = everything()
    async with live(first) as view:
        await view.press("7")
        before = view.lines()
        now: Sample = first
        for _ in range(3):
            now = next_look(now)
            await view.take(now)
        assert view.lines()[1:] == before[1:]
