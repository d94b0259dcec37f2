"""When the local ports towards a destination run out, if it goes on as in the last seconds.

A churn fills TIME_WAIT for a minute and then levels off: what will have expired by then is known
from the timers, so it is taken off (TCP_TIMEWAIT_LEN, include/net/tcp.h).
"""

from __future__ import annotations

import math

import numpy as np

from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.summary import at
from tcptop.model import tcp
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.table import F64, Index


class Forecast(NamedTuple):
    growth_per_s: float
    exhausted_in_s: float  # infinite where it will not be


NEVER = Forecast(0.0, math.inf)


def forecast(seen: Observations, group: int, rows: Index, window_s: float) -> Forecast:
    """`rows` are those of the group. It must have grown through both halves of the window."""
    used_per_s = _growth(seen, group, window_s)
    if used_per_s <= 0:
        return NEVER
    left_s = _expiring(seen, group, rows)
    full_s = tcp.TIMEWAIT_MS / 1000
    older, newer = _between(left_s, full_s, window_s)
    waiting_per_s = 2 * min(older, newer) / window_s
    about_to_expire = float(np.count_nonzero(left_s < window_s))
    expired_per_s = min(about_to_expire, _gone(seen, group, window_s)) / window_s
    staying_per_s = max(used_per_s - (older + newer) / window_s + expired_per_s, 0.0)
    seconds = np.arange(1.0, full_s + 1)
    freed = np.searchsorted(np.sort(left_s), seconds)
    more = seconds * (staying_per_s + waiting_per_s) - freed
    gone = np.flatnonzero(more >= seen.snapshot.ports.headroom[group])
    return Forecast(used_per_s, float(seconds[gone[0]]) if len(gone) else math.inf)


def _growth(seen: Observations, group: int, window_s: float) -> float:
    """The slower half of the window: what was opened in a burst does not go on."""
    summaries = [seen.back(window_s), seen.back(window_s / 2)]
    ports, slowest = seen.snapshot.ports, math.inf
    key = int(ports.key[group])
    netns = int(ports.netns[group])
    used, clock = float(ports.used[group]), seen.sample.clock
    for then in reversed(summaries):
        if then is None or then.clock >= clock or netns not in then.counters:
            return 0.0
        before = at(then.destination, then.used, key) or 0.0
        slowest = min(slowest, (used - before) / (clock - then.clock))
        used, clock = before, then.clock
    return slowest


def _gone(seen: Observations, group: int, window_s: float) -> float:
    """Ports that came free in the window: as many of those in TIME_WAIT expired, at most.

    How many did is not known any more. As many as are about to, if it goes on evenly; but none
    did in the first minute of a churn.
    """
    then, ports = seen.back(window_s), seen.snapshot.ports
    if then is None:
        return 0.0
    key = int(ports.key[group])
    clock = then.clock
    opened = 0.0
    for summary in seen.summaries[seen.summaries.index(then) + 1 :]:
        rate = at(summary.destination, summary.opened, key) or 0.0
        opened += (0.0 if math.isnan(rate) else rate) * (summary.clock - clock)
        clock = summary.clock
    before = at(then.destination, then.used, key) or 0.0
    return max(before + opened - float(ports.used[group]), 0.0)


def _expiring(seen: Observations, group: int, rows: Index) -> F64:
    """Seconds left to the ports that a timer frees: TIME_WAIT, and FIN_WAIT2 after close()."""
    table = seen.table
    closed = (table.state[rows] == tcp.FIN_WAIT2) & (table.inode[rows] == 0)
    left: F64 = table.expires[rows][(table.state[rows] == tcp.TIME_WAIT) | closed] / 1000
    # Where connect() takes those in TIME_WAIT again, they are not among the used ones.
    reused = seen.snapshot.ports.used[group] < len(rows)
    return left[:0] if reused else left


def _between(left_s: F64, full_s: float, window_s: float) -> tuple[int, int]:
    """Of those that began to wait in the window: in its older half, and in its newer one."""
    age = full_s - left_s
    newer = int(np.count_nonzero(age < window_s / 2))
    return int(np.count_nonzero(age < window_s)) - newer, newer
