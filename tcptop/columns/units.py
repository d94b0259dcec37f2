"""Numbers as a person reads them."""

from __future__ import annotations

import math

import numpy as np

from tcptop.analysis.findings import words
from tcptop.model.table import F64, I64

UNKNOWN = "–"
BLOCKS, ASCII_BLOCKS = " ▁▂▃▄▅▆▇█", " .:-=+*#@"


def count(number: float) -> str:
    """An exact integer, as 28,232; unknown below zero or NaN."""
    if number != number or number < 0:
        return UNKNOWN
    return f"{int(number):,}"


def short_count(number: float) -> str:
    """An integer in at most six characters: 28,232, 120k, 1.2M (powers of 1000)."""
    if number != number or number < 0:
        return UNKNOWN
    if number < 99_999.5:
        return count(round(number))
    return _scaled(number, ("k", "M", "G", "T", "P", "E"))


def size(number: float) -> str:
    """Bytes in a cell of a list or at a chart, at most six characters: 0, 999, 1.2KiB, 34MiB."""
    return "".join(words.scaled(number)) if number >= 0 else UNKNOWN


def long_size(number: float) -> str:
    """As sentences say it, and all else: 999 bytes, 1.2 KiB, 34 MiB."""
    return words.size(number) if number >= 0 else UNKNOWN


def _scaled(number: float, units: tuple[str, ...]) -> str:
    """At most three digits of it in the unit that fits."""
    for unit in units[:-1]:
        number /= 1000
        if number < 9.95:
            return f"{number:.1f}{unit}"
        if number < 999.5:
            return f"{number:.0f}{unit}"
    return f"{number / 1000:.0f}{units[-1]}"


def rate(number: float) -> str:
    """A small frequency: 0, 0.3, 12."""
    if number != number:
        return UNKNOWN
    if 0 < number < 9.95:
        return f"{number:.1f}"
    return short_count(number)


def byte_rate(number: float) -> str:
    return UNKNOWN if number != number else size(number)


def long_duration(seconds: float) -> str:
    """As sentences say it, and all that is no cell of a list: 0.4 s, 42 s, 14 min, 2 h 11 min."""
    return words.duration(seconds) if math.isfinite(seconds) else UNKNOWN


def duration(seconds: float) -> str:
    """In a cell of a list, at most six characters: 0.4s, 42s, 9m05s, 3h07m, 12d."""
    if seconds != seconds or math.isinf(seconds):
        return UNKNOWN
    if seconds < 10:
        return f"{seconds:.1f}s"
    if seconds < 60:
        return f"{seconds:.0f}s"
    if seconds < 3600:
        return f"{int(seconds) // 60}m{int(seconds) % 60:02d}s"
    if seconds < 86_400:
        return f"{int(seconds) // 3600}h{int(seconds) % 3600 // 60:02d}m"
    return f"{int(seconds) // 86_400}d"


def age(seconds: float) -> str:
    """42s, 14m, 3h07m, 12d: after a minute it does not change with every sample."""
    if seconds != seconds or seconds >= 3600:
        return duration(seconds)
    return f"{seconds // 60:.0f}m" if seconds >= 60 else f"{seconds // 1:.0f}s"


def long_age(seconds: float) -> str:
    """As `age`, in a sentence: 42 s, 14 min, 3 h 7 min."""
    return long_duration(seconds // 60 * 60 if seconds >= 60 else seconds // 1)


def coarse_age(seconds: float) -> str:
    """<10s, 40s, 14m, 3h07m, 12d: one that rarely changes."""
    return "<10s" if seconds < 10 else age(seconds // 10 * 10)


def milliseconds(microseconds: float) -> str:
    """A round trip in ms: 0.05, 1.2, 340."""
    if microseconds != microseconds:
        return UNKNOWN
    value = microseconds / 1000
    if value < 1:
        return f"{value:.2f}"
    return f"{value:.1f}" if value < 100 else f"{value:.0f}"


def percent(fraction: float) -> str:
    return UNKNOWN if fraction != fraction else f"{fraction * 100:.0f}%"


def spark(values: F64 | I64, width: int, ascii_only: bool = False) -> str:
    """The last `width` values as bars up to the largest of them; blank where 0 or unknown.

    The lowest bar stands for the least value, but for no more than 80% of the largest: a small
    change must not look like a large one. Where all are equal the bar is flat: of half the height,
    or the lowest of zeros.
    """
    last = values[-width:].astype(np.float64)
    known = last[~np.isnan(last)]
    if not len(known):
        return ""
    blocks = ASCII_BLOCKS if ascii_only else BLOCKS
    top = known.max()
    if known.min() == top:
        flat = blocks[4 if top > 0 else 1]
        return "".join(" " if value != value else flat for value in last.tolist())
    least = min(known.min(), top * 0.8)
    levels = 1 + np.rint((np.nan_to_num(last) - least) / (top - least) * 7).clip(0)
    bars = zip(last.tolist(), levels.astype(int).tolist(), strict=True)
    return "".join(blocks[level] if value > 0 else " " for value, level in bars)
