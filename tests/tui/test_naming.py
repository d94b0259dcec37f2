"""Names in place of addresses: off at first, from behind the scenes, and on the screen only."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tcptop.columns.names import named
from tcptop.sources.resolver import Resolver
from tests.tui.live import live, next_look
from tests.unit.prepared import everything


class Known:
    """Names that are learnt when a test says so."""

    def __init__(self, changed: Callable[[], object] = lambda: None) -> None:
        self.changed = changed
        self.names: dict[str, str] = {}
        self.asked: set[str | int] = set()
        self.closed = False

    def name(self, address: str) -> str | None:
        self.asked.add(address)
        return self.names.get(address)

    def service(self, port: int) -> str | None:
        self.asked.add(port)
        return {80: "http", 443: "https"}.get(port)

    def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("10.0.0.1:80", "web:http"),
        ("10.0.0.2:81", "10.0.0.2:81"),
        ("10.0.0.1", "web"),
        ("[2001:db8::1]:443", "six:https"),
        ("[2001:db8::2]:443", "[2001:db8::2]:https"),
        ("2001:db8::1", "six"),
        ("2001:db8::2", "2001:db8::2"),
        ("0.0.0.0:*", "0.0.0.0:*"),
        ("", ""),
        ("–", "–"),
    ],
)
def test_what_is_known_is_named(text: str, shown: str) -> None:
    known = Known()
    known.names = {"10.0.0.1": "web", "2001:db8::1": "six"}
    assert list(named([text], known)) == [shown]
    assert list(named([text], None)) == [text]


async def test_numbers_first_and_names_when_they_come() -> None:
    made: list[Known] = []

    def opened(changed: Callable[[], object]) -> Known:
        made.append(Known(changed))
        return made[-1]

    async with live(size=(120, 40), open_names=opened) as view:
        await view.press("2")
        assert not made
        before = [row.split()[3:5] for row in view.rows()]
        await view.press("d")
        assert "looked up in the background" in view.status()
        assert {"10.0.0.7", 51000, 80} <= made[0].asked
        assert any("10.0.0.7:51000" in row for row in view.rows())
        assert any(" 10.0.0.1:http" in row for row in view.rows())
        made[0].names = {"10.0.0.7": "seven.example"}
        made[0].changed()
        await view.until(lambda: "seven.example:51000" in view.text(), "named")
        await view.take(next_look(everything()))
        assert "seven.example:51000" in view.text()
        await view.press("t")
        assert "seven.example" in view.text()
        await view.press("t", "d")
        assert [row.split()[3:5] for row in view.rows()] == before
        assert made[0].closed
        await view.press("d")
    assert made[1].closed


async def test_other_lists_have_names_too() -> None:
    known = Known()
    known.names = {"10.0.0.9": "nine.example", "10.0.0.1": "one.example"}
    async with live(size=(120, 40), open_names=lambda changed: known) as view:
        await view.press("d", "3")
        assert "0.0.0.0:http" in view.text()
        for key in ("4", "5"):
            await view.press(key)
            assert "nine.example" in view.text()


async def test_only_what_changed_is_painted() -> None:
    known = Known()
    async with live(size=(120, 40), open_names=lambda changed: known) as view:
        await view.press("2", "d", "space")
        painted: list[object] = []
        view.app.main.table.refresh = lambda *regions, **_: painted.extend(regions)  # type: ignore
        known.names = {"10.0.0.8": "eight.example"}
        view.app.on_names_learnt()
        assert 0 < len(painted) < len(view.rows())


async def test_an_export_has_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    known = Known()
    known.names = dict.fromkeys(("10.0.0.7", "10.0.0.1"), "named.example")
    async with live(open_names=lambda changed: known, size=(120, 40)) as view:
        await view.press("2", "d", "ctrl+s")
        assert "named.example" in view.text()
        await view.until(lambda: "exported" in view.status(), "exported")
    (file,) = tmp_path.iterdir()
    assert "named.example" not in file.read_text()


async def test_the_choice_is_remembered(tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    async with live(state=state, open_names=Known) as view:
        await view.press("d")
    assert json.loads(state.read_text())["resolve"] is True
    async with live(state=state, open_names=Known) as view:
        assert view.session.choices.names is not None
        await view.press("d")
    assert json.loads(state.read_text())["resolve"] is False


async def test_of_another_host_names_are_asked_for_only_when_that_is_said(tmp_path: Path) -> None:
    """This host may have other names for the same addresses; what was chosen for it stays."""
    state = tmp_path / "state.json"
    async with live(state=state, open_names=Known) as view:
        await view.press("d")
    async with live(state=state, open_names=Known, other_host="web1") as view:
        assert view.session.choices.names is None
        await view.press("d")
        assert "names as this host finds them, not web1" in view.status()
        assert view.session.choices.names is not None
        await view.press("d")
    assert json.loads(state.read_text())["resolve"] is True


async def test_the_resolver_of_the_system_names_this_host() -> None:
    async with live(open_names=Resolver, size=(120, 40)) as view:
        await view.press("2", "d")
        await view.until(lambda: "localhost:" in view.text(), "named")
