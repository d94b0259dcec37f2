"""Text in the cells of a terminal: what may be shown there, how wide it is, where it is cut.

The only place that measures text. What `safe` passes has one width, the same for wcwidth(3), for
tmux and for Rich, which lays out the screen (a test asks all of them about every code point).
"""

from __future__ import annotations

import textwrap
import unicodedata
from functools import lru_cache

CUT = "…"

# Letters and symbols whose width depends on whom one asks, or on their neighbours.
_DISPUTED = (
    (0x0D4E, 0x0D4E),  # prepended to the next letter (Grapheme_Cluster_Break=Prepend) ...
    (0x0E33, 0x0E33), (0x0EB3, 0x0EB3),  # ... or part of the one before (SpacingMark)
    (0x1100, 0x11FF), (0xA960, 0xA97C), (0xD7B0, 0xD7FB),  # Jamo that make up one syllable
    (0x2630, 0x2637), (0x268A, 0x268F), (0x4DC0, 0x4DFF),  # wide since Unicode 16
    (0x1D300, 0x1D356), (0x1D360, 0x1D376),  # the same
    (0x3164, 0x3164), (0xFFA0, 0xFFA0),  # fillers, which nobody sees
    (0x3248, 0x324F),  # circled numbers, wide for the C library alone
    (0xFF9E, 0xFF9F),  # marks of half-width katakana
    (0x111C2, 0x111C3), (0x1193F, 0x1193F), (0x11941, 0x11941), (0x11A3A, 0x11A3A),
    (0x11A84, 0x11A89), (0x11D46, 0x11D46), (0x11F02, 0x11F02),  # Prepend
    (0x1F1E6, 0x1F1FF),  # regional indicators: two of them are a flag
    (0x1F3FB, 0x1F3FF),  # skin tones, which change the emoji before
)  # fmt: skip
_FILLER = "\0"


@lru_cache(maxsize=8192)
def safe(text: str) -> str:
    r"""Text of another process, fit for a terminal: what has no agreed width is escaped.

    That is whatever does not print (an escape in a process name must not reach root's terminal),
    joins its neighbours or reorders them: \x1b, \u0301, \ufe0f, \u202e.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(letter if _plain(letter) else _escaped(letter) for letter in text)


def _escaped(letter: str) -> str:
    return letter.encode("unicode_escape").decode()


def _plain(letter: str) -> bool:
    if not letter.isprintable() or unicodedata.category(letter).startswith("M"):
        return False
    return not any(first <= ord(letter) <= last for first, last in _DISPUTED)


def cell_width(text: str) -> int:
    """The cells of a text that is `safe`."""
    return len(text) if text.isascii() else _width(text)


@lru_cache(maxsize=8192)
def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)


def cell_slice(text: str, left: int, room: int) -> str:
    """The cells from `left` on, at most `room` of them; half a character is a blank."""
    if cell_width(text) == len(text):
        return text[left : left + room]
    wide = "".join(_filled(letter) for letter in text)[left : left + room]
    if wide.startswith(_FILLER):
        wide = " " + wide[1:]
    if wide and cell_width(wide[-1]) == 2:
        wide = wide[:-1] + " "
    return wide.replace(_FILLER, "")


def _filled(letter: str) -> str:
    return letter + _FILLER * (cell_width(letter) - 1)


def ljust(text: str, room: int) -> str:
    """At the left of so many cells, or more."""
    return text + " " * (room - cell_width(text))


def rjust(text: str, room: int) -> str:
    """At the right of so many cells, or more."""
    return " " * (room - cell_width(text)) + text


def cut(text: str, room: int) -> str:
    """The text in at most `room` cells, with a mark where it goes on."""
    if cell_width(text) <= room:
        return text
    return cell_slice(text, 0, room - 1) + CUT if room > 0 else ""


def cut_middle(text: str, room: int) -> str:
    """The beginning and, which is more telling of an address, the end; a port is whole."""
    whole = cell_width(text)
    port = text[text.rfind(":") :] if ":" in text else ""
    if whole <= room or room < max(4, cell_width(port) + 1):
        return cut(text, room)
    end = max((room - 1) * 2 // 3, cell_width(port))
    return cell_slice(text, 0, room - 1 - end) + CUT + cell_slice(text, whole - end, end)


def wrap(text: str, room: int, most: int | None = None, indent: str = "") -> list[str]:
    """The text in lines of at most `room` cells, `most` of them, all but the first one indented;
    where more was to come the last one ends with …"""
    # A wide letter at the end of a line may be cut from the cell that stands for its other half.
    spare = 0 if cell_width(text) == len(text) else 1
    lines = textwrap.wrap(
        "".join(map(_filled, text)) if spare else text, room - spare,
        max_lines=most, placeholder=f" {CUT}", subsequent_indent=indent,
    )  # fmt: skip
    return [line.replace(_FILLER, "") for line in lines]
