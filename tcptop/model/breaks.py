"""Where samples do not follow each other: a gap, a boot of the host, a clock that was set.

Clocks are compared with the one that nobody sets, which begins anew with each boot and stands still
while a host sleeps.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np

from tcptop.model.archive import SampleIndex
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.table import F64, I64

STEP_S, DRIFT = 1.0, 1e-3  # by which the clock of day may differ from the other one
GAP_S, GAP_INTERVALS = 3.0, 5.0  # without a sample that are a gap
BESIDE = 5  # intervals on either side, of which the middle one is the usual


class BreakKind(IntEnum):
    """The worst of several is the largest."""

    NONE = 0
    SET = 1
    GAP = 2
    BOOT = 3


class Breaks(NamedTuple):
    """Of each sample what is between it and the one before, and how many seconds that is: without a
    sample, or by which the clock was set on."""

    kind: I64
    by_s: F64


def breaks(index: SampleIndex) -> Breaks:
    kind, by_s = np.zeros(len(index), np.int64), np.zeros(len(index))
    if len(index) < 2:
        return Breaks(kind, by_s)
    wall, passed = np.diff(index.taken_at), np.diff(index.clock)
    booted = (np.diff(index.boot) != 0) | (passed < 0)
    passed = np.where(booted, wall, passed)
    jump = wall - passed
    for which, found, seconds in (
        (BreakKind.SET, np.abs(jump) > np.maximum(STEP_S, passed * DRIFT), jump),
        (BreakKind.GAP, passed > np.maximum(GAP_S, GAP_INTERVALS * _usual(passed)), passed),
        (BreakKind.BOOT, booted, wall),
    ):
        kind[1:][found], by_s[1:][found] = which, seconds[found]
    return Breaks(kind, by_s)


def _usual(passed: F64) -> F64:
    """The interval about there: where another one begins, the longer of the two."""
    edge = np.full(BESIDE, np.nan)
    near = np.lib.stride_tricks.sliding_window_view(np.concatenate([edge, passed, edge]), BESIDE)
    near = np.where(np.isnan(near), passed.min(), near)
    middle = np.median(near, axis=1)
    usual: F64 = np.maximum(middle[: len(passed)], middle[BESIDE + 1 :])
    return usual
