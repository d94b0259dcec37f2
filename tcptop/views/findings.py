"""Findings: as columns for machines, and as a tree of causes and what they explain for people."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from typing import Any

from tcptop.analysis.findings.words import who
from tcptop.columns.findings import processes
from tcptop.columns.units import long_duration
from tcptop.model.cells import safe
from tcptop.model.finding import Finding, tree
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.sample import Process
from tcptop.model.selection import Selection
from tcptop.model.snapshot import Snapshot
from tcptop.model.table import Index
from tcptop.views.rows import Columns, rfc3339
from tcptop.views.socket_rows import operators_name

NAMED = 3  # processes of a finding
LONGEST = 400  # characters of how one was started
_NUMBERS = re.compile(r"\d[\d,.]*(?: (?:bytes?|[KMG]iB|min|h|d|s)\b)?")


def order(selection: Selection) -> Index:
    """As the snapshot has them: causes first, the worst first."""
    return selection.findings


def columns(selection: Selection, places: Index) -> Columns:
    """The fields of `findings[]`."""
    findings = chosen(selection, places)
    subjects = [finding.subject for finding in findings]
    cookies = [[f"{cookie:x}" for cookie in subject.cookies] for subject in subjects]
    made_up = selection.snapshot.sample.source == "procfs"  # which shows no cookies
    return {
        "id": [finding.id for finding in findings],
        "key": [finding.key for finding in findings],
        "severity": [finding.severity for finding in findings],
        "title": [finding.title for finding in findings],
        "subject": {
            "netns": [subject.netns for subject in subjects],
            "pids": [list(subject.pids) for subject in subjects],
            "listener": [subject.listener for subject in subjects],
            "destination": [subject.destination for subject in subjects],
            "cookies": [None] * len(cookies) if made_up else cookies,
            "processes": [_people(selection.snapshot, finding) for finding in findings],
        },
        "since": [f.since if f.since is None else rfc3339(f.since) for f in findings],
        "values": [{k: _number(v) for k, v in f.values.items()} for f in findings],
        "evidence": [list(finding.evidence) for finding in findings],
        "advice": [finding.advice or None for finding in findings],
        "confirm": [finding.confirm or None for finding in findings],
        "because": [finding.because for finding in findings],
    }


def _people(snapshot: Snapshot, finding: Finding) -> list[dict[str, Any]]:
    """The processes that are known by now, and how each was started."""
    return [
        {
            "pid": each.pid,
            "name": each.name,
            **operators_name(each),
            "cmdline": each.cmdline or None,
        }
        for each in processes(snapshot, finding)
        if isinstance(each, Process)
    ]


def _number(value: float) -> float | None:
    """JSON has neither NaN nor infinity; a count is shown as one."""
    if not math.isfinite(value):
        return None
    return int(value) if value == int(value) else round(float(value), 3)


def chosen(selection: Selection, places: Index) -> list[Finding]:
    """The findings at some places."""
    return [selection.snapshot.findings[place] for place in places.tolist()]


class Branch(NamedTuple):
    """A finding in a tree for people; `more` effects of its cause are like it, and left out."""

    finding: Finding
    depth: int
    more: int

    @property
    def also(self) -> str:
        return f", and {self.more} more like it" if self.more else ""


def told(findings: Sequence[Finding]) -> list[Branch]:
    """Causes before what they explain. Effects of one cause that differ in numbers alone are told
    once, and what follows from the others is left out with them."""
    first: dict[tuple[str, str, str], int] = {}
    made: list[Branch] = []
    skipped: set[str | None] = set()
    for place, depth in tree(findings):
        finding = findings[place]
        kind = (finding.because or finding.key, finding.id, _NUMBERS.sub("", finding.title))
        if depth and finding.because in skipped:
            skipped.add(finding.key)
        elif depth and kind in first:
            skipped.add(finding.key)
            made[first[kind]] = made[first[kind]]._replace(more=made[first[kind]].more + 1)
        else:
            first[kind] = len(made)
            made.append(Branch(finding, depth, 0))
    return made


def lines(findings: Sequence[Finding], snapshot: Snapshot) -> Iterator[str]:
    """For people: a paragraph for each cause, with what it explains indented beneath."""
    for each in told(findings):
        if not each.depth:
            yield ""
        yield from ("  " * each.depth + line for line in _paragraph(each, snapshot))


def _paragraph(each: Branch, snapshot: Snapshot) -> Iterator[str]:
    finding, link = each.finding, "hence " if each.depth else ""
    yield safe(f"{link}{finding.severity.upper()}: {finding.title} [{finding.id}]{each.also}")
    for line in _details(finding, snapshot):
        yield f"  {safe(line)}"


def _details(finding: Finding, snapshot: Snapshot) -> Iterator[str]:
    if finding.since is not None:
        yield since(finding.since, snapshot.sample.taken_at)
    yield from finding.evidence
    yield from (f"Process: {started}" for started in culprits(snapshot, finding))
    if finding.advice:
        yield f"Advice: {finding.advice}"
    if finding.confirm:
        yield f"Confirm: {finding.confirm}"


def culprits(snapshot: Snapshot, finding: Finding) -> Iterator[str]:
    """Who each process is, where it runs and how it was started; the first ones of many."""
    known = [each for each in processes(snapshot, finding) if isinstance(each, Process)]
    for each in known[:NAMED]:
        yield f"{who(each)}: {_short(each.cmdline or each.name)}"
    if len(known) > NAMED:
        yield f"{len(known) - NAMED} more of them"


def _short(started: str) -> str:
    """A title of 4 KB must not push the other findings out of what a monitoring system keeps."""
    told = started[:LONGEST]
    while len(safe(told)) > LONGEST:
        told = told[: len(told) // 2]
    return started if told == started else f"{told}…"


def since(moment: float, now: float) -> str:
    """When it began, and how long ago that was."""
    ago = f" ({long_duration(now - moment)} ago)" if now - moment >= 1 else ""
    return f"Since {rfc3339(moment)}{ago}."
