"""Connections gathered by who holds them and where they lead: a subject for each finding."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tcptop.analysis.findings import words
from tcptop.analysis.findings.look import Look
from tcptop.analysis.keys import mixed
from tcptop.model import tcp
from tcptop.model.sample import Process
from tcptop.model.table import Bools, Index

MOST = 20  # of the largest groups


class Group(NamedTuple):
    """Rows of one process: towards one destination, or accepted by one listener's port."""

    process: Process | None
    rows: Index
    listener: str | None
    destination: str | None

    @property
    def who(self) -> str:
        return words.printable(self.process.name) if self.process else "an unknown process"

    @property
    def where(self) -> str:
        """to 10.0.0.5:5432, or: from clients of :8080"""
        return f"to {self.destination}" if self.destination else f"from clients of {self.listener}"


def grouped(look: Look, rows: Index) -> list[Group]:
    """The largest groups of some connections, the largest first."""
    if not len(rows):
        return []
    table, served = look.table, accepted(look)[rows]
    person = look.first_person[rows]
    far = [np.where(served, 0, getattr(table, f"remote_{name}")[rows]) for name in ("hi", "lo")]
    port = np.where(served, table.local_port[rows], table.remote_port[rows])
    key = mixed(table.netns[rows], person + 1, served, port, *far)
    _, inverse, sizes = np.unique(key, return_inverse=True, return_counts=True)
    largest = np.argsort(-sizes, kind="stable")[:MOST]
    return [_group(look, rows[inverse == number]) for number in largest.tolist()]


def accepted(look: Look) -> Bools:
    """Rows whose local port is a listener's: the other end called us."""
    table = look.table
    listening = table.state == tcp.LISTEN
    ports = np.unique(mixed(table.netns[listening], table.local_port[listening]))
    here: Bools = np.isin(mixed(table.netns, table.local_port), ports) & ~listening
    return here


def _group(look: Look, rows: Index) -> Group:
    row = int(rows[0])
    person = int(look.first_person[row])
    process = look.snapshot.holders.people[person] if person >= 0 else None
    if accepted(look)[row]:
        return Group(process, rows, words.port(look.table, row), None)
    return Group(process, rows, None, words.remote(look.table, row))
