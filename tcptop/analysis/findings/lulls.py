"""Destinations that answer, and then answer nobody for seconds, again and again."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import numpy as np

from tcptop.analysis.findings.awaiting import calls_awaiting, destinations, heard_s
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.summary import Lull
from tcptop.model.arrays import rows_by_key
from tcptop.model.named_tuple import NamedTuple

LEAST = 5  # connections that wait
MOST = 20  # destinations
LEAST_S = 1.0
WITHIN_S = 60.0
LATELY_S = 10.0  # the last one ended no longer ago
APART_S = 0.5  # between the moments at which data came last
QUICK = 2  # segments that one connection sends from lull to lull; a long poll sends one


def lulls(seen: Observations) -> dict[int, Lull]:
    """The destinations that answer nobody at present, though some wait."""
    waiting, _ = calls_awaiting(seen)
    if len(waiting) < LEAST:
        return {}
    rows, keys = destinations(seen)
    at = np.searchsorted(rows, waiting)
    found = {}
    for mine in islice(rows_by_key(at, keys[at]), MOST):
        if len(mine) < LEAST:
            break
        key = keys[mine[0]]
        silent_s = heard_s(seen, rows[keys == key])
        if LEAST_S <= silent_s < np.inf:  # one that never answered does not stop to
            out, into = (seen.table.info_of(f"data_segs_{w}", rows[mine]) for w in ("out", "in"))
            asked = int(out[into > 0].max(initial=0))
            new, netns = int(np.count_nonzero(into == 0)), int(seen.table.netns[rows[mine[0]]])
            found[int(key)] = Lull(len(mine), new, asked, silent_s, netns)
    return found


class Repeated(NamedTuple):
    """The lulls of one destination: how many in the last seconds, how long the shortest and the
    longest were as far as was seen, and how many connections waited at most. `new` ones that were
    never answered waited in two of them, `asked` segments one connection sent from the first to the
    last."""

    key: int
    times: int
    within_s: float
    least_s: float
    longest_s: float
    waiting: int
    new: int
    asked: int


def repeated(seen: Observations, connections: float, least_s: float) -> Iterator[Repeated]:
    """Destinations that one connection at least asked several times from lull to lull."""
    clock = seen.sample.clock
    recent = [m for m in seen.summaries if m.lulls and clock - m.clock <= WITHIN_S]
    for key in dict.fromkeys(key for each in recent for key in each.lulls):
        every = _apart([(m.clock, m.lulls[key]) for m in recent if key in m.lulls])
        times = [(at, n) for at, n in every if n.heard_s >= least_s and n.waiting >= connections]
        found = _together(seen, key, times) if len(times) > 1 else None
        ended_s = seen.sample.clock - times[-1][0] - times[-1][1].heard_s if times else 0
        if found and found.asked >= QUICK * (len(every) - 1) and ended_s <= LATELY_S:
            yield found


def _apart(found: list[tuple[float, Lull]]) -> list[tuple[float, Lull]]:
    """One for each lull: when data came last before it, and the most that was seen of it."""
    times: list[tuple[float, Lull]] = []
    for clock, lull in found:
        began = clock - lull.heard_s
        if times and began - times[-1][0] <= APART_S:
            times[-1] = times[-1][0], _most(times[-1][1], lull)
        else:
            times.append((began, lull))
    return times


def _most(one: Lull, other: Lull) -> Lull:
    return Lull(
        max(one.waiting, other.waiting),
        max(one.new, other.new),
        max(one.asked, other.asked),
        max(one.heard_s, other.heard_s),
        one.netns,
    )


def _together(seen: Observations, key: int, times: list[tuple[float, Lull]]) -> Repeated:
    every = [lull for _, lull in times]
    return Repeated(
        key,
        len(times),
        seen.sample.clock - times[0][0],
        min(each.heard_s for each in every),
        max(each.heard_s for each in every),
        max(each.waiting for each in every),
        sorted(each.new for each in every)[-2],
        every[-1].asked - every[0].asked,
    )
