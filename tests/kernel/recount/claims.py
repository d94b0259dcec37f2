"""The numbers in a sentence, with what each is a number of."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

_NUMBER = r"\d[\d,]*(?:\.\d+)?"
# Tried from the left, the first that fits: what is no claim is taken out by the first ones.
_TOKEN = re.compile(
    rf"""
      (?P<sysctl> [a-z][a-z_0-9.]*\s=\s\d+ )
    | (?P<pid> \bpid\s\d+ )
    | (?P<endpoint> \d+\.\d+\.\d+\.\d+(?:[:/]\d+)? | \[?[0-9a-f]*::[0-9a-f:.]*\]?(?:[:/]\d+)?
        | (?:(?<=[\s(])|(?<=^)|\*):\d+ | \bport\s\d+ )
    | (?P<word> [A-Za-z_][\w.-]*\d[\w.-]* )
    | (?P<seconds> {_NUMBER}\s(?:d|h|min|s|ms)\b(?:\s\d+\s(?:h|min|s)\b)* )
    | (?P<bytes> {_NUMBER}\s(?:bytes?|KiB|MiB|GiB)\b )
    | (?P<percent> {_NUMBER}\s?% )
    | (?P<rate> (?:{_NUMBER}\sof\s)?{_NUMBER}(?:\s[A-Za-z-]+){{0,3}}/s )
    | (?P<count> {_NUMBER} )
    """,
    re.VERBOSE,
)
_SCALES = {"ms": 0.001, "s": 1, "min": 60, "h": 3600, "d": 86_400}
_SCALES |= {"byte": 1, "bytes": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
NO_CLAIM = ("word",)


class Claim(NamedTuple):
    """`low` to `high` is what the printed number may stand for; `text` is as it was printed."""

    kind: str  # a group of _TOKEN
    low: float
    high: float
    text: str


def claims(sentence: str) -> Iterator[Claim]:
    for found in _TOKEN.finditer(sentence):
        kind, text = found.lastgroup or "", found.group()
        if kind not in NO_CLAIM:
            for part in text.split(" of ") if kind == "rate" else [text]:
                yield Claim(kind, *_span(kind, part), text)


def _span(kind: str, text: str) -> tuple[float, float]:
    """Half a unit of the last digit to either side; of several parts that of the last one."""
    if kind == "endpoint":
        return 0.0, 0.0
    value = half = 0.0
    for number, unit in re.findall(rf"({_NUMBER})(?:\s([a-zA-Z]+))?", text.rpartition("= ")[2]):
        scale = _SCALES.get(unit, 1.0)
        decimals = len(number.partition(".")[2])
        value += float(number.replace(",", "")) * scale
        half = 0.5 * scale / 10**decimals
    exact = kind in ("count", "sysctl", "pid")
    return (value, value) if exact else (value - half, value + half)
