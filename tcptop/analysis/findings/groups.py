"""Connections gathered by who holds them and where they lead: a subject for each finding."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tcptop.analysis.findings import words
from tcptop.analysis.findings.look import Look
from tcptop.analysis.findings.subjects import named
from tcptop.model import tcp
from tcptop.model.arrays import row_hash
from tcptop.model.finding import Subject
from tcptop.model.sample import Process
from tcptop.model.table import Bools, Index

MOST = 20  # of the largest groups


class Group(NamedTuple):
    """Rows that lead to one destination, or were accepted by one listener's port."""

    people: tuple[Process, ...]  # those that hold them first; none where nobody is known
    rows: Index
    listener: str | None
    destination: str | None

    @property
    def who(self) -> str:
        """nginx; postgres and others"""
        if not self.people:
            return "an unknown process"
        more = " and others" if len({person.name for person in self.people}) > 1 else ""
        return words.printable(self.people[0].name) + more

    @property
    def in_full(self) -> str:
        """nginx (pid 812, nginx.service)"""
        if len(self.people) == 1:
            return words.who(self.people[0])
        return f"{self.who} ({len(self.people)} processes)" if self.people else self.who

    @property
    def where(self) -> str:
        """to 10.0.0.5:5432, or: from clients of :8080"""
        return f"to {self.destination}" if self.destination else f"from clients of {self.listener}"

    def key(self, rule: str) -> str:
        pid = self.people[0].pid if len(self.people) == 1 else 0
        return words.key(rule, pid, self.destination, self.listener)

    def subject(self, look: Look) -> Subject:
        return named(look, self.rows, self.people, self.listener, self.destination)


def grouped(look: Look, rows: Index, by_process: bool = True) -> list[Group]:
    """The largest groups of some connections, the largest first.

    Without `by_process` the workers of a server, one for each connection maybe, are one.
    """
    if not len(rows):
        return []
    table, served = look.table, accepted(look)[rows]
    person = np.where(served & (not by_process), 0, look.first_person[rows] + 1)
    far = [np.where(served, 0, getattr(table, f"remote_{name}")[rows]) for name in ("hi", "lo")]
    port = np.where(served, table.local_port[rows], table.remote_port[rows])
    key = row_hash(table.netns[rows], person, served, port, *far)
    _, inverse, sizes = np.unique(key, return_inverse=True, return_counts=True)
    largest = np.argsort(-sizes, kind="stable")[:MOST]
    return [_group(look, rows[inverse == number]) for number in largest.tolist()]


def accepted(look: Look) -> Bools:
    """Rows whose local port is a listener's: the other end called us."""
    table = look.table
    listening = table.state == tcp.LISTEN
    ports = np.unique(row_hash(table.netns[listening], table.local_port[listening]))
    here: Bools = np.isin(row_hash(table.netns, table.local_port), ports) & ~listening
    return here


def _group(look: Look, rows: Index) -> Group:
    row, persons = int(rows[0]), np.unique(look.first_person[rows])
    people = tuple(look.snapshot.holders.people[p] for p in persons.tolist() if p >= 0)
    if accepted(look)[row]:
        return Group(people, rows, words.port(look.table, row), None)
    return Group(people, rows, None, words.remote(look.table, row))
