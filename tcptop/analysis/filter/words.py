"""Values of a filter: lists, quotes and escapes, numbers with units."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping

from tcptop.analysis.filter.error import FilterError
from tcptop.analysis.filter.nodes import Span, Word

_PIECE = re.compile(
    r""" "(?P<quoted>(?:\\.|[^"\\])*)" | '(?P<single>(?:\\.|[^'\\])*)' | \\(?P<escaped>.)
    | (?P<comma>\s*,\s*) | [^\s"\\,]+ | . """,
    re.S | re.X,
)
_ESCAPE = re.compile(r"\\(.)", re.S)
_INTEGER = re.compile(r"0[xX][0-9a-fA-F]{1,16}|0[0-7]{0,21}|[1-9][0-9]{0,19}")
_QUANTITY = re.compile(r"([0-9]{1,18}(?:\.[0-9]{1,18})?|\.[0-9]{1,18})([a-zA-Zµ%]*)")
_QUANTITIES = re.compile(f"(?:{_QUANTITY.pattern})+")


def wrong(word: Word, message: str, *expected: str) -> FilterError:
    """The error to raise for a value that is none, with the caret under it."""
    return FilterError(word.source, word.column, expected, message)


def elements(value: Word) -> Iterator[Word]:
    """The words of a list, unquoted; a backslash takes the next character as it is, as in ss."""
    text, start = "", 0
    for piece in _PIECE.finditer(value.text):
        if piece["comma"]:
            yield Word(text, value.column + start, value.source)
            text, start = "", piece.end()
        else:
            text += _unquoted(piece)
    yield Word(text, value.column + start, value.source)


def _unquoted(piece: re.Match[str]) -> str:
    quoted = piece["single"] if piece["quoted"] is None else piece["quoted"]
    if quoted is not None:
        return _ESCAPE.sub(r"\1", quoted)
    return piece["escaped"] or piece[0]


def whole(value: Word) -> Word:
    """A value in which a comma has no meaning, unquoted."""
    return Word(",".join(word.text for word in elements(value)), value.column, value.source)


def integer(text: str) -> int | None:
    """A whole number as strtol(3) reads it with base 0: decimal, 0x hexadecimal, 0 octal."""
    if not _INTEGER.fullmatch(text):
        return None
    octal = len(text) > 1 and text[0] == "0" and text[1] not in "xX"
    return int(text, 8) if octal else int(text, 0)


def span(text: str) -> Span | None:
    """`80` or `8000-8100`; None if it is neither, or runs backwards."""
    low, dash, high = text.partition("-")
    first, last = integer(low), integer(high if dash else low)
    if first is None or last is None or first > last:
        return None
    return Span(first, last)


def quantity(text: str, units: Mapping[str, float]) -> float | None:
    """A number in the base unit; the unit "" is that of a bare number. None if it is none.

    Of times there may be several, from the largest unit down: 1h30m, 9m05s.
    """
    total, least = 0.0, math.inf
    for number, unit in _QUANTITY.findall(text) if _QUANTITIES.fullmatch(text) else ():
        factor = units.get(unit, units.get(unit.lower()))
        if factor is None or factor >= least or (least < math.inf and "h" not in units):
            return None
        total, least = total + float(number) * factor, factor
    return total if least < math.inf else None
