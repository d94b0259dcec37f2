"""Where connects wait, connections that the other kernel has taken and its program has not: the
accept queue there is full.

A kernel completes handshakes and acknowledges data for whoever waits in that queue; once it is
full, it drops SYNs (net/ipv4/tcp_input.c, tcp_conn_request).
"""

from __future__ import annotations

import numpy as np

from tcptop.analysis.findings import words
from tcptop.analysis.findings.awaiting import heard_s
from tcptop.analysis.findings.ended import called_there, lately
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.unanswered import Unanswered, there
from tcptop.model import closed as codes
from tcptop.model import tcp

LEAST, LEAST_S = 3, 2.0  # of them, and how long each has waited
CAUSE = (
    "a full accept queue at the server, as what its kernel takes is acknowledged and not answered: "
    "look there at the program, whether it accepts (ss -ltn there), hangs or is at its own limit, "
    "before the network"
)


def unaccepted(seen: Observations, case: Unanswered, opened: int) -> int:
    """0 where anything there was answered since the oldest attempt, or they are few, and not even
    all of those that `opened` meanwhile."""
    table, to = seen.table, case.callee
    rows = there(seen, to)
    rows = rows[(table.state[rows] == tcp.ESTABLISHED) & ~seen.accepted[rows]]
    if len(rows) and heard_s(seen, rows) < max(case.since_s, case.longest_s):
        return 0
    bare = (table.info_of("data_segs_out", rows) > 0) & (table.send_q[rows] == 0)
    bare &= (table.info_of("bytes_received", rows) == 0) & (table.inode[rows] != 0)
    waits = bare & (table.since_s("last_data_sent", rows) >= LEAST_S)
    number = int(np.count_nonzero(waits)) + _left(seen, case)
    return number if number >= (min(opened, LEAST) or LEAST) else 0


def _left(seen: Observations, case: Unanswered) -> int:
    """Those that were closed here meanwhile, as no answer came; 0 where one of them had got one."""
    closed = lately(seen, case.since_s)
    closed = closed.take(closed.opened & called_there(closed, case.callee))
    came, asked = (closed.known(f"data_segs_{way}") > 0 for way in ("in", "out"))
    if came.any():
        return 0
    bare = asked & (closed.reset != codes.YES)
    bare &= closed.known("bytes_acked") > closed.known("bytes_sent")
    return int(np.count_nonzero(bare & (closed.known("last_data_sent") >= LEAST_S * 1000)))


def told(number: int) -> str:
    return (
        f"{words.count(number, 'connection')} there opened, and nothing but acknowledgements came "
        "on any of them: the other kernel takes them, and its program does not answer."
    )
