"""All that is known of one socket, counter or finding: what its place shows, and leads to."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from tcptop.analysis.findings.settings import Settings
from tcptop.columns import findings, units, verdict
from tcptop.columns.detail import Fact
from tcptop.columns.detail import facts as socket_facts
from tcptop.columns.kernel import facts as counter_facts
from tcptop.model.finding import Finding
from tcptop.model.snapshot import Snapshot
from tcptop.tui.viewing import Shown


@dataclass(frozen=True, slots=True)
class Watched:
    """The facts of the item that is looked at, as they were when it was last there."""

    item: int
    facts: list[Fact]
    clock: float
    taken_at: float
    finding: Finding | None


def look(shown: Shown, item: int, settings: Settings) -> Watched | None:
    """None where there is no such item (any more), whether the filter selects it or not."""
    snapshot = shown.selection.snapshot
    found = finding(snapshot, item) if shown.criteria.view == "findings" else None
    facts = findings.facts(snapshot, found, settings) if found else _facts(shown, item)
    sample = snapshot.sample
    return Watched(item, facts, sample.clock, sample.taken_at, found) if facts else None


def _facts(shown: Shown, item: int) -> list[Fact]:
    selection, criteria = shown.selection, shown.criteria
    if criteria.view == "kernel":
        place = shown.model.place(item)
        return [] if place is None else counter_facts(selection, place)
    if criteria.view == "findings":
        return []
    rows = np.flatnonzero(selection.snapshot.sample.sockets.cookie == np.uint64(item)).tolist()
    if not rows:
        return []
    wrong = verdict.facts(selection, rows[0], criteria.idle_timeout_s)
    return [*wrong, *socket_facts(selection, rows[0])]


def finding(snapshot: Snapshot, item: int) -> Finding | None:
    """The finding whose row has this key."""
    return next((f for f in snapshot.findings if findings.number(f.key) == item), None)


def named(facts: Sequence[Fact], key: Hashable, snapshot: Snapshot) -> int | None:
    """The key of the finding that a line of the facts names."""
    group, name, nth = key[:3] if isinstance(key, tuple) else ("", "", 0)
    same = [fact.meaning for fact in facts if (fact.group, fact.name) == (group, name)]
    title = same[nth] if isinstance(nth, int) and nth < len(same) else ""
    for each in snapshot.findings:
        if (findings.severity(each), units.safe(each.title)) == (name, title):
            return findings.number(each.key)
    return None
