"""Who passes requests on: connections that last milliseconds are never seen with their process."""

from __future__ import annotations

import numpy as np

from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.parties import Party
from tcptop.model import tcp
from tcptop.model.table import F64, Index

ENOUGH = 0.5  # of the connections that it may open: as many requests it must get
SOME = 0.05  # of all those requests, for a worker to be one of those who pass them on


def relaying(seen: Observations, netns: int, port: int, per_s: float) -> list[Party]:
    """The processes of one name that get about as many requests a second, over connections that
    they have accepted at other ports; none where these are not enough or of several programs."""
    table = seen.table
    served = seen.accepted & (table.netns == netns) & (table.state == tcp.ESTABLISHED)
    rows = np.flatnonzero(served & (table.inode != 0) & (table.local_port != port))
    process = seen.snapshot.holders.first(rows)
    rows, process = rows[process >= 0], process[process >= 0]
    if not len(rows):
        return []
    asked = np.bincount(process, _requests_per_s(seen, rows))
    chosen = np.flatnonzero(asked > SOME * asked.sum())
    found = [Party(seen.snapshot.holders.processes[at], int(asked[at])) for at in chosen.tolist()]
    one = len({each.process.name for each in found}) == 1
    return found if one and asked.sum() >= ENOUGH * per_s else []


def _requests_per_s(seen: Observations, rows: Index) -> F64:
    """Segments with data: a request is one or more."""
    table = seen.table
    octets = np.maximum(table.info_of("bytes_received", rows), 1)
    per_octet = table.info_of("data_segs_in", rows) / octets
    known = np.nan_to_num(seen.snapshot.bytes_received_per_s[rows] * per_octet)
    requests: F64 = np.maximum(known, 0)
    return requests
