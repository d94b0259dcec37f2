"""Whether a place that refuses some and takes others does so by turns, as its service restarts.

A limit refuses while the connections that fill it are open, and one of several servers behind an
address while the others answer. A service that ends takes its connections with it: while it is
away, none is open.
"""

from __future__ import annotations

import numpy as np

from tcptop.analysis.dialing import Callee
from tcptop.analysis.findings import listening, unanswered
from tcptop.analysis.findings.ended import called_there, lately
from tcptop.analysis.findings.observations import Observations
from tcptop.model import tcp
from tcptop.model.closed import YES
from tcptop.model.table import F64, Bools

LEAST = 3  # turns: it was away and came back, or was there and came back
FEW = 0.1  # of the refused ones
EDGES, BESIDE_S = 0.3, 0.2  # so many of them may be as near to one that is taken: where turns meet
MIXED = 0.4  # of the turns that there would be if chance had mixed them
LOOK_S = 1.0  # between two samples, of which the second has the listener
NEAR_S = 0.1  # within which an end and a refusal may be told in the wrong order


def by_turns(seen: Observations, to: Callee, seconds: float) -> bool:
    """Whether times in which it refuses everything alternate with times in which it takes all."""
    refused, begun, over = _times(seen, to, seconds)
    if not len(refused) or not len(begun):
        return False
    if np.count_nonzero(_open_at(refused, begun, over)) > FEW * len(refused):
        return False
    if np.count_nonzero(_beside(refused, begun)) > EDGES * len(refused):
        return False
    at = np.concatenate([refused, begun])
    taken = np.arange(len(at)) >= len(refused)
    ordered = taken[np.argsort(at, kind="stable")]
    turns = 1 + int(np.count_nonzero(ordered[1:] != ordered[:-1]))
    by_chance = 1 + 2 * len(refused) * len(begun) / len(at)
    return LEAST <= turns <= MIXED * by_chance


def begun_meanwhile(seen: Observations, to: Callee, seconds: float) -> bool:
    """Whether nobody is refused any more since somebody listens there, on this host."""
    rows = listening.taking(seen.table, to)
    age = np.nan_to_num(seen.snapshot.age_s[rows], nan=np.inf)
    refused = _times(seen, to, seconds)[0]
    if not len(rows) or not len(refused) or not unanswered.is_here(seen, to):
        return False
    return bool(refused.max() <= seen.sample.taken_at - age.max() + LOOK_S)


def started(to: str) -> str:
    return (
        f"What listens on {to} has begun to while tcptop watched, and connects before were "
        "refused. If it was not its first start: see in its log why it ended, and let the old one "
        "accept until the new one listens."
    )


def advice(to: str) -> str:
    return (
        f"{to} goes and comes: it refuses everything for a while, in which no connection there is "
        "open, and takes connections between. Look on its host for a service that is started again "
        "and again (a crash, a health check or supervisor that ends it, a deployment): its log, "
        "and since when its process runs (ps -o pid,lstart,cmd)."
    )


def _times(seen: Observations, to: Callee, seconds: float) -> tuple[F64, F64, F64]:
    """When connects were refused; when others began and ended, of which those that are open have
    not."""
    closed = lately(seen, seconds)
    closed, table = closed.take(called_there(closed, to)), seen.table
    opened = closed.take(closed.opened)
    rows = unanswered.there(seen, to)
    rows = rows[(table.state[rows] == tcp.ESTABLISHED) & ~seen.accepted[rows]]
    age = np.nan_to_num(seen.snapshot.age_s[rows], nan=np.inf)
    begun = np.concatenate([opened.at - np.nan_to_num(opened.life_s), seen.sample.taken_at - age])
    over = np.concatenate([opened.at, np.full(len(rows), np.inf)])
    return closed.at[~closed.opened & (closed.reset == YES)], begun, over


def _beside(moments: F64, begun: F64) -> Bools:
    """Moments near to one at which a connection began, as where a burst meets a limit."""
    ordered = np.sort(begun)
    from_, until = (np.searchsorted(ordered, moments + by) for by in (-BESIDE_S, BESIDE_S))
    beside: Bools = until > from_
    return beside


def _open_at(moments: F64, begun: F64, over: F64) -> F64:
    """How many are open at each moment."""
    long = over - begun > 2 * NEAR_S
    first, last = np.sort(begun[long] + NEAR_S), np.sort(over[long] - NEAR_S)
    number: F64 = (
        np.searchsorted(first, moments, "right") - np.searchsorted(last, moments, "left")
    ).astype(np.float64)
    return number
