"""How full the descriptor table of a process is, and when it will be full."""

from __future__ import annotations

import math
from typing import NamedTuple

from tcptop.analysis.findings import words
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.summary import at, process_key
from tcptop.model.sample import Process

GROWTH_S = 30.0  # a forecast needs a window: one burst is no trend


class Filling(NamedTuple):
    """`share` of the soft limit, NaN where not known; `full_in_s` is infinite unless growing."""

    share: float
    full_in_s: float
    evidence: tuple[str, ...]


def filling(seen: Observations, process: Process) -> Filling:
    if process.open_fds is None or not process.fd_limit:
        return Filling(math.nan, math.inf, ())
    share = process.open_fds / process.fd_limit
    full_in_s = _full_in(seen, process, process.open_fds, process.fd_limit)
    said = (
        f"{words.number(process.open_fds)} of {words.number(process.fd_limit)} file descriptors "
        f"are in use ({words.percent(share)})"
    )
    return Filling(share, full_in_s, (f"{said}{_forecast(full_in_s)}.",))


def _forecast(full_in_s: float) -> str:
    if full_in_s == math.inf:
        return ""
    return f"; at this growth they run out in {words.duration(full_in_s)}"


def _full_in(seen: Observations, process: Process, open_fds: int, limit: int) -> float:
    then = seen.back(GROWTH_S)
    before = at(then.process, then.open_fds, process_key(process)) if then else None
    if then is None or before is None or not open_fds > before:
        return math.inf
    return (limit - open_fds) * (seen.sample.clock - then.clock) / (open_fds - before)
