"""Copying rows and commands: what goes to the terminal, what to the file, and what is said."""

from __future__ import annotations

import re
from base64 import b64decode
from pathlib import Path

import pytest

from tcptop.model.netns import reaching
from tcptop.tui.app import TcptopApp
from tests.tui.live import Live, live
from tests.tui.test_moving import to_row
from tests.unit.prepared import NETNS, OTHER_NETNS, everything


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """What the terminal is sent besides the picture; the file is in a directory of its own."""
    sent: list[str] = []
    for name in ("TMUX", "STY", "TERM_PROGRAM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setattr(TcptopApp, "write_through", lambda app, text: sent.append(text))
    return sent


def clipboard(written: list[str]) -> str:
    found = re.fullmatch("\x1b]52;c;(.*)\a", written[-1])
    assert found
    return b64decode(found[1]).decode()


async def copied(view: Live, key: str, written: list[str], tmp_path: Path) -> str:
    await view.press(key)
    text = (tmp_path / "tcptop.clip").read_text()
    assert clipboard(written) == text
    assert view.status().startswith(" copied; also in ")  # where it went is what must be seen
    return text


async def test_a_row_is_copied_in_full(written: list[str], tmp_path: Path) -> None:
    async with live(size=(200, 40), netns=NETNS) as view:
        await view.press("2")
        await to_row(view, "51001")
        text = await copied(view, "y", written, tmp_path)
        assert text.split("  ")[:5] == ["ESTAB", "120", "0", "10.0.0.1:80", "10.0.0.7:51001"]
        assert f"tcptop.clip: {text[:30]}" in view.status()


@pytest.mark.parametrize(
    ("view_key", "row", "command"),
    [
        ("1", "101 nginx", "ss -tanpo | grep pid=101,"),
        ("2", "10.0.0.7:51001", "ss -tanpoi 'src 10.0.0.1:80 and dst 10.0.0.7:51001'"),
        ("3", "0.0.0.0:80", "ss -ltnpm 'src 0.0.0.0:80'"),
        ("6", "ActiveOpens", "nstat -az TcpActiveOpens"),
    ],
)
async def test_a_command_shows_the_same(
    view_key: str, row: str, command: str, written: list[str], tmp_path: Path
) -> None:
    async with live(size=(200, 60), netns=NETNS) as view:
        await view.press(view_key)
        await to_row(view, row)
        assert await copied(view, "Y", written, tmp_path) == command
        if view_key != "1":
            await view.press("enter")
            assert await copied(view, "Y", written, tmp_path) == command


async def test_a_command_goes_where_the_socket_is(written: list[str], tmp_path: Path) -> None:
    async with live(size=(200, 60), netns=NETNS) as view:
        await view.type(f"netns = {OTHER_NETNS}")
        await view.press("2")
        text = await copied(view, "Y", written, tmp_path)
        inside = reaching(everything(), OTHER_NETNS)
        assert inside is not None
        assert f" {inside} " in text
        assert text.startswith(("nsenter -t ", "ip netns exec "))


async def test_states_have_a_command_and_no_row(written: list[str], tmp_path: Path) -> None:
    async with live(size=(120, 40), netns=NETNS) as view:
        await view.press("8")
        assert await copied(view, "Y", written, tmp_path) == "ss -tan state established"
        await view.press("y")
        assert "no row to copy" in view.status()


async def test_where_nothing_can_be_copied_it_is_said(written: list[str]) -> None:
    async with live(everything(), size=(120, 40)) as view:
        await view.press("question_mark", "Y")
        assert "no command shows the same" in view.status()
        await view.press("escape")
        await view.type("sport = :9")
        await view.press("y")
        assert "no row to copy" in view.status()
        assert not written
