"""CLOSE_WAIT sockets of one process, for the two rules about them.

The peer has closed; the connection waits for our process to do so (RFC 9293 3.6).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.summary import at, process_key
from tcptop.model import tcp
from tcptop.model.sample import Process
from tcptop.model.table import F64, Index

GROWTH_S = 180.0


class CloseWaits(NamedTuple):
    """CLOSE_WAIT rows of a process, and for how many seconds each has been so, at least."""

    process: Process
    rows: Index
    age_s: F64


def close_waits(seen: Observations, unread: bool) -> Iterator[CloseWaits]:
    """By process; those whose end of file was read, or those where it was not."""
    table = seen.table
    waiting = (table.state == tcp.CLOSE_WAIT) & (table.inode != 0)  # else in an accept queue
    rows = np.flatnonzero(waiting & (table.recv_q > 0 if unread else table.recv_q == 0))
    if unread:  # what MPTCP has not read lies in another socket than its subflow
        rows = rows[table.ulp[rows] != b"mptcp"]
    age = _age(seen)
    processes = seen.snapshot.holders.processes
    first = seen.snapshot.holders.first(rows)
    for process in np.unique(first).tolist():
        if process >= 0:
            mine = rows[first == process]
            yield CloseWaits(processes[process], mine, age[mine])


def _age(seen: Observations) -> F64:
    """The FIN refreshed last_ack_recv; later acks and answers to keepalive probes reset it.

    What the process still sends on is half-closed on purpose, and not forgotten.
    """
    waited = np.fmax(seen.snapshot.durations.state_s, seen.table.since_s("last_ack_recv"))
    age: F64 = np.fmin(waited, seen.table.since_s("last_data_sent"))
    return age


def grew(seen: Observations, process: Process, count: int) -> bool:
    """Whether its CLOSE_WAIT sockets never became fewer in three minutes, and are more now."""
    if seen.back(GROWTH_S) is None:
        return False
    key = process_key(process)
    numbers = [at(m.process, m.close_wait, key) or 0.0 for m in seen.summaries]
    steady = all(after >= before for before, after in pairwise(numbers))
    return steady and numbers[0] < count
