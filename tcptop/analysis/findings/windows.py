"""Counters of a namespace through the last seconds, interval by interval."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.summary import SampleSummary
from tcptop.model.table import F64

LEAST = 2  # intervals: within one, a burst looks like a steady rate


def window(seen: Observations, seconds: float, least: int = LEAST) -> Sequence[SampleSummary]:
    """Summaries of at least that many seconds and intervals; empty where the watch is shorter."""
    then = seen.back(seconds)
    if then is None or len(seen.summaries) <= least:
        return ()
    first = min(seen.summaries.index(then), len(seen.summaries) - 1 - least)
    return seen.summaries[first:]


def lengths(summaries: Sequence[SampleSummary]) -> F64:
    """Seconds of each interval."""
    return np.diff(np.array([m.clock for m in summaries], np.float64))


def rates(summaries: Sequence[SampleSummary], netns: int, name: str) -> F64 | None:
    """Growth of a counter a second in each interval; None where it is not known throughout."""
    if len(summaries) < 2:
        return None
    oldest, newest = summaries[0].counters.get(netns), summaries[-1].counters.get(netns)
    if oldest is None or newest is None:
        return None
    first, last = oldest.get(name), newest.get(name)
    if first is None or last is None:
        return None
    if first == last:  # most counters of trouble never rise
        return np.zeros(len(summaries) - 1)
    values = [m.counters.get(netns, {}).get(name) for m in summaries]
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        return None
    grown = np.diff(np.array(known, np.float64))
    return None if (grown < 0).any() else grown / lengths(summaries)


def rates_or_zero(summaries: Sequence[SampleSummary], netns: int, name: str) -> F64:
    """The same of what is only taken off: a counter that the kernel lacks takes nothing off."""
    found = rates(summaries, netns, name)
    return np.zeros(max(len(summaries) - 1, 0)) if found is None else found


def mean(values: F64, summaries: Sequence[SampleSummary]) -> float:
    """Of a rate through all intervals, whatever their lengths."""
    return mean_of(values, summaries, slice(None))


def halves(summaries: Sequence[SampleSummary]) -> tuple[slice, slice]:
    """The intervals of the older and of the newer half; of three, two are newer."""
    middle = (len(summaries) - 1) // 2
    return slice(0, middle), slice(middle, None)


def mean_of(values: F64, summaries: Sequence[SampleSummary], part: slice) -> float:
    """Of a rate through some of the intervals."""
    some = values[part]
    return float(np.average(some, weights=lengths(summaries)[part])) if some.any() else 0.0
