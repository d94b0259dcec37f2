"""Whether what was sent again is the first data of connections, and nothing later.

A listener whose accept queue is full ignores the final ACK of a handshake, and with it the data
that follows, while the client takes the connection for open (tcp_v4_syn_recv_sock,
net/ipv4/tcp_ipv4.c). It sends these again until the queue has room, several times in a row; what
comes later is not lost. A path that loses packets loses any of them.
"""

from __future__ import annotations

import numpy as np

from tcptop.analysis.dialing import Callee
from tcptop.analysis.findings import unanswered
from tcptop.analysis.findings.ended import called_there, lately
from tcptop.analysis.findings.observations import Observations
from tcptop.model import tcp
from tcptop.model.closed import Closed
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.table import F64, Bools, Index

LEAST = 5  # connections that have sent data again
NEARLY_ALL = 0.9  # of them
IN_A_ROW, OFTEN = 2, 1 / 3  # as many times the same segment, on so many of them


class Repeats(NamedTuple):
    """Connections that have sent data again: whether each is there and of its first segment, and
    how often that was sent again."""

    first: Bools
    times: F64


def only(seen: Observations, callee: Callee, seconds: float) -> bool:
    """Of all that this namespace sends again; those of a place that are over, and open ones."""
    parts = (_of_open(seen, callee), _of_closed(lately(seen, seconds), callee))
    first, times = (np.concatenate([each[at] for each in parts]) for at in range(2))
    number = np.count_nonzero(first)
    often = np.count_nonzero(first & (times >= IN_A_ROW))
    return bool(number >= LEAST and number >= NEARLY_ALL * len(first) and often >= OFTEN * number)


def _of_open(seen: Observations, callee: Callee) -> Repeats:
    table = seen.table
    rows: Index = np.flatnonzero((table.state == tcp.ESTABLISHED) & (table.netns == callee.netns))
    again, sent, mss = (
        table.info_of(name, rows) for name in ("bytes_retrans", "bytes_sent", "snd_mss")
    )
    return _repeats(np.isin(rows, unanswered.there(seen, callee)), again, sent, mss)


def _of_closed(closed: Closed, callee: Callee) -> Repeats:
    closed = closed.take(closed.netns == callee.netns)
    there = closed.opened & called_there(closed, callee)
    again, sent, mss = (closed.known(name) for name in ("bytes_retrans", "bytes_sent", "snd_mss"))
    return _repeats(there, again, sent, mss)


def _repeats(there: Bools, again: F64, sent: F64, mss: F64) -> Repeats:
    """bytes_sent counts what was sent again, too."""
    some = again > 0
    once = (sent - again)[some]
    times = again[some] / np.maximum(once, 1)
    return Repeats(there[some] & (once > 0) & (once <= mss[some]), times)
