"""Pages of plain text: what a finding, a state or a topic means, and what to do about it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from itertools import islice
from typing import NamedTuple

KINDS = ("finding", "state", "topic")  # each a directory of pages
NEAREST = 3  # suggestions at most
FOOT = """\
`tcptop explain WORD` shows a page; states in any spelling. In the pages :8080,
192.0.2.7 and 4711 or PID stand for your port, address and process.
"""
# What the filter and ss call a state beside its own name, without `-` and `_`.
OTHER_SPELLINGS = {
    "estab": "established",
    "synrcv": "synrecv",
    "closed": "close",
    "unconn": "close",
    "unconnected": "close",
    "listening": "listen",
}


class Page(NamedTuple):
    """A page of ASCII text, at most 78 columns wide; its first line is `name - summary`."""

    name: str
    kind: str  # one of KINDS
    summary: str
    text: str


@cache
def pages() -> tuple[Page, ...]:
    """Every page, by kind and name."""
    return tuple(page for kind in KINDS for page in sorted(_of(kind)))


def page(word: str) -> Page | None:
    """The page of a finding, a topic, or a state in any spelling that the filter takes."""
    plain = _plain(word)
    wanted = OTHER_SPELLINGS.get(plain, plain)
    return next((page for page in pages() if _plain(page.name) == wanted), None)


def suggestions(word: str) -> list[str]:
    """Names of pages that may be meant: those that look like it, else those that speak of it."""
    return list(islice(dict.fromkeys(_alike(word)), NEAREST)) or _speaking_of(word)


def contents() -> str:
    """The list of pages, a line each."""
    width = max(len(page.name) for page in pages())
    parts = []
    for kind in KINDS:
        rows = [f"  {p.name:{width}}  {p.summary}\n" for p in pages() if p.kind == kind]
        parts.append(f"{kind}s\n{''.join(rows)}\n")
    return "".join(parts) + FOOT


def _of(kind: str) -> Iterator[Page]:
    for entry in (files(__name__) / "pages" / f"{kind}s").iterdir():
        name = entry.name.removesuffix(".txt")
        text = entry.read_text("ascii")
        yield Page(name, kind, text.partition("\n")[0].removeprefix(f"{name} - "), text)


def _alike(word: str) -> Iterator[str]:
    from difflib import get_close_matches

    plain = _plain(word)
    names = {_plain(page.name): page.name for page in pages()}
    if len(plain) > 2:
        yield from sorted((name for key, name in names.items() if plain in key), key=len)
    yield from (names[key] for key in get_close_matches(plain, names, NEAREST, 0.7))


def _speaking_of(word: str) -> list[str]:
    """For words such as somaxconn or EADDRNOTAVAIL, the pages where they occur most."""
    if not word.strip():
        return []
    wanted = re.compile(rf"\b{re.escape(word)}\b", re.IGNORECASE)
    found = [(len(wanted.findall(page.text)), page.name) for page in pages()]
    return [name for times, name in sorted(found, key=lambda f: -f[0])[:NEAREST] if times]


def _plain(word: str) -> str:
    return word.lower().replace("-", "").replace("_", "").replace(" ", "")
