"""Stored pictures, and how another one differs."""

from __future__ import annotations

import difflib
import gzip
import html
import re
from collections.abc import Iterator
from pathlib import Path

from tests.tui.screens.catalogue import WALKS, Screen, Size, Walk

HERE = Path(__file__).parent
CELL = 12.2  # units of a column in Rich's SVG
TEXT = re.compile(r'<text class="[\w-]+" x="([\d.]+)"[^>]*line-(\d+)\)">(.*?)</text>')


def path(walk: Walk, screen: Screen, size: Size) -> Path:
    return HERE / f"{walk.name}-{screen.name}-{size[0]}x{size[1]}.svg.gz"


def every() -> Iterator[Path]:
    for walk in WALKS:
        for size in walk.sizes:
            yield from (path(walk, screen, size) for screen in walk.screens)


def read(file: Path) -> str:
    """Empty where there is none."""
    return gzip.decompress(file.read_bytes()).decode() if file.exists() else ""


def write(file: Path, svg: str) -> None:
    """The same bytes for the same picture."""
    file.write_bytes(gzip.compress(svg.encode(), mtime=0))


def lines(svg: str) -> list[str]:
    """The text on the screen."""
    found: dict[int, str] = {}
    for x, number, text in TEXT.findall(svg):
        before = found.get(int(number), "").ljust(round(float(x) / CELL))
        found[int(number)] = before + html.unescape(text).replace("\xa0", " ")
    last = max(found, default=-1)
    return [found.get(number, "").rstrip() for number in range(last + 1)]


def difference(old: str, new: str) -> str:
    """Of the text on the screen; of the SVG where that is the same."""
    for before, now in ((lines(old), lines(new)), (old.splitlines(), new.splitlines())):
        found = difflib.unified_diff(before, now, "stored", "now", n=1, lineterm="")
        told = "\n".join(found)
        if told:
            return told
    return ""
