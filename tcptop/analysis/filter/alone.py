"""A value without its field, or a unit apart from its number: what may have been meant."""

from __future__ import annotations

import re

from tcptop.analysis.filter import hosts
from tcptop.analysis.filter.error import FilterError
from tcptop.analysis.filter.fields import FIELDS
from tcptop.analysis.filter.nodes import Address, Word
from tcptop.analysis.filter.words import integer, wrong

_VALUE = re.compile(r"[^\s()&|!\"=<>,]+")
_NUMBER = re.compile(r"[0-9.]+")
_UNITS = {
    **dict.fromkeys(("second", "seconds", "sec", "secs"), "s"),
    **dict.fromkeys(("minute", "minutes", "min", "mins"), "m"),
    **dict.fromkeys(("hour", "hours"), "h"),
    **dict.fromkeys(("day", "days"), "d"),
    **dict.fromkeys(("millisecond", "milliseconds", "msec", "msecs"), "ms"),
    **dict.fromkeys(("byte", "bytes"), "b"),
    **dict.fromkeys(("percent",), "%"),
}


def value_at(text: str, column: int, joined: bool) -> tuple[str, tuple[str, ...]]:
    """The address or number that stands at a place of a filter, and the predicates that say of what
    it may be one; nothing for another word, and for a number where what is before it is complete
    (`joined`)."""
    found = _VALUE.match(text, column)
    value = found[0] if found else ""
    if _is_end(value):
        return value, (f"dst {value}", f"src {value}")
    number = None if joined else integer(value)
    if number is None:
        return value, ()
    return value, (f":{value}", f"pid = {value}") if number <= 65535 else (f"pid = {value}",)


def _is_end(value: str) -> bool:
    """Whether it is an address, or has a port behind a host."""
    end = _end(value)
    dotted = any(sign in value for sign in ".:/")
    return end is not None and dotted and (isinstance(end.address, Address) or end.port is not None)


def _end(value: str) -> hosts.Endpoint | None:
    try:
        return hosts.endpoint(Word(value, 0, value))
    except FilterError:
        return None


def refuse_address(word: Word) -> None:
    """Raise FilterError for `::1`, which begins like a port."""
    end = _end(word.text)
    if end is not None and end.address is not None:
        sides = f"dst {word.text}", f"src {word.text}"
        raise wrong(word, f'"{word.text}" is an address', *sides)


def refuse_unit(field: str, number: Word, word: Word) -> None:
    """Raise FilterError for a word that is the unit of the number before it."""
    units = FIELDS[field].units or {}
    unit = _UNITS.get(word.text.lower(), word.text)
    if _NUMBER.fullmatch(number.text) and (unit in units or unit.lower() in units):
        told = f'"{word.text}" must follow its number without a space'
        raise wrong(word, told, f"{number.text}{unit}")


def refuse_operator(value: Word) -> None:
    """Raise FilterError for a sign that other languages compare texts with."""
    if value.text in ("~", "~=", "~~", "~*"):
        told = f'"{value.text}" is not an operator'
        raise wrong(value, told, "= or != with * and ?, as in = ngin*")
