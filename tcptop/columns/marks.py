"""Marks of the rows that a finding is about, in the lists of other things."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from tcptop.analysis import subject
from tcptop.analysis.identity import listener_keys
from tcptop.columns import listeners
from tcptop.columns.column import Column
from tcptop.columns.listing import Listing
from tcptop.columns.processes import process
from tcptop.model.arrays import index_of
from tcptop.model.finding import SEVERITIES, Finding
from tcptop.model.selection import Selection
from tcptop.model.snapshot import Snapshot
from tcptop.model.table import I64, U64, Index

SIGNS = {"critical": "!", "warning": "*", "info": "·"}
LOOKS = {"critical": "bad", "warning": "warn", "info": "dim"}


def least_first(snapshot: Snapshot) -> list[Finding]:
    """The findings so that of two about one row the worse one is the later one."""
    findings = snapshot.findings[::-1]
    return sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity))


def trouble(snapshot: Snapshot) -> bool:
    """Whether anything is wrong: what is only worth knowing is no reason for a column of marks."""
    return any(finding.severity != "info" for finding in snapshot.findings)


def _sockets(selection: Selection, rows: Index, findings: Sequence[Finding]) -> Index:
    """By cookie; a finding that names no socket is about all that it concerns."""
    snapshot = selection.snapshot
    worst = _ranks(snapshot.sample.sockets.cookie[rows], findings)
    for rank, finding in enumerate(findings):
        if not finding.subject.cookies:
            concerned = subject.rows(finding.subject, snapshot)[rows]
            worst[concerned] = np.maximum(worst[concerned], rank)
    return worst


def _ranks(cookies: U64, findings: Sequence[Finding]) -> Index:
    """For each socket the last finding that names it; -1 for none."""
    last: dict[int, int] = {}
    for rank, finding in enumerate(findings):
        last |= dict.fromkeys(finding.subject.cookies, rank)
    named = np.fromiter(last, np.uint64, len(last))
    order = np.argsort(named)
    ranks = np.append(np.fromiter(last.values(), np.int64, len(last))[order], -1)
    return ranks[index_of(cookies, named[order])]


def _processes(selection: Selection, rows: Index, findings: Sequence[Finding]) -> Index:
    ranks = {pid: rank for rank, each in enumerate(findings) for pid in each.subject.pids}
    people = (process(selection, row) for row in rows.tolist())
    return np.array([ranks.get(each.pid, -1) if each else -1 for each in people], np.int64)


def _listeners(selection: Selection, rows: Index, findings: Sequence[Finding]) -> Index:
    ranks = {each.subject.listener: rank for rank, each in enumerate(findings)}
    texts = listeners.local_texts(selection, rows)
    own = _ranks(listener_keys(selection, rows), findings)
    return np.maximum(own, np.array([ranks.get(text, -1) for text in texts], np.int64))


def _ports(selection: Selection, rows: Index, findings: Sequence[Finding]) -> Index:
    return _groups(selection, selection.snapshot.ports.group, rows, findings)


def _remotes(selection: Selection, rows: Index, findings: Sequence[Finding]) -> Index:
    return _groups(selection, selection.remote_groups.group, rows, findings)


def _groups(selection: Selection, group: Index, rows: Index, findings: Sequence[Finding]) -> Index:
    """Groups with sockets of the findings about a destination."""
    worst: I64 = np.full(int(group.max(initial=-1)) + 1, -1)
    for rank, finding in enumerate(findings):
        if finding.subject.destination is not None:
            concerned = group[subject.rows(finding.subject, selection.snapshot)]
            worst[concerned[concerned >= 0]] = rank
    return worst[rows]


ABOUT: dict[str, Callable[[Selection, Index, Sequence[Finding]], Index]] = {
    "processes": _processes,
    "sockets": _sockets,
    "listeners": _listeners,
    "ports": _ports,
    "remotes": _remotes,
}


def about(name: str, selection: Selection, rows: Index) -> list[Finding | None]:
    """For each row of a list the worst finding about it."""
    findings = least_first(selection.snapshot)
    known: list[Finding | None] = [*findings, None]
    return [known[rank] for rank in _worst(name, selection, rows).tolist()]


def _worst(name: str, selection: Selection, rows: Index) -> Index:
    findings = least_first(selection.snapshot)
    return ABOUT[name](selection, rows, findings) if findings else np.full(len(rows), -1)


def _column(name: str) -> Column:
    def texts(selection: Selection, rows: Index) -> list[str]:
        return [SIGNS[each.severity] if each else "" for each in about(name, selection, rows)]

    def looks(selection: Selection, rows: Index) -> list[str]:
        return [LOOKS[each.severity] if each else "" for each in about(name, selection, rows)]

    return Column(
        KEY, "!", 1, "A finding is about it: ! critical, * warning, · info; x explains.",
        lambda selection, rows: _worst(name, selection, rows), texts, looks=looks,
    )  # fmt: skip


KEY = "mark"


def marked(listing: Listing) -> Listing:
    """The list with marks before its first column."""
    return replace(listing, columns=(_column(listing.name), *listing.columns))
