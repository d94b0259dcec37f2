"""Which words could stand at a place of a filter: for error messages and for completion."""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import TYPE_CHECKING

from tcptop.analysis.filter import states
from tcptop.analysis.filter.alone import value_at
from tcptop.analysis.filter.error import FilterError
from tcptop.analysis.filter.fields import FIELDS, Field
from tcptop.analysis.filter.grammar import parser

if TYPE_CHECKING:
    from lark.exceptions import UnexpectedInput
    from lark.parsers.lalr_interactive_parser import InteractiveParser

_WORD = re.compile(r"[\w-]+|\S")
_WORDS: dict[str, tuple[str, ...]] = {
    "EQUALITY": ("=", "!="),
    "ORDER": (">", "<", ">=", "<="),
    "AND": ("and",),
    "OR": ("or",),
    "RPAR": (")",),
    "STATE": ("state",),
    "EXCLUDE": ("exclude",),
    "MATCHED": tuple(name for name, field in FIELDS.items() if not field.ordered),
    "MEASURED": tuple(name for name, field in FIELDS.items() if field.ordered),
    "AUTOBOUND": ("autobound",),
    "PORT": (":443",),
    "NOT": ("not",),
    "LPAR": ("(",),
}
_STATE = Field("state", FIELDS["timer"].build, states.WORDS, states.WORDS)


def syntax_error(text: str, error: UnexpectedInput) -> FilterError:
    """A FilterError at the first character that the grammar does not allow."""
    from lark.exceptions import UnexpectedToken

    at_end = isinstance(error, UnexpectedToken) and error.token.type == "$END"
    column = len(text) if at_end else error.pos_in_stream or 0
    place = _place(text[:column])
    words = _described(place)
    if at_end:
        return FilterError(text, column, words, "unexpected end")
    quote = text[column]
    if quote in "\"'" and quote not in text[column + 1 :]:
        return FilterError(text, column, (quote,), "unterminated quote")
    allowed = _allowed(place)
    if "PORT" in allowed:
        value, offers = value_at(text, column, joined="AND" in allowed)
        if offers:
            return FilterError(text, column, offers, _unexpected(value, ()))
    found = _WORD.match(text, column)
    return FilterError(text, column, words, _unexpected(found[0] if found else "", words))


def completions(text: str, at: int) -> list[str]:
    """The words that could stand at a position, continuing what is typed of one before it."""
    start = at
    while start > 0 and (text[start - 1].isalnum() or text[start - 1] in "-_"):
        start -= 1
    place = _place(text[:start])
    typed = text[start:at].lower()
    words = [word for terminal in _allowed(place) for word in _WORDS.get(terminal, _values(place))]
    return [word for word in words if word.startswith(typed) and word != typed]


def _place(text: str) -> InteractiveParser | None:
    """The parser after that text, None where it is wrong already."""
    from lark.exceptions import UnexpectedInput

    place = parser().parse_interactive(text)
    try:
        place.exhaust_lexer()
    except UnexpectedInput:
        return None
    return place


def _allowed(place: InteractiveParser | None) -> list[str]:
    """The terminals that may come next, in the order in which they are told."""
    allowed = place.accepts() if place else set()  # type: ignore[no-untyped-call]
    return [terminal for terminal in ("VALUE", *_WORDS) if terminal in allowed]


def _described(place: InteractiveParser | None) -> tuple[str, ...]:
    words: list[str] = []
    for terminal in _allowed(place):
        words += _WORDS.get(terminal) or _values(place) or _field(place).expected
    return tuple(words)


def _values(place: InteractiveParser | None) -> tuple[str, ...]:
    return _field(place).words


def _field(place: InteractiveParser | None) -> Field:
    """The field whose value comes next; `state` and `exclude` take states."""
    stack = place.parser_state.value_stack if place else []
    for token in reversed(stack):
        if isinstance(token, str) and token.lower() in FIELDS:
            return FIELDS[token.lower()]
    return _STATE


def _unexpected(word: str, words: tuple[str, ...]) -> str:
    joins = word.lower() in ("and", "or", "not")
    near = [] if joins else get_close_matches(word.lower(), words, n=1)
    return f'unexpected "{word}"' + (f' (did you mean "{near[0]}"?)' if near else "")
