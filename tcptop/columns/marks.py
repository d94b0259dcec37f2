"""Marks of the rows that a finding is about, in the lists of other things."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from tcptop.analysis import subject
from tcptop.columns.column import Column
from tcptop.columns.listing import Listing
from tcptop.model.arrays import index_of
from tcptop.model.finding import SEVERITIES, Finding
from tcptop.model.selection import Selection
from tcptop.model.snapshot import Snapshot
from tcptop.model.table import I64, U64, Index

SIGNS = {"critical": "!", "warning": "*", "info": "·"}
STYLES = {"critical": "bad", "warning": "warn", "info": "dim"}


def least_first(snapshot: Snapshot) -> list[Finding]:
    """The findings so that of two about one row the worse one is the later one."""
    findings = snapshot.findings[::-1]
    return sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity))


def trouble(snapshot: Snapshot) -> bool:
    """Whether anything is wrong: what is only worth knowing is no reason for a column of marks."""
    return any(finding.severity != "info" for finding in snapshot.findings)


def of_named(keys: U64, findings: Sequence[Finding]) -> Index:
    """For each socket the last finding that names it; -1 for none."""
    last: dict[int, int] = {}
    for rank, finding in enumerate(findings):
        last |= dict.fromkeys(finding.subject.keys.tolist(), rank)
    named = np.fromiter(last, np.uint64, len(last))
    order = np.argsort(named)
    ranks = np.append(np.fromiter(last.values(), np.int64, len(last))[order], -1)
    return ranks[index_of(keys, named[order])]


def of_groups(
    selection: Selection, group: Index, rows: Index, findings: Sequence[Finding]
) -> Index:
    """For each group the last finding about a destination with sockets in it; -1 for none."""
    worst: I64 = np.full(int(group.max(initial=-1)) + 1, -1)
    for rank, finding in enumerate(findings):
        if finding.subject.destination is not None:
            concerned = group[subject.rows(finding.subject, selection.snapshot)]
            worst[concerned[concerned >= 0]] = rank
    return worst[rows]


def about(listing: Listing, selection: Selection, rows: Index) -> list[Finding | None]:
    """For each row of a list the worst finding about it."""
    findings = least_first(selection.snapshot)
    known: list[Finding | None] = [*findings, None]
    return [known[rank] for rank in _worst(listing, selection, rows).tolist()]


def page_of(listing: Listing, selection: Selection, place: int) -> str | None:
    """The page that explains a row: of the worst finding about it, or else what its list says."""
    (finding,) = about(listing, selection, np.array([place]))
    return finding.id if finding is not None else listing.page(selection, place)


def _worst(listing: Listing, selection: Selection, rows: Index) -> Index:
    findings = least_first(selection.snapshot)
    if listing.worst is None or not findings:
        return np.full(len(rows), -1)
    return listing.worst(selection, rows, findings)


def _column(listing: Listing) -> Column:
    def texts(selection: Selection, rows: Index) -> list[str]:
        return [SIGNS[each.severity] if each else "" for each in about(listing, selection, rows)]

    def styles(selection: Selection, rows: Index) -> list[str]:
        return [STYLES[each.severity] if each else "" for each in about(listing, selection, rows)]

    return Column(
        KEY, "!", 1, "A finding is about it: ! critical, * warning, · info; x explains.",
        lambda selection, rows: _worst(listing, selection, rows), texts, styles=styles,
    )  # fmt: skip


KEY = "mark"


def marked(listing: Listing) -> Listing:
    """The list with marks before its first column, where findings can be about its rows."""
    if listing.worst is None:
        return listing
    return replace(listing, columns=(_column(listing), *listing.columns))
