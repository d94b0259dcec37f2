"""How well a text fits what was typed, for a list to choose from."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

T = TypeVar("T")
Rank = tuple[int, int]  # the less the better: the kind of the fit, and where or how wide it is


def fit(text: str, typed: str) -> Rank | None:
    """None where it does not fit: the letters have to occur in their order."""
    text, typed = text.lower(), typed.lower()
    at = text.find(typed)
    if at == 0:
        return 0, 0
    if at > 0:
        return (1, at) if not text[at - 1].isalnum() else (2, at)
    spread = _spread(text, typed)
    return None if spread is None else (3, spread)


def _spread(text: str, typed: str) -> int | None:
    """The cells from the first letter to the last one, of the first way to find them all."""
    first = at = -1
    for letter in typed:
        at = text.find(letter, at + 1)
        if at < 0:
            return None
        first = at if first < 0 else first
    return at - first


def fitting(things: Iterable[T], typed: str, texts: Callable[[T], Iterable[str]]) -> list[T]:
    """The things that fit, best first; of a thing's texts an earlier one weighs more, and of two
    equal fits the one of the shorter first text."""
    words = typed.split()
    if not words:
        return list(things)
    found = [(_best(words, [*texts(thing)]), thing) for thing in things]
    ranked = [(rank, thing) for rank, thing in found if rank is not None]
    return [thing for _, thing in sorted(ranked, key=lambda each: each[0])]


def _best(words: list[str], texts: list[str]) -> tuple[int, Rank, int] | None:
    """In one text all words, in any order; letters that lie apart count in the first text only."""
    for nth, text in enumerate(texts):
        ranks = [fit(text, word) for word in words]
        known = [rank for rank in ranks if rank is not None and (nth == 0 or rank[0] < 3)]
        if len(known) == len(words):
            far = any(kind == 3 for kind, _ in known)
            return (len(texts) if far else nth), max(known), len(texts[0])
    return None
