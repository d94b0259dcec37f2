"""Subjects of findings, from rows of the socket table."""

from __future__ import annotations

from collections.abc import Iterable

from tcptop.analysis.findings.observations import Observations
from tcptop.model.finding import Subject
from tcptop.model.sample import Process
from tcptop.model.table import Index

MOST = 1000  # sockets that a finding names: enough to show them, and bounded


def named(
    seen: Observations,
    rows: Index,
    processes: Iterable[Process] = (),
    listener: str | None = None,
    destination: str | None = None,
) -> Subject:
    """Who is concerned, in the namespace of the first row, or of the processes without rows."""
    table, about = seen.table, list(processes)
    inside = (each.netns for each in about if each.netns)
    netns = int(table.netns[rows[0]]) if len(rows) else next(inside, min(seen.sample.netns))
    rows = rows[table.netns[rows] == netns]
    return Subject(
        netns,
        tuple(sorted({process.pid for process in about})),
        listener,
        destination,
        tuple(table.cookie[rows[:MOST]].tolist()),
    )
