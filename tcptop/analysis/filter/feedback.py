"""What to say while a filter is typed."""

from __future__ import annotations

from typing import NoReturn

from tcptop.analysis import filter as language
from tcptop.analysis.clause import Feedback
from tcptop.analysis.filter import Expression, FilterError
from tcptop.analysis.selection import facts
from tcptop.model.snapshot import Snapshot


class NeedsLookup(Exception):  # noqa: N818 nothing is wrong with it
    """A filter has names that must be looked up, which takes its time."""


class _NoLookup:
    def host(self, name: str) -> NoReturn:
        raise NeedsLookup

    def service(self, name: str) -> NoReturn:
        raise NeedsLookup


def bound(expression: Expression) -> Expression:
    """A filter without names, ready to be evaluated. Raises NeedsLookup."""
    return language.bind(expression, _NoLookup())


def feedback(text: str, snapshot: Snapshot | None) -> Feedback:
    """Where a filter that is being typed is wrong, or how many sockets it would leave."""
    try:
        expression = bound(language.parse(text))
    except FilterError as error:
        return refusal(error)
    except NeedsLookup:
        return Feedback("valid; names are looked up on Enter", "good")
    if snapshot is None:
        return Feedback("", "")
    total = len(snapshot.sample.sockets)
    count = int(language.select(expression, facts(snapshot)).sum())
    return Feedback(f"{count:,} of {total:,} sockets", "good" if count else "warn")


def refusal(error: FilterError) -> Feedback:
    """The error in a line; a filter that is not finished is not wrong yet."""
    if error.column >= len(error.text):
        return Feedback(f"next: {error.hint()}" if error.expected else error.message, "dim")
    return Feedback(error.said(), "bad", error.column)


def completed(text: str, at: int) -> tuple[str, list[str]]:
    """What Tab adds at a position, and the words to choose from where it is not one alone."""
    words = language.completions(text, at)
    start = at
    while start > 0 and (text[start - 1].isalnum() or text[start - 1] in "-_"):
        start -= 1
    more = _common(words)[at - start :]
    if len(words) == 1:
        return more + " ", []
    return more, words


def _common(words: list[str]) -> str:
    """What all words begin with."""
    first, last = min(words, default=""), max(words, default="")
    same = (a == b for a, b in zip(first, last, strict=False))
    return first[: next((n for n, equal in enumerate(same) if not equal), len(first))]
