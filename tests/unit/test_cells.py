"""Text in cells: what is passed has one width for all who draw it, and nothing is passed that
would shift, hide or reorder a line."""

from __future__ import annotations

import ctypes
import locale
import sys
import unicodedata
from functools import cache

import pytest
from rich.cells import cell_len
from rich.segment import Segment
from textual.strip import Strip

from tcptop.model.cells import (
    cell_slice,
    cell_width,
    cut,
    cut_middle,
    ljust,
    rjust,
    safe,
    wrap,
)

WIDE = "日本語ワ한😀e"


@pytest.mark.parametrize(
    ("text", "shown_as"),
    [
        ("nginx", "nginx"),
        ("\x1b[31m", "\\x1b[31m"),
        ("a\nb", "a\\nb"),
        ("日本café", "日本café"),
        ("e\u0301", "e\\u0301"),
        ("evil\ufe0f", "evil\\ufe0f"),
        ("\u0e01\u0e31\u0e19", "\u0e01\\u0e31\u0e19"),
        ("👨\u200d👩", "👨\\u200d👩"),
        ("\u202egnp", "\\u202egnp"),
        ("\u200b", "\\u200b"),
        ("\udc80", "\\udc80"),
        ("\u1112\u1161", "\\u1112\\u1161"),  # Jamo: two letters, drawn as one
        ("🇩🇪", "\\U0001f1e9\\U0001f1ea"),
        ("\U0010ffff", "\\U0010ffff"),
        ("naïve", "naïve"),
    ],
)
def test_what_has_no_agreed_width_is_escaped(text: str, shown_as: str) -> None:
    assert safe(text) == shown_as
    assert safe(safe(text)) == safe(text)


@cache
def every() -> list[str]:
    """All that is a character, and some of each range of what is none yet or is nobody's."""
    letters = map(chr, range(sys.maxunicode + 1))
    none = {"Cn", "Co", "Cs"}
    return [c for c in letters if unicodedata.category(c) not in none or ord(c) % 37 == 0]


@cache
def _passed() -> list[str]:
    """Those that are shown as they are; the others are written in ASCII."""
    shown = [(letter, safe(letter)) for letter in every()]
    escapes = (text for letter, text in shown if text != letter)
    assert all(text.isascii() and text.isprintable() for text in escapes)
    return [letter for letter, text in shown if text == letter]


def test_what_people_write_is_passed() -> None:
    scripts = "aéßñ Ωλ Жя אב عرب 日本語 한국 กขค कख ▁█ ⣿ ✓ 😀 ①"
    assert len(_passed()) > 130_000
    assert set(scripts) <= set(_passed())


def test_what_is_passed_is_as_wide_for_rich_whatever_stands_before_it() -> None:
    for letter in _passed():
        assert cell_len(letter) == cell_width(letter) == cell_len(f"a{letter}b") - 2
        assert cell_width(letter) in (1, 2)


def test_what_is_passed_is_as_wide_for_the_c_library() -> None:
    before = locale.setlocale(locale.LC_CTYPE)
    locale.setlocale(locale.LC_CTYPE, "C.UTF-8")
    try:
        wcwidth = ctypes.CDLL(None).wcwidth
        # -1: newer than the C library, which has no opinion.
        other = [c for c in _passed() if wcwidth(ord(c)) not in (cell_width(c), -1)]
    finally:
        locale.setlocale(locale.LC_CTYPE, before)
    assert other == []


def test_any_name_makes_a_strip_of_the_width_that_it_is_said_to_have() -> None:
    for first in range(0, len(every()), 15):
        name = safe("".join(every()[first : first + 15]))
        assert Strip([Segment(ljust(name, 200))]).cell_length == 200


@pytest.mark.parametrize("room", range(16))
@pytest.mark.parametrize("text", [WIDE, "plain", f"a{WIDE}", ""])
def test_a_text_is_placed_and_cut_by_its_cells(text: str, room: int) -> None:
    whole = cell_len(text)
    assert cell_len(cut(text, room)) <= room
    assert (cut(text, room) == text) == (whole <= room)
    assert cell_len(ljust(text, room)) == cell_len(rjust(text, room)) == max(whole, room)
    for left in range(16):
        assert cell_len(cell_slice(text, left, room)) == max(0, min(room, whole - left))


def test_half_of_a_character_is_a_blank() -> None:
    assert cell_slice("日本", 1, 2) == "  "
    assert cell_slice("日本", 1, 3) == " 本"
    assert cut("日本語", 4) == "日 …"


@pytest.mark.parametrize("room", range(4, 30))
def test_lines_are_wrapped_by_their_cells(room: int) -> None:
    text = f"{WIDE * 3} of {WIDE} and plain words {WIDE}"
    lines = wrap(text, room)
    assert max(map(cell_len, lines)) <= room
    assert "".join("".join(lines).split()) == "".join(text.split())


def test_a_line_that_goes_on_says_so() -> None:
    assert wrap("one two three four", 8, 2) == ["one two", "three …"]
    assert wrap("one two three", 7, indent="  ") == ["one two", "  three"]


@pytest.mark.parametrize("address", ["127.0.0.1:33138", "[2001:db8::1234:5678]:443", "10.0.0.9:*"])
@pytest.mark.parametrize("room", range(7, 30))
def test_a_port_is_whole_with_its_colon(address: str, room: int) -> None:
    port = address[address.rindex(":") :]
    assert cut_middle(address, room).endswith(port)
    assert cell_width(cut_middle(address, room)) <= room
