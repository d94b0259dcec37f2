"""Every screen looks as it did when somebody last looked at it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tui.lot import drawn
from tests.tui.screens import stored
from tests.tui.screens.catalogue import ALL, WALKS, Size, Walk
from tests.tui.screens.drawing import draw

CASES = [
    pytest.param(walk, size, id=f"{walk.name}-{size[0]}x{size[1]}")
    for walk in WALKS
    for size in sorted({ALL[0], *drawn(ALL[1:], 1)} & {*walk.sizes})
]


@pytest.mark.parametrize(("walk", "size"), CASES)
async def test_screens_are_as_they_were(walk: Walk, size: Size, tmp_path: Path) -> None:
    drawn = await draw(walk, size)
    told = []
    for screen in walk.screens:
        file, svg = stored.path(walk, screen, size), drawn[screen.name]
        before = stored.read(file)
        if before != svg:
            name = file.name.removesuffix(".svg.gz")
            difference = stored.difference(before, svg)
            (tmp_path / f"{name}.svg").write_text(svg)
            (tmp_path / f"{name}.diff").write_text(difference)
            told.append(f"{name}: {difference[:2000]}")
    assert not told, "\n\n".join(
        [
            f"Pictures and differences are in {tmp_path}.",
            "If this is meant: python -m tests.tui.screens --update, and look at them.",
            *told,
        ]
    )


def test_no_picture_is_left_over() -> None:
    assert {*stored.HERE.glob("*.svg.gz")} == {*stored.every()}


def test_the_text_of_a_picture_is_read_back() -> None:
    svg = stored.read(next(iter(stored.every())))
    assert stored.lines(svg)[0].startswith(" tcptop  shop-1")
    other = svg.replace("shop&#45;1", "shop-2").replace("shop-1", "shop-2")
    assert "-" in stored.difference(svg, other)
