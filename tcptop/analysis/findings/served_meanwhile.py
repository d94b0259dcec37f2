"""Whether a server answers others while some of its connections wait: then it is not it as a whole
that stands still."""

from __future__ import annotations

import numpy as np

from tcptop.analysis.findings import ended
from tcptop.analysis.findings.observations import Observations
from tcptop.model import tcp
from tcptop.model.table import Index

SOME = 3  # answers: one may be of a moment before


def others_answered(seen: Observations, waiting: Index, seconds: float) -> bool:
    """Connections to the listener of these that were sent data in those seconds, or ended then and
    had been."""
    table, row = seen.table, int(waiting[0])
    seconds = min(seconds, seen.watched_s)
    same = (table.netns == table.netns[row]) & (table.local_port == table.local_port[row])
    same &= seen.accepted & (table.state == tcp.ESTABLISHED)
    same[waiting] = False
    rows = np.flatnonzero(same)
    sent = table.info_of("data_segs_out", rows) > 0
    now = np.count_nonzero(sent & (table.since_s("last_data_sent", rows) < seconds))
    over = ended.lately(seen, seconds)
    mine = (over.netns == table.netns[row]) & (over.local_port == table.local_port[row])
    return int(now + np.count_nonzero(mine & (over.known("data_segs_out") > 0))) >= SOME
