"""Counters of a namespace through the last seconds, interval by interval."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tcptop.analysis.findings.look import Look
from tcptop.analysis.findings.moments import Moment
from tcptop.model.table import F64

LEAST = 2  # intervals: within one, a burst looks like a steady rate


def window(look: Look, seconds: float, least: int = LEAST) -> Sequence[Moment]:
    """The moments of at least that many seconds and intervals; empty where the watch is shorter."""
    then = look.back(seconds)
    if then is None or len(look.moments) <= least:
        return ()
    first = min(look.moments.index(then), len(look.moments) - 1 - least)
    return look.moments[first:]


def lengths(moments: Sequence[Moment]) -> F64:
    """Seconds of each interval."""
    return np.diff(np.array([m.clock for m in moments], np.float64))


def rates(moments: Sequence[Moment], netns: int, name: str) -> F64 | None:
    """Growth of a counter a second in each interval; None where it is not known throughout."""
    values = [m.counters.get(netns, {}).get(name) for m in moments]
    known = [value for value in values if value is not None]
    if len(known) < len(values) or len(known) < 2:
        return None
    grown = np.diff(np.array(known, np.float64))
    return None if (grown < 0).any() else grown / lengths(moments)


def rates_or_zero(moments: Sequence[Moment], netns: int, name: str) -> F64:
    """The same of what is only taken off: a counter that the kernel lacks takes nothing off."""
    found = rates(moments, netns, name)
    return np.zeros(max(len(moments) - 1, 0)) if found is None else found


def mean(values: F64, moments: Sequence[Moment]) -> float:
    """Of a rate through all intervals, whatever their lengths."""
    return mean_of(values, moments, slice(None))


def halves(moments: Sequence[Moment]) -> tuple[slice, slice]:
    """The intervals of the older and of the newer half; of three, two are newer."""
    middle = (len(moments) - 1) // 2
    return slice(0, middle), slice(middle, None)


def mean_of(values: F64, moments: Sequence[Moment], part: slice) -> float:
    """Of a rate through some of the intervals."""
    return float(np.average(values[part], weights=lengths(moments)[part]))
