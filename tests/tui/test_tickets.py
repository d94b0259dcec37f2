"""What is copied and written for a ticket: whole, and of what is on the screen."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tcptop.model.finding import Finding
from tests.recordings import load, settings
from tests.tui.live import Live, live
from tests.unit.prepared import OVERFLOW, everything

LONG = "ss -tanpoi " + " ".join(f"'sport = :{port}'" for port in range(8080, 8099))


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return tmp_path


async def copied(view: Live, here: Path) -> str:
    await view.press("y")
    return (here / "tcptop.clip").read_text()


async def written(view: Live, here: Path, *keys: str, ending: str = ".md") -> str:
    before = {*here.glob(f"*{ending}")}
    await view.press(*keys)

    def made() -> set[Path]:
        return {*here.glob(f"*{ending}")} - before

    await view.until(lambda: bool(made()), "written")
    return made().pop().read_text()


async def to(view: Live, text: str) -> None:
    """The cursor, to a row with this text."""
    await view.press("home")
    for _ in range(60):
        if text in view.cursor():
            return
        await view.press("down")
    raise AssertionError(text)


@pytest.mark.parametrize("width", [60, 80, 120])
async def test_the_command_that_confirms_is_copied_whole(
    told: list[Finding], here: Path, width: int
) -> None:
    told[:] = [replace(OVERFLOW, confirm=LONG)]
    async with live(size=(width, 50)) as view:
        await view.press("7", "enter")
        for part in ("'sport = :8080'", "'sport = :8098'"):
            await to(view, part)
            assert await copied(view, here) == LONG


async def test_a_wrapped_sentence_is_copied_whole(told: list[Finding], here: Path) -> None:
    sentence = "The queue is full, " * 20 + "and nobody accepts."
    told[:] = [replace(OVERFLOW, evidence=(sentence,))]
    async with live(size=(80, 50)) as view:
        await view.press("7", "enter")
        await to(view, "and nobody accepts")
        assert await copied(view, here) == f"evidence  {sentence}"
        await view.press("escape", "6", "enter")
        await to(view, "connect() calls")
        assert (await copied(view, here)).startswith("ActiveOpens  10  connect() calls.")
        await view.press("7", "x")
        await view.press("down", "down", "down")
        line = await copied(view, here)
        assert line[-1:] in ".:" or line in view.text()


async def test_a_finding_begins_with_what_to_do(told: list[Finding]) -> None:
    async with live(size=(100, 50)) as view:
        await view.press("7", "enter")
        parts = [OVERFLOW.title, OVERFLOW.advice, OVERFLOW.confirm, OVERFLOW.evidence[0]]
        places = [view.text().index(part, view.text().index("Finding acc")) for part in parts]
        assert places == sorted(places)
        assert places[-1] < view.text().index("limits")
        assert any(row.strip() == OVERFLOW.confirm for row in view.rows())


async def test_a_finding_leads_to_its_process_and_listener(told: list[Finding]) -> None:
    async with live(size=(100, 50)) as view:
        for row, pane in (("process", "Process nginx/100"), ("listener", "Listener 0.0.0.0:80")):
            await view.press("7", "enter")
            await to(view, f"> {row}")
            await view.press("enter")
            assert view.titles().startswith(pane)


async def test_the_ticket_of_a_finding_is_that_finding(here: Path) -> None:
    async with live(*load("tour"), findings=settings("tour")) as view:
        await view.press("7", "enter")
        finding = view.session.watched.finding  # type: ignore[union-attr]
        assert finding is not None
        text = await written(view, here, "E")
        assert text.startswith("## TCP of `shop-1` at 2026")
        assert "### Finding connect-unanswered" in text
        assert "**CRITICAL**" in text
        assert "/usr/bin/checkout" in text  # the command line
        assert "shop.service" in text  # the unit
        assert f"- Confirm: `{finding.confirm}`" in text
        assert text.count("**CRITICAL**") == 1
        assert "black-hole" not in text


async def test_the_ticket_of_a_list_has_the_rows_on_the_screen(here: Path) -> None:
    async with live(*load("tour"), size=(120, 24)) as view:
        await view.type("state close-wait")
        await view.press("2", "down")
        text = await written(view, here, "E")
        assert "- Filter: `state close-wait`" in text
        assert "### Connections" in text
        rows = [line for line in text.splitlines() if line.startswith("| `CLOSE-WAIT`")]
        assert len(rows) == len(view.rows())
        assert "Shown by `ss -tanpoi 'src " in text


@pytest.mark.parametrize(
    ("way", "title", "line"),
    [
        ("0", "Overview", "This host"),
        ("8", "States", "[ ESTAB 35 ]"),
        ("1 enter", "Process shop-api/1211", "descriptors"),
        ("2 t", "Connections", "shop-api"),
        ("D", "Changes", "Changed"),
    ],
)
async def test_the_ticket_of_all_else_is_its_lines(
    way: str, title: str, line: str, here: Path
) -> None:
    async with live(*load("tour"), size=(120, 40)) as view:
        await view.press(*way.split())
        text = await written(view, here, "E")
        assert f"### {title}" in text
        assert line in text.partition("~~~~")[2]
        assert text.count("~~~~") == 2


async def test_e_asks_for_a_name_and_the_ending_decides(here: Path) -> None:
    async with live(everything()) as view:
        await view.press("2", "e")
        assert "tcptop-web1-20260101T000000Z.md" in view.status()
        text = await written(view, here, "enter")
        assert "### Connections" in text
        await view.press("e")
        await view.press("ctrl+u")
        told = json.loads(await written(view, here, *"all.json", "enter", ending=".json"))
        assert len(told["sockets"]) == 18
        await view.press("e")
        await view.press("ctrl+u")
        await view.press(*"all.txt", "enter")
        assert "not exported: all.txt ends neither with .md nor with .json" in view.status()
        await view.press("e", "escape")
        assert view.session.here.listing
        assert "?" in view.status()


async def test_what_cannot_be_written_is_said(here: Path) -> None:
    async with live(everything()) as view:
        await view.press("e")
        await view.press("ctrl+u")
        await view.press(*"/nowhere/x.md", "enter")
        await view.until(lambda: "not exported: /nowhere/x.md: No such" in view.status(), "said")


async def test_a_spot_of_the_overview_is_copied_as_its_row(here: Path) -> None:
    async with live(size=(120, 40), opening="overview") as view:
        spot = next(
            s for s in view.app.main.overview._board.spots if s.view == "listeners" and s.row
        )
        view.app.main.overview._choose(spot)
        text = await copied(view, here)
        assert text.startswith("0.0.0.0:80  v4  96  128  74%")
