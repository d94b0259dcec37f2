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
    """Who is concerned; `rows` are not empty."""
    table = seen.table
    return Subject(
        int(table.netns[rows[0]]),
        tuple(sorted({process.pid for process in processes})),
        listener,
        destination,
        tuple(table.cookie[rows[:MOST]].tolist()),
    )
