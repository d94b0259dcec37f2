"""Whether connects that nobody answers, and those there that are answered, leave from different
addresses of this host: then the answers to the one go elsewhere."""

from __future__ import annotations

import numpy as np

from tcptop.analysis.dialing import waiting_s
from tcptop.analysis.findings import unanswered
from tcptop.analysis.findings.ended import called_there, lately
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.unanswered import SOON_S, Unanswered
from tcptop.model import address
from tcptop.model.closed import YES, Closed
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.table import Bools, Index, SocketTable

SILENT, ANSWERED = 3, 2  # so many of each, before it is no chance
MOST = 2000  # of each that are looked at


class Sources(NamedTuple):
    """`address` is that of all that nobody answers, on `device` where that is known; `others` are
    those of what was answered."""

    address: str
    device: str
    others: tuple[str, ...]


def apart(seen: Observations, case: Unanswered) -> Sources | None:
    """None where they have one in common, or too few are known."""
    rows = unanswered.there(seen, case.callee)
    asking = unanswered.asking(seen, case.callee)
    asking = asking[waiting_s(seen.snapshot, asking) >= SOON_S]
    closed = lately(seen, max(case.since_s, case.longest_s))
    there = called_there(closed, case.callee) & closed.local_known
    silent = _of(seen.table, asking) + _of(closed, _rows(there & ~closed.opened & ~_reset(closed)))
    heard = unanswered.answered(seen, rows[~seen.accepted[rows]])
    answered = _of(seen.table, heard) + _of(closed, _rows(there & closed.opened))
    if len(silent) < SILENT or len(answered) < ANSWERED or len(set(silent)) > 1:
        return None
    if set(silent) & set(answered):
        return None
    return Sources(silent[0], _device(seen, case, silent[0]), tuple(sorted(set(answered))))


def _device(seen: Observations, case: Unanswered, own: str) -> str:
    route = seen.route(case.way) if case.way and case.way.local == own else None
    return (route.local_link if route else None) or ""


def _reset(closed: Closed) -> Bools:
    reset: Bools = closed.reset == YES
    return reset


def _rows(such: Bools) -> Index:
    return np.flatnonzero(such)


def _of(ends: SocketTable | Closed, rows: Index) -> list[str]:
    return [
        address.text(hi, lo)
        for hi, lo in zip(
            ends.local_hi[rows[:MOST]].tolist(), ends.local_lo[rows[:MOST]].tolist(), strict=True
        )
    ]
