"""Connections gathered by who holds them and where they lead: a subject for each finding."""

from __future__ import annotations

from itertools import islice

import numpy as np

from tcptop.analysis.findings import parties, words
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.subjects import named
from tcptop.model.arrays import row_hash, rows_by_key
from tcptop.model.finding import Subject
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.sample import Process
from tcptop.model.table import U16, U32, U64, Bools, Index
from tcptop.model.unchanged import while_same

MOST = 20  # of the largest groups


class ConnectionGroup(NamedTuple):
    """Rows that lead to one destination, or were accepted by one listener's port."""

    processes: tuple[Process, ...]  # whose they are, who has most first; none where nobody is known
    rows: Index
    netns: int
    listener: str | None
    destination: str | None

    @property
    def who(self) -> str:
        """nginx; leaky.py; postgres and others"""
        if not self.processes:
            return "an unknown process"
        more = (
            " and others" if len({words.called(process) for process in self.processes}) > 1 else ""
        )
        return words.called(self.processes[0]) + more

    @property
    def in_full(self) -> str:
        """nginx (pid 812, nginx.service)"""
        if len(self.processes) == 1:
            return words.who(self.processes[0])
        return f"{self.who} ({len(self.processes)} processes)" if self.processes else self.who

    @property
    def where(self) -> str:
        """to 10.0.0.5:5432, or: from clients of :8080"""
        return f"to {self.destination}" if self.destination else f"from clients of {self.listener}"

    def key(self, rule: str) -> str:
        pid = self.processes[0].pid if len(self.processes) == 1 else 0
        return words.key(rule, self.netns, pid, self.destination, self.listener)

    def subject(self, seen: Observations) -> Subject:
        return named(seen, self.rows, self.processes, self.listener, self.destination)


def grouped(seen: Observations, rows: Index, by_process: bool = True) -> list[ConnectionGroup]:
    """The largest groups of some connections, the largest first.

    Without `by_process` the workers of a server, one for each connection maybe, are one, and so are
    clients of one name.
    """
    process = seen.snapshot.holders.first(rows) + 1
    if by_process or not len(rows):
        return _gathered(seen, rows, process)
    codes: dict[str, int] = {}
    names = (words.called(each) for each in seen.snapshot.holders.processes)
    name = np.array([0, *(codes.setdefault(each, len(codes) + 1) for each in names)], np.int64)
    return _gathered(seen, rows, np.where(seen.accepted[rows], 0, name[process]))


def by_place(seen: Observations, rows: Index) -> list[ConnectionGroup]:
    """The same by destination or listener alone, whoever holds them."""
    return _gathered(seen, rows, np.zeros(len(rows), np.int64))


def _gathered(seen: Observations, rows: Index, process: Index) -> list[ConnectionGroup]:
    if not len(rows):
        return []
    table = seen.table
    ports = (table.local_port, table.remote_port)
    far = (table.interface, table.remote_hi, table.remote_lo)
    largest = _largest(rows, process, seen.accepted, table.netns, *ports, *far)
    return [_group(seen, mine) for mine in largest]


@while_same(kept=8)
def _largest(
    rows: Index,
    process: Index,
    accepted: Bools,
    netns: U32,
    local_port: U16,
    remote_port: U16,
    *far: U32 | U64,
) -> tuple[Index, ...]:
    """The rows of each group; `far` says to where others than accepted ones lead."""
    served = accepted[rows]
    to = [np.where(served, 0, column[rows]) for column in far]
    port = np.where(served, local_port[rows], remote_port[rows])
    key = row_hash(netns[rows], process, served, port, *to)
    return tuple(islice(rows_by_key(rows, key), MOST))


def _group(seen: Observations, rows: Index) -> ConnectionGroup:
    row, netns = int(rows[0]), int(seen.table.netns[rows[0]])
    processes = tuple(each.process for each in parties.parties(seen, rows))
    if seen.accepted[row]:
        return ConnectionGroup(processes, rows, netns, words.port(seen.table, row), None)
    return ConnectionGroup(processes, rows, netns, None, words.remote(seen.sample, row))
