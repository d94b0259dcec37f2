"""The live view on real sockets."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import pytest

from tcptop.analysis.findings.settings import FindingSettings as Findings
from tcptop.columns import LISTINGS
from tcptop.demo import held, sockets
from tcptop.demo.namespace import DemoNamespace
from tcptop.tui.views import VIEWS
from tests.kernel import states
from tests.kernel.zoo import Zoo
from tests.tui.live import Live, live_in

WALK = 150  # keys


async def test_every_view_shows_the_zoo(zoo: Zoo) -> None:
    async with live_in(zoo.namespace.pid, (200, 60)) as view:
        for number in range(1, 8):
            await view.press(str(number))
            assert len(view.rows()) >= (1 if number == 7 else 3)
        await view.press("3")
        overflow = zoo.sockets["overflow"]
        row = next(row for row in view.rows() if "%s:%d " % overflow.local in row)
        assert "100%" in row
        assert f"/{overflow.pid}" in row


@pytest.mark.parametrize("name", [name for name in LISTINGS if name != "sockets"])
async def test_a_drill_finds_what_its_row_counts(zoo: Zoo, name: str) -> None:
    """The filter of a drill against the mask of what was gathered into the row."""
    async with live_in(zoo.namespace.pid) as view:
        await view.press(str([*VIEWS].index(name)), "space")
        shown = view.session.shown
        assert shown is not None
        snapshot, selection = shown.selection.snapshot, shown.selection
        for row in range(len(shown.model)):
            key = shown.model.key(row)
            place = shown.model.place(key)
            assert view.session.open(key)
            piled = view.session.here.item is None  # a row of several leads to the sockets at once
            if not piled:
                view.app.paint()  # the pane, whose first row leads to the sockets
                past = view.session.watched
                assert past is not None
                assert past.pane is not None
                assert view.session.open(past.pane.key(0))
            drilled = view.session.shown
            assert drilled is not None
            found = drilled.selection.rows
            if name == "listeners":
                assert snapshot.listeners.row[place] in found
            elif name == "ports":  # those on ports that are listened on are found too
                assert set(np.flatnonzero(snapshot.ports.group == place)) <= set(found)
            elif name == "remotes":
                assert list(found) == list(np.flatnonzero(snapshot.remotes.group == place))
            else:
                assert len(found) == selection.processes.sockets[place]
            assert view.session.back()
            assert piled or view.session.back()


async def test_a_new_socket_appears_and_a_closed_one_goes(namespace: DemoNamespace) -> None:
    async with live_in(namespace.pid) as view:
        await view.press("3")
        assert view.rows() == ["Nobody listens on TCP here."]
        made = namespace.run(sockets.listening, port=8080)
        await view.until(lambda: "127.0.0.1:8080" in view.text(), "seen")
        assert f"/{made.pid}" in view.rows()[0]
        namespace.run(held.close, made.fd)
        await view.until(lambda: "127.0.0.1:8080" not in view.text(), "gone")


async def test_the_cursor_keeps_to_a_socket_while_others_come(namespace: DemoNamespace) -> None:
    listener = namespace.run(sockets.listening, port=8080)
    mine = namespace.run(sockets.connected, "127.0.0.1", listener.local[1])
    async with live_in(namespace.pid) as view:
        await view.press("2", "w", "f")
        port = f":{mine.local[1]} "
        while port not in view.cursor():
            await view.press("j")
        for _ in range(5):
            seen = len(view.rows())
            namespace.run(sockets.connected, "127.0.0.1", listener.local[1])
            await grown(view, seen + 2)
            assert port in view.cursor()


async def grown(view: Live, rows: int) -> None:
    await view.until(lambda: len(view.rows()) == rows, f"{rows} rows")


async def test_export_of_real_sockets(
    namespace: DemoNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    namespace.run(states.close_wait)
    async with live_in(namespace.pid) as view:
        await view.type("state close-wait")
        await view.press("ctrl+s")
        await view.until(lambda: "exported 1 socket " in view.status(), "exported")
    (path,) = tmp_path.iterdir()
    (row,) = json.loads(path.read_text())["sockets"]
    assert row["state"] == "CLOSE_WAIT"


async def test_a_leak_is_found_and_its_sockets_are_shown_until_it_ends(
    namespace: DemoNamespace,
) -> None:
    leaked = [namespace.run(states.close_wait) for _ in range(20)]
    other = namespace.run(states.close_wait, unread=7)
    lowered = Findings(limits={"close-wait-leak": {"age_s": 0.5}})
    async with live_in(namespace.pid, findings=lowered) as view:
        await view.until(lambda: "! " in view.lines()[1] or "* " in view.lines()[1], "found")
        assert "leaks sockets: 20 connections" in view.lines()[1]
        await view.press("2")
        marked = [row for row in view.rows() if row.startswith("* CLOSE-WAIT")]
        assert len(marked) == 20
        assert not any(f":{other.local[1]} " in row for row in marked)
        await view.press("7", "enter", "enter")
        assert f" filter: pid = {namespace.pid} and state close-wait and recvq = 0" in view.text()
        assert len(view.rows()) == 20
        await view.press("escape")
        namespace.run(held.close, *(each.fd for each in leaked))
        await view.until(lambda: "this is over since" in view.text(), "ended")
        assert "no problems" in view.lines()[1]


KEYS = (
    *("1", "2", "3", "4", "5", "6", "7", "tab", "shift+tab", "enter", "right", "left", "escape"),
    *("j", "k", "g", "G", "pageup", "pagedown", "ctrl+d", "ctrl+u", "s", "S", "less_than_sign"),
    *("w", "f", "a", "space", "question_mark", "h", "slash", "backspace", "up", "down", "e"),
    *("plus", "shift+right", "shift+left", "ctrl+l", "x", "X", "i", "7", "delete", "home", "end"),
)


async def test_a_walk_over_the_keys(
    zoo: Zoo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Any key anywhere: the screen stays whole, and every step back leads to the first view."""
    monkeypatch.chdir(tmp_path)
    dice = random.Random(1)
    async with live_in(zoo.namespace.pid, (80, 24)) as view:
        walked: list[str] = []
        while len(walked) < WALK:
            some = dice.choices(KEYS, k=dice.randint(1, 6))
            walked += some
            await view.press(*some)
            if dice.random() < 0.2:
                await view.pilot.resize_terminal(dice.choice((40, 80, 200)), dice.choice((10, 24)))
            whole(view, walked)
        await view.press(*["escape"] * 30)
        assert len(view.session.trail.places) == 1
        assert not view.session.typed.text
        assert view.app.crash is None


def whole(view: Live, walked: list[str]) -> None:
    """Nothing is wider than the screen, and the cursor is on a row."""
    lines = view.lines()
    width, height = view.app.size
    assert len(lines) == height, walked
    assert all(len(line) <= width for line in lines), walked
    shown = view.session.shown
    assert shown is not None
    assert len(np.unique([shown.model.key(row) for row in range(len(shown.model))])) == len(
        shown.model
    )
