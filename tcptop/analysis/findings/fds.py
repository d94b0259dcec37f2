"""How full the descriptor table of a process is, and when it will be full."""

from __future__ import annotations

import math

from tcptop.analysis.findings import words
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.rule import Limits, Threshold
from tcptop.analysis.findings.summary import at, process_key
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.sample import Process

GROWTH_S, LEAST_S = 30.0, 5.0  # a forecast needs a window: one burst is no trend


class Filling(NamedTuple):
    """`share` of the soft limit, NaN where not known; `full_in_s` is infinite unless growing."""

    share: float
    full_in_s: float
    evidence: tuple[str, ...]


def filling(seen: Observations, process: Process) -> Filling:
    share = process.fd_share
    if share is None or process.open_fds is None or process.fd_limit is None:
        return Filling(math.nan, math.inf, ())
    growth = growth_per_s(seen, process)
    full_in_s = (process.fd_limit - process.open_fds) / growth if growth > 0 else math.inf
    said = (
        f"{words.number(process.open_fds)} of {words.number(process.fd_limit)} file descriptors "
        f"are in use ({words.percent(share)})"
    )
    return Filling(share, full_in_s, (f"{said}{_forecast(full_in_s)}.",))


def runs_out(filled: Filling, limits: Limits) -> bool:
    """Whether it is critical, by the thresholds `fd_share` and `full_in_s`."""
    return filled.share >= limits["fd_share"] or filled.full_in_s < limits["full_in_s"]


def growth_per_s(seen: Observations, process: Process) -> float:
    """Descriptors a second, in the slower half of the last half minute or of a shorter watch."""
    span = min(max(seen.watched_s, LEAST_S), GROWTH_S)
    slowest, count, clock = math.inf, float(process.open_fds or 0), seen.sample.clock
    for then in (seen.back(span / 2), seen.back(span)):
        before = at(then.alive, then.open_fds, process_key(process)) if then else None
        if then is None or before is None or not count > before:
            return 0.0
        slowest = min(slowest, (count - before) / (clock - then.clock))
        count, clock = before, then.clock
    return slowest


def _forecast(full_in_s: float) -> str:
    if full_in_s == math.inf:
        return ""
    return f"; at this rate they run out in {words.duration(full_in_s)}"


THRESHOLDS = (
    Threshold("fd_share", 0.8, "share of its descriptors at which it is critical"),
    Threshold("full_in_s", 600, "seconds until they run out below which it is critical"),
)
