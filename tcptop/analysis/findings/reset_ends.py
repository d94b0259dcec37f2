"""Which connections were reset, where the kernel tells what ends."""

from __future__ import annotations

import numpy as np

from tcptop.analysis.dialing import WHERE, Callee
from tcptop.analysis.findings import unanswered, words
from tcptop.analysis.findings.broken import both_here
from tcptop.analysis.findings.ended import lately, whose
from tcptop.analysis.findings.how_ended import accepted
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.reset_rates import Rates
from tcptop.analysis.findings.whereto import MOSTLY, Where
from tcptop.model import address, owner, tcp
from tcptop.model.arrays import row_hash, rows_by_key
from tcptop.model.closed import YES, Closed
from tcptop.model.table import Index

LEAST = 10  # resets, before anything is said of where they were
HALF = 0.5  # of those that were counted must have been told


def reset_ends(seen: Observations, netns: int, rates: Rates) -> Where | None:
    """Where most of them went, or came in; None where too few were told. Empty where no place
    stands out."""
    closed = lately(seen, rates.seconds)
    reset = (closed.netns == netns) & (closed.reset == YES) & closed.opened
    came_in = accepted(seen, closed)
    outward = _outward(seen, netns, rates)
    way = ~came_in & (closed.remote_port > 0) if outward else came_in
    rows = np.flatnonzero(reset & way)
    if len(rows) < max(LEAST, HALF * (rates.ours + rates.theirs) * rates.seconds):
        return None
    names = WHERE if outward else ("local_port",)
    most = next(rows_by_key(rows, row_hash(*(getattr(closed, name)[rows] for name in names))))
    if len(most) < MOSTLY * len(rows):
        return Where()
    return _told(seen, rates, outward, closed, rows, most)


def _outward(seen: Observations, netns: int, rates: Rates) -> bool:
    """Where both ends are here, the server is the one to ask."""
    return rates.outward and not both_here(seen, netns)


def _told(
    seen: Observations, rates: Rates, outward: bool, closed: Closed, rows: Index, most: Index
) -> Where:
    first, port = int(most[0]), int(closed.local_port[most[0]])
    name, pids = _whose(closed, most)
    place, listener = f":{port}", None
    if outward:
        to = Callee(*(int(getattr(closed, each)[first]) for each in WHERE))
        place = unanswered.called(seen, to)
    else:
        listener = _listener(seen, closed, first)
    way = "to" if outward else "on"
    share = "all" if len(most) == len(rows) else words.number(len(most))
    said = (
        f"The kernel reported {words.count(len(rows), 'connection')} that ended in a reset in the "
        f"last {words.duration(rates.seconds)}: {share} of them {way} {place}."
    )
    destination = place if outward else None
    return Where(f", mostly {way} {place}{name}", (said,), pids, listener, destination)


def _whose(closed: Closed, rows: Index) -> tuple[str, tuple[int, ...]]:
    """What follows the place, and pids, where all that are known are of one program. Who only has
    others to the same place need not be who is reset."""
    note = closed.note[rows]
    found = whose(closed, rows[note != owner.BY_DESTINATION])
    names = {words.called(process) for process in found.processes}
    if len(names) != 1:
        return "", ()
    (name,) = names
    sure = "" if found.held else "apparently "
    return f" ({sure}{name})", tuple(sorted(each.pid for each in found.processes))


def _listener(seen: Observations, closed: Closed, row: int) -> str | None:
    """As its LISTEN row has it, or the end at which a connection came in."""
    table = seen.table
    here = (table.state == tcp.LISTEN) & (table.netns == closed.netns[row])
    rows = np.flatnonzero(here & (table.local_port == closed.local_port[row]))
    if len(rows):
        return words.local(seen.sample, int(rows[0]))
    if not closed.local_known[row]:
        return None
    near = address.text(int(closed.local_hi[row]), int(closed.local_lo[row]))
    return address.endpoint(near, int(closed.local_port[row]))
