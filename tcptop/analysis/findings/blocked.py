"""Processes that wait in send() to a peer that does not read, and so do nothing else."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tcptop.analysis import stalls
from tcptop.analysis.findings import parties, words
from tcptop.analysis.findings.doing import POLLING, sleeps_in
from tcptop.analysis.findings.groups import ConnectionGroup, by_place
from tcptop.analysis.findings.observations import Observations
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.sample import Process
from tcptop.model.table import Index

WRITING = ("wait_woken", "sk_stream_wait_memory")  # where a thread sleeps in a blocking send()
LEAST_S = 2.0  # of a window that is shut


class Blocked(NamedTuple):
    """All `processes` wait to send, each on one of these connections at least."""

    processes: Sequence[Process]
    group: ConnectionGroup

    @property
    def whom(self) -> str:
        return self.group.destination or f"clients of {self.group.listener}"

    def told(self) -> str:
        number = len(self.processes)
        who = f"Its {words.number(number)} processes wait" if number > 1 else "It waits"
        verb = "does" if self.group.destination else "do"
        return f"{who} to send to {self.whom}, which {verb} not read: the send buffer is full."

    def advice(self) -> str:
        who = words.called(self.processes[0])
        return (
            f"Find out why {self.whom} {'does' if self.group.destination else 'do'} not read what "
            f"{who} sends. Give the writes of {who} a timeout, or let it drop what cannot be sent "
            "at once (logs, metrics), so that it goes on to serve others. More workers soon wait "
            "there too, and more backlog would only hide it."
        )


def in_send(seen: Observations, processes: Sequence[Process]) -> Blocked | None:
    """None where not all of them wait for one and the same place, or clients of one listener."""
    held = {each.pid: full(seen, parties.held(seen, each)) for each in processes}
    if not held or not all(map(len, held.values())):
        return None
    if not all(_waits(seen, each, len(processes) > 1) for each in processes):
        return None
    for group in by_place(seen, np.unique(np.concatenate([*held.values()]))):
        if all(np.isin(rows, group.rows).any() for rows in held.values()):
            return Blocked(processes, group)
    return None


def full(seen: Observations, rows: Index) -> Index:
    """Those whose window is shut and whose send buffer is full enough that nobody is woken who
    waits for room in it (sk_stream_is_writeable, include/net/sock.h)."""
    table = seen.table
    rows = rows[np.isin(rows, stalls.pending(table))]
    rows = rows[stalls.shut_s(seen.snapshot, rows) >= LEAST_S]
    taken, buffer = (
        table.memory_of(name)[rows].astype(np.int64) for name in ("wmem_queued", "sndbuf")
    )
    found: Index = rows[table.memory_known("wmem_queued")[rows] & (buffer - taken < taken // 2)]
    return found


def _waits(seen: Observations, process: Process, several: bool) -> bool:
    """With a timeout it polls: of several workers that all do, none is an event loop."""
    return sleeps_in(seen, process, WRITING + (POLLING if several else ()))
