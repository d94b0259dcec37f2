"""Moments as one types them -> Unix time, within a span; and as one is told of a span."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_CLOCK = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])(?::([0-5][0-9]))?(Z| ?UTC)?")
_DISTANCE = re.compile(r"([+-])([0-9]+(?:\.[0-9]+)?)(s|m|h|d)?")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
FORMS = "13:02, 13:02:30, 2026-11-28T13:02:30Z, -5m before the end, +30s after the beginning"


def moment(text: str, span: tuple[float, float]) -> float | None:
    """None for what is no time. A time of day is the last one until the end, in the time zone of
    whoever asks, or as reports have it: 13:02Z, 13:02 UTC."""
    if found := _DISTANCE.fullmatch(text):
        distance = float(found[2]) * _UNITS[found[3] or "s"]
        return span[0] + distance if found[1] == "+" else span[1] - distance
    if found := _CLOCK.fullmatch(text):
        return _of_day(found, span[1])
    try:
        return datetime.fromisoformat(text).timestamp()  # without a zone: as that of a time of day
    except (ValueError, OverflowError, OSError):
        return None


def _of_day(found: re.Match[str], end: float) -> float:
    last = datetime.fromtimestamp(end, UTC if found[4] else None)
    hour, minute, second = int(found[1]), int(found[2]), int(found[3] or 0)
    wanted = last.replace(hour=hour, minute=minute, second=second, microsecond=0)
    if wanted > last:
        wanted -= timedelta(days=1)
    return wanted.timestamp()


def told(span: tuple[float, float]) -> str:
    """2026-11-28 13:02:10 to 13:12:10 CET, as whoever asks would type it."""
    begin, end = (datetime.fromtimestamp(at).astimezone() for at in span)
    day = "" if begin.date() == end.date() else f"{end:%Y-%m-%d} "
    return f"{begin:%Y-%m-%d %H:%M:%S} to {day}{end:%H:%M:%S %Z}"
