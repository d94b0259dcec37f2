"""Between which samples there is a gap, a boot, or a clock that was set."""

from __future__ import annotations

import numpy as np
import pytest

from tcptop.model.archive import SampleIndex
from tcptop.model.breaks import BreakKind, breaks

NONE, SET, GAP, BOOT = BreakKind


def index(passed: list[float], wall: list[float] | None = None, boot: int = 0) -> SampleIndex:
    """Of samples so far apart, by the clock and by that of day; a boot before the one at `boot`."""
    clock = np.cumsum([100.0, *passed])
    taken_at = np.cumsum([1e9, *(wall or passed)])
    many = len(clock)
    boots = (np.arange(many) >= boot).astype(np.int64) if boot else np.zeros(many, np.int64)
    return SampleIndex(np.arange(many), taken_at, clock, np.zeros((many, 12), np.int64), boots)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (index([1.0] * 9), {}),
        (index([0.1, 0.1, 1.2, 0.1, 0.1]), {}),  # a slow look
        (index([1.0] * 6 + [60.0] * 6), {}),  # another interval
        (index([60.0] * 6 + [1.0] * 6), {}),
        (index([1.0] * 4 + [60.0] + [1.0] * 4), {5: (GAP, 60.0)}),
        (index([1.0] * 4 + [60.0, 90.0] + [1.0] * 4), {5: (GAP, 60.0), 6: (GAP, 90.0)}),
        (index([1.0, 1.0, 1.0], [1.0, -1200.0, 1.0]), {2: (SET, -1201.0)}),
        (index([1.0, 1.0, 1.0], [1.0, 3601.0, 1.0]), {2: (SET, 3600.0)}),
        (index([3600.0] * 3, [3601.5] * 3), {}),  # a clock that runs on time, but for a thousandth
        (index([1.0, -90.0, 1.0], [1.0, 40.0, 1.0], boot=2), {2: (BOOT, 40.0)}),
        (index([1.0, 40.0, 1.0], boot=2), {2: (BOOT, 40.0)}),
        (index([]), {}),
    ],
)
def test_breaks(found: SampleIndex, expected: dict[int, tuple[BreakKind, float]]) -> None:
    kinds, by_s = breaks(found)
    assert len(kinds) == len(by_s) == len(found)
    pairs = enumerate(zip(kinds, by_s.tolist(), strict=True))
    told = {n: (kind, round(by, 3)) for n, (kind, by) in pairs if kind}
    assert told == expected
