"""Findings in the live view: the line on every screen, their tab, marks, pages, and the end."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from tcptop.analysis import derive as analysis
from tcptop.analysis.findings.rules import RULES
from tcptop.analysis.findings.settings import Settings
from tcptop.columns import findings
from tcptop.explain import Page, pages
from tcptop.model.finding import Finding, Subject
from tcptop.model.sample import Sample
from tcptop.model.snapshot import Snapshot
from tcptop.tui import alarm, concerned
from tcptop.tui.pages import PageModel
from tests.tui.live import Live, live, next_look
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

STUCK = Finding(
    "close-wait-unread",
    "close-wait-unread/101",
    "warning",
    "nginx does not read: 1 connection left in CLOSE_WAIT",
    Subject(NETNS, (101,), None, None, (FIRST_COOKIE + 4,)),
    evidence=("Its end of file waits.",),
)
SIZES = [(80, 24), (120, 40), (200, 60), (40, 10)]


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[Finding]:
    """What every look finds; the test changes it."""
    listed = [OVERFLOW, STUCK, WORTH_KNOWING, UNANSWERED]

    def derive(*given: object) -> tuple[Snapshot, object]:
        snapshot, history = real(*given)  # type: ignore[arg-type]
        return replace(snapshot, findings=tuple(listed)), history

    real = analysis.derive
    monkeypatch.setattr("tcptop.tui.collector.derive", derive)
    return listed


def words(view: Live) -> str:
    """The screen without its line breaks and columns."""
    return " ".join(view.text().split())


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
        assert view.lines()[1].endswith("+1 info  7 opens")
        assert UNANSWERED.title not in view.lines()[1]


async def test_a_low_terminal_has_no_room_for_the_line(told: list[Finding]) -> None:
    async with live(size=(80, 12)) as view:
        assert "critical" in view.lines()[1]
        await view.pilot.resize_terminal(80, 11)
        await view.pilot.pause()
        assert "critical" not in view.lines()[1]
        assert view.lines()[2].startswith("[1 Processes]")


def test_quiet_words() -> None:
    def said(*listed: Finding, watched: float | None = None) -> str:
        snapshot = replace(found(*listed).snapshot, over_s=watched)
        return "".join(text for text, _ in alarm.line(snapshot, Settings(), 80)).strip()

    assert said() == "..  nothing wrong yet; some findings need a longer watch"
    assert said(watched=3600) == said(watched=3601) == "ok  nothing wrong"
    assert said(WORTH_KNOWING, watched=3600) == "ok  nothing wrong, 1 worth knowing  7 opens"


@pytest.mark.parametrize("width", [1, 10, 20, 40, 80, 99, 100, 200])
def test_the_line_fits(width: int) -> None:
    many = [finding("fd-limit", title="x" * n, key=f"fd-limit/{n}") for n in (10, 300, 20, 30)]
    snapshot = found(*many).snapshot
    line = alarm.line(snapshot, Settings(), width)
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
        assert [row[:2] for row in rows] == [
            *(["!", "critical"], ["*", "warning"], ["*", "warning"], ["·", "info"]),
        ]
        assert rows[0][2] == "12s"
        assert "└ 192.0.2.1:80 does not answer" in view.rows()[1]
        assert "nginx/100 +1" in view.rows()[0]
        assert " 0.0.0.0:80 " in view.rows()[0]
        assert "accept-queue-overflow" in view.rows()[0]
        assert "7 Findings 4" in view.lines()[3]
        await view.press("s", "s")
        assert "sorted by Finding" in view.status()


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
        assert re.search(r"since [-\d ]*\d\d:\d\d:\d\d, for 12s", text)
        assert "nginx/100 nginx: master" in text
        assert "listener 0.0.0.0:80" in text
        assert f"explains * warning {UNANSWERED.title}" in text
        assert "capacity" in text  # a threshold
        assert view.status().startswith(" Enter its sockets  x explain  Esc back")
        await to_row(view, "explains  ")
        await view.press("enter")
        assert f"because ! critical {OVERFLOW.title}" in words(view)
        await view.press("escape", "escape")
        assert view.cursor().startswith("! critical")


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
        assert [row.split()[4] for row in view.rows()] == ["10.0.0.1:1", "10.0.0.1:3"]
        told[:] = [replace(STUCK, subject=replace(about, cookies=(FIRST_COOKIE + 1,)))]
        await view.look(next_look(first))
        assert [row.split()[4] for row in view.rows()] == ["10.0.0.1:2"]
        told.clear()
        await view.look(next_look(next_look(first)))
        assert [row.split()[3] for row in view.rows()] == ["10.0.0.1:1", "10.0.0.1:3"]


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
    clause, other = concerned.scope(replace(STUCK, subject=about), snapshot)
    assert (text or "sockets of finding close-wait-unread") in clause.text
    assert (other is None) == (text is not None)


async def test_a_finding_that_is_over_says_since_when(told: list[Finding]) -> None:
    first = everything()
    async with live(first, size=(100, 30)) as view:
        await view.press("7", "enter")
        told.clear()
        await view.look(next_look(first))
        assert re.search(r"this is over since \d\d:\d\d:\d\d; what was known last is", view.text())
        before = view.lines()[2:]
        await view.look(next_look(next_look(first)))
        assert view.lines()[2:] == before
        assert OVERFLOW.advice in view.text()
        await view.press("enter")
        assert "0.0.0.0:80" in view.rows()[0]


async def test_the_empty_tab_says_what_was_looked_for(told: list[Finding]) -> None:
    told.clear()
    first = everything()
    async with live(first, findings=Settings(ignored=frozenset({"fd-limit"}))) as view:
        await view.press("7")
        text = words(view)
        assert f"Nothing is wrong with what was watched: one look, {len(RULES)} kinds" in text
        waiting = [rule.id for rule in RULES if rule.look_s > 1]
        assert f"These need a longer watch: {waiting[0]}" in text
        assert "These are ignored: fd-limit." in text
        await view.look(next_look(first))
        assert "watched: 1s" in words(view)


def test_keys_of_rows_are_stable_and_apart() -> None:
    selection = found(OVERFLOW, UNANSWERED, STUCK)
    keys = findings.keys(selection, selection.findings).tolist()
    assert keys == [findings.number(each.key) for each in (OVERFLOW, UNANSWERED, STUCK)]
    assert len(set(keys)) == 3


def test_causes_in_a_circle_are_shown_once_each() -> None:
    one = finding("fd-limit", because="resets")
    two = finding("resets", because="fd-limit")
    selection = found(one, two, OVERFLOW)
    assert sorted(findings.tree(selection)) == [0, 1, 2]


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0s"), (42.7, "42s"), (61, "1m"), (3599, "59m"), (11_220, "3h07m")]
)
def test_an_age_is_coarse_after_a_minute(seconds: float, text: str) -> None:
    assert findings.age(seconds) == text


# -- marks


@pytest.mark.parametrize(
    ("view", "row", "sign"),
    [
        ("1", "100 nginx", "!"),
        ("1", "200 curl", "*"),
        ("2", "10.0.0.8:51002", "*"),
        ("2", "0.0.0.0:80", "!"),
        ("2", "10.0.0.7:51000", " "),
        ("3", "0.0.0.0:80", "!"),
        ("3", "[::]:443", " "),
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
        assert re.match(r"verdict +wrong +now +SYN unanswered, 3 retries$", view.rows()[0])
        assert STUCK.title in view.rows()[1]
        assert view.status().startswith(" Enter open a finding")
        await view.press("j", "enter")
        assert view.session.here.view == "findings"
        assert "Its end of file waits." in view.text()


async def test_the_options_of_what_is_looked_at_are_asked_for() -> None:
    first = everything()
    async with live(first) as view:
        await view.press("2", "enter")
        item = view.session.here.item
        await view.look(next_look(first))
        assert view.source is not None
        assert item in view.source.wanted
        await view.press("escape")
        await view.look(next_look(next_look(first)))
        assert item not in view.source.wanted


# -- pages


@pytest.mark.parametrize(
    ("keys", "title"),
    [
        (("7",), "accept-queue-overflow - "),
        (("7", "enter"), "accept-queue-overflow - "),
        (("2",), "close-wait-unread - "),  # its finding
        (("2", "enter"), "close-wait-unread - "),
        (("2", "j"), "connect-unanswered - "),
        (("2", "G"), "time-wait - "),  # its state
        (("3",), "accept-queue-overflow - "),
        (("3", "j"), "queues - "),
        (("4",), "ports - "),
        (("question_mark",), "What it is about"),
    ],
)
async def test_what_is_under_the_cursor_is_explained(
    told: list[Finding], keys: tuple[str, ...], title: str
) -> None:
    async with live() as view:
        await view.press(*keys)
        before = view.lines()[1:]
        await view.press("x")
        assert title in view.titles()
        assert view.status().startswith(" Esc back")
        await view.press("escape")
        assert view.lines()[1:] == before


async def test_what_nothing_explains_shows_the_list_of_pages() -> None:
    async with live() as view:
        await view.press("x")
        assert "What it is about" in view.titles()
        await view.press("x", "X", "escape")
        assert view.session.here.listing


async def test_a_counter_is_explained_by_what_it_feeds() -> None:
    async with live() as view:
        await view.press("6")
        await to_row(view, "ListenDrops")
        await view.press("i")
        assert view.titles().startswith("accept-queue-overflow - ")


async def test_pages_are_listed_and_lead_to_each_other() -> None:
    async with live(size=(80, 80)) as view:
        await view.press("X")
        text = view.text()
        assert all(f" {page.name} " in text for page in pages())
        await to_row(view, "close-wait-leak")
        await view.press("enter")
        assert view.titles().startswith("close-wait-leak - the peer has closed")
        assert "What the kernel does" in view.text()
        await view.press("G", "k", "k", "k")
        assert view.cursor() == "  half-closed"
        await view.press("enter")
        assert view.titles().startswith("half-closed - ")
        await view.press("escape", "escape", "escape")
        assert view.session.here.listing


async def test_a_long_page_scrolls() -> None:
    async with live() as view:
        await view.press("X", "enter")
        seen: set[str] = set()
        for _ in range(8):
            seen.update(view.rows())
            await view.press("pagedown")
        assert any(line.strip() == "See also" for line in seen)


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_a_narrow_page_loses_no_word(page: Page) -> None:
    model = PageModel(page, 40)
    lines = [str(model.cells(row, model.columns)[0]) for row in range(len(model))]
    assert all(len(line) <= 40 for line in lines)
    body = page.text.partition("\n")[2]
    assert re.sub(r"[\s,]", "", "".join(lines)) == re.sub(r"[\s,]", "", body)


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
            assert "?[31m?[b]x" in view.text()


async def test_the_first_view_can_be_chosen(told: list[Finding]) -> None:
    async with live(opening="findings") as view:
        assert "[7 Findings]" in view.lines()[3]
        assert view.rows()[0].startswith("! critical")


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
            await view.look(now)
        assert view.lines()[1:] == before[1:]
