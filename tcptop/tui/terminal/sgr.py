"""How a cell looks, as the codes that a terminal is sent (SGR, ECMA-48 8.3.117; links: OSC 8)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from rich.color import ColorSystem
from rich.style import Style

from tcptop.model.named_tuple import NamedTuple

# What switches an attribute off; 22, 24, 25 and 54 switch off two of them.
OFF = {
    "1": "22", "2": "22", "3": "23", "4": "24", "5": "25", "6": "25", "7": "27", "8": "28",
    "9": "29", "21": "24", "51": "54", "52": "54", "53": "55",
}  # fmt: skip
RESET = "\x1b[m"
LINK_END = "\x1b]8;;\x1b\\"
RENDERED = re.compile(r"(\x1b\]8;.*?\x1b\\)?(?:\x1b\[([\d;]+)m)?x", re.DOTALL)
COLOUR_WORDS = {"5": 1, "2": 3}  # how many numbers follow "38;5" and "38;2"


class CellStyle(NamedTuple):
    """Colours and attributes of a cell, as codes."""

    attributes: tuple[str, ...] = ()
    foreground: str = "39"
    background: str = "49"
    link: str = ""  # the sequence that opens it


PLAIN = CellStyle()
UNKNOWN = CellStyle(foreground="unknown")  # of a terminal that others have written to


def style_of(style: Style | None, colours: ColorSystem) -> CellStyle:
    """A style of Rich as codes; ValueError when Rich says it in an unknown way."""
    if style is None:
        return PLAIN
    rendered = RENDERED.match(style.render("x", color_system=colours))
    if rendered is None:
        raise ValueError(f"no look for {style}")
    link, codes = rendered.groups(default="")
    return _parse(codes)._replace(link=link)


def _parse(codes: str) -> CellStyle:
    attributes, foreground, background = [], PLAIN.foreground, PLAIN.background
    words = iter(codes.split(";") if codes else ())
    for word in words:
        if word in OFF:
            attributes.append(word)
        elif word.startswith(("3", "9")):
            foreground = _colour(word, words)
        elif word.startswith(("4", "10")):
            background = _colour(word, words)
        else:
            raise ValueError(f"unknown SGR code {word}")
    return CellStyle(tuple(attributes), foreground, background)


def _colour(word: str, words: Iterator[str]) -> str:
    if word not in ("38", "48"):
        return word
    kind = next(words)
    return ";".join([word, kind, *(next(words) for _ in range(COLOUR_WORDS[kind]))])


@lru_cache(4096)
def change(before: CellStyle, after: CellStyle) -> str:
    """The shortest sequence that turns one style into the other."""
    link = "" if before.link == after.link else after.link or LINK_END
    if before == UNKNOWN:
        return link + _anew(after)
    if before[:3] == after[:3]:
        return link
    return link + min(_step(before, after), _anew(after), key=len)


def _step(before: CellStyle, after: CellStyle) -> str:
    """Only what differs."""
    off = {OFF[code] for code in before.attributes if code not in after.attributes}
    codes = sorted(off)
    # An attribute that shares its "off" with one that goes has to be switched on again.
    codes += [c for c in after.attributes if c not in before.attributes or OFF[c] in off]
    codes += [new for old, new in zip(before[1:3], after[1:3], strict=True) if old != new]
    return f"\x1b[{';'.join(codes)}m" if codes else ""


def _anew(style: CellStyle) -> str:
    """Everything, after a reset."""
    codes = [*style.attributes]
    codes += [code for code in style[1:3] if code not in PLAIN]
    return f"\x1b[0;{';'.join(codes)}m" if codes else RESET
