"""The names of the views: whole words, and always the same."""

from __future__ import annotations

import pytest

from tcptop.columns import OVERVIEW, REMOTES
from tcptop.tui import header
from tcptop.tui.views import VIEWS, tabs

KNOWN = {each for view in VIEWS.values() for each in (view.listing.title, view.listing.short)}


@pytest.mark.parametrize("view", list(VIEWS))
def test_no_name_is_cut(view: str) -> None:
    own = VIEWS[view].listing.title, VIEWS[view].listing.short
    for width in range(40, 140):
        line = header.tabs(None, view, width)
        assert sum(len(name) for name, _ in line) <= width
        names = [name.strip(" []")[1:].strip() for name, _ in line]
        assert {*names} - {""} <= KNOWN, width
        assert names[tabs(view).index(view)] in own, width
        keys = [name.strip(" []")[0] for name, _ in line]
        assert keys == [*"0123456789A"[: len(line)]], width


@pytest.mark.parametrize("view", tabs(OVERVIEW.name))
def test_at_80_columns_each_has_one(view: str) -> None:
    assert all(len(name.strip(" []")) > 2 for name, _ in header.tabs(None, view, 80))


@pytest.mark.parametrize("width", [60, 80, 100, 132, 200])
def test_a_click_meets_the_name_it_points_at(width: int) -> None:
    line = header.tabs(None, REMOTES.name, width)
    at = 0
    for view, (name, _) in zip(tabs(REMOTES.name), line, strict=True):
        assert {header.tab_at(line, at + place) for place in range(len(name))} == {view}
        at += len(name)
