"""Every key on every kind of screen: something changes or is said, and the screen stays whole."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from textual.binding import Binding, BindingType
from textual.strip import Strip

from tcptop.tui.app import TcptopApp
from tcptop.tui.column_chooser import ColumnChooser
from tcptop.tui.palette import Palette
from tcptop.tui.views import VIEWS
from tcptop.tui.widgets.lines import Diagram
from tcptop.tui.widgets.prompt import Prompt
from tcptop.tui.widgets.table import Table
from tests.recordings import load, settings
from tests.tui.live import Live, live
from tests.tui.lot import drawn

PLACES = {
    "processes": "1",
    "connections": "2",
    "kernel": "6",
    "findings": "7",
    "states": "8",
    "process": "1 enter",
    "connection": "2 enter",
    "counter": "6 enter",
    "finding": "7 enter",
    "narrowed": "8 enter",
    "help": "2 question_mark",
    "page": "7 x",
    "pages": "X",
    "changes": "D",
    "past": "7 left_square_bracket",
}
HERE = drawn(PLACES, 4)
TYPED = {
    "filter": ("2 slash", Prompt.BINDINGS),
    "find": ("2 ctrl+f", Prompt.BINDINGS),
    "columns": ("2 o", ColumnChooser.BINDINGS),
    "commands": ("2 colon", Palette.BINDINGS),
}
UNSEEN = {"repaint", "suspend"}  # the tests of the display and of the driver see them
HERE_ALREADY = {"into", "pages", "explain", *(f"view.{view}" for view in VIEWS)}
UPWARDS = {"table.up", "table.page_up", "table.half_up", "table.top"}
ACROSS = {"table.left", "table.right"}  # only where there are more columns than fit
ENDING = {"q", "Q", "f10", "ctrl+c", "ctrl+q"}
SILENT = "ctrl+l"  # paints the same again


def listed(*groups: Sequence[BindingType]) -> list[tuple[str, list[str]]]:
    """The id and the keys of each binding."""
    every = [binding for group in groups for binding in group if isinstance(binding, Binding)]
    return [(binding.id or "", binding.key.split(",")) for binding in every]


@asynccontextmanager
async def recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Live]:
    """The app on the tour; what it exports and copies goes where the test is."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    async with live(*load("tour"), findings=settings("tour")) as view:
        yield view


def seen(view: Live) -> list[Strip]:
    """The screen with its colours."""
    return view.strips()


def stand(view: Live) -> tuple[object, ...]:
    """Where the user is."""
    app, session = view.app, view.session
    return (
        session.trail,
        session.time.held is None,
        app.main.typing,
        app.screen is app.main,
        session.typed.text,
    )


async def go(view: Live, way: str) -> tuple[object, ...]:
    """To a place, from wherever."""
    session = view.session
    if view.app.main.typing or view.app.screen is not view.app.main:
        await view.press("escape")
    back = [*["space"] * (session.time.held is not None), *["escape"] * len(session.trail.places)]
    await view.press(*back, "1", "g", *way.split())
    return stand(view)


async def pressed(view: Live, key: str) -> bool:
    """Whether a key changed anything, be it only what the last line says."""
    if view.app.main.said:  # what is said again is no change
        await view.press(SILENT)
    before = seen(view)
    await view.press(key)
    if "exporting…" in view.status():
        await view.until(lambda: "exporting…" not in view.status(), "exported")
    width, height = view.app.size
    assert view.app.crash is None
    assert len(view.lines()) == height, key
    assert all(len(line) <= width for line in view.lines()), key
    return seen(view) != before


def few(id: str, keys: Sequence[str], place: str) -> Sequence[str]:
    """All keys of a binding in one place, in others the first; what leads away from some."""
    if place != "connections":
        keys = keys[:1] if not id.startswith("view.") or place in ("states", "page") else ()
    return [key for key in keys if key not in ENDING]


async def answers(view: Live) -> None:
    """Help comes and goes, and q ends it."""
    await go(view, "2 question_mark")
    assert "main keys" in view.text()
    await view.press("question_mark")
    assert view.session.here.listing
    await view.press("q")
    assert view.app._exit


@pytest.mark.parametrize("name", HERE)
async def test_every_key_does_or_says_something(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    silent = set()
    async with recorded(tmp_path, monkeypatch) as view:
        here = await go(view, PLACES[name])
        for id, keys in listed(TcptopApp.BINDINGS):
            for key in few(id, keys, name):
                if stand(view) != here:
                    here = await go(view, PLACES[name])
                if not await pressed(view, key):
                    silent.add(id)
        await answers(view)
    assert silent <= UNSEEN | HERE_ALREADY


@pytest.mark.parametrize("name", ["connections", "connection", "finding", "help", "page"])
async def test_every_key_of_a_table_moves(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with recorded(tmp_path, monkeypatch) as view:
        await go(view, PLACES[name])
        await view.press("w")
        for id, keys in listed(Table.BINDINGS):
            for key in keys:
                await view.press("end" if id in UPWARDS else "home")
                assert await pressed(view, key) or id in ACROSS, key
        await answers(view)


async def test_every_key_of_the_picture_moves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved = set()
    async with recorded(tmp_path, monkeypatch) as view:
        await go(view, "8")
        for id, keys in listed(Diagram.BINDINGS) * 2:
            for key in keys:
                if await pressed(view, key):
                    moved.add(id)
        await answers(view)
    assert moved == {id for id, _ in listed(Diagram.BINDINGS)}


@pytest.mark.parametrize("paused", [False, True])
async def test_what_is_opened_from_the_picture_is_as_wide_as_the_screen(paused: bool) -> None:
    async with live(*load("tour"), size=(80, 24)) as view:
        await view.press("8", *(["space"] if paused else []))
        await view.press("x")
        assert max(map(len, view.lines()[5:-1])) > 70
        await view.press("escape")
        await view.press("1", "enter")
        assert "descriptors  34 of 20,000  0%; at 100% accept() and connect() fail" in view.text()


async def test_of_the_picture_only_the_chosen_state_is_marked() -> None:
    async with live(*load("tour"), size=(80, 24)) as view:
        await view.press("8")
        marked = [
            segment.text
            for strip in seen(view)[4:-1]
            for segment in strip
            if segment.style and segment.style.reverse
        ]
        assert marked == ["[ ESTAB 35 ]"]


@pytest.mark.parametrize("name", TYPED)
async def test_every_key_where_one_types(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The keys there, and those of the live view, which are text or nothing."""
    way, own = TYPED[name]
    async with recorded(tmp_path, monkeypatch) as view:
        here = await go(view, way)
        text = [keys[0] for _, keys in listed(TcptopApp.BINDINGS, Table.BINDINGS)]
        for key in (*(key for _, keys in listed(own) for key in keys), *text):
            if stand(view) != here:
                here = await go(view, way)
            if key not in ENDING:
                await pressed(view, key)
        await answers(view)
