"""Draws screens with the app itself; nothing in them depends on when, where and by whom."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

from textual.app import App

from tcptop.tui.watcher import OwnCost
from tests.tui.live import Live, live
from tests.tui.screens.catalogue import Size, Walk

DEEPEST = 4  # places that Escape leads back from
UNSET = ("NO_COLOR", "COLORFGBG", "TEXTUAL_THEME")


async def draw(walk: Walk, size: Size) -> dict[str, str]:
    """The SVG of each of its screens, by the screen's name."""
    drawn = {}
    with surroundings(walk.colour):
        samples, failed = walk.steps, walk.steps[-1]
        async with live(*samples, size=size, **walk.settings) as view:
            if isinstance(failed, Exception):
                await view.until(lambda: str(failed) in view.text(), "told")
            for screen in walk.screens:
                await view.press(*["escape"] * DEEPEST, "1", "g", *screen.keys.split())
                drawn[screen.name] = normal(view.app.export_screenshot())
                whole(view, screen.name)
                await view.press(*["escape"] * DEEPEST, *screen.undo.split())
    return drawn


def whole(view: Live, name: str) -> None:
    """The screen is filled and no more than that."""
    width, height = view.app.size
    lines = view.lines()
    assert len(lines) == height, name
    assert max(map(len, lines)) <= width, name


@contextmanager
def surroundings(colour: bool) -> Iterator[None]:
    """An environment of our own, in UTC, and the theme that `environment.prepare` has at first."""
    kept = {name: value for name, value in os.environ.items() if name not in UNSET}
    wanted = {**kept, "TZ": "UTC"} | ({} if colour else {"NO_COLOR": "1"})
    with (
        patch.dict(os.environ, wanted, clear=True),
        patch.object(App.theme, "_default", "ansi-dark"),
        patch.object(OwnCost, "share", lambda _: 0.01),
    ):
        time.tzset()
        yield
    time.tzset()


def normal(svg: str) -> str:
    """Without the number that Rich makes of the content, and without fonts from the network."""
    svg = re.sub(r"terminal-\d+-", "terminal-", svg)
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
    return re.sub(r"(/>|</\w+>)(?=<)", r"\1\n", svg)
