"""The pane of a finding: what is wrong, what to do, how to see it, and how it is known."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from tcptop.analysis.findings.rules import RULES
from tcptop.analysis.findings.settings import FindingSettings
from tcptop.columns import FINDINGS, LISTENERS, PROCESSES, findings
from tcptop.columns.marks import STYLES
from tcptop.model.cells import safe, wrap
from tcptop.model.finding import Finding
from tcptop.model.sample import Process
from tcptop.tui.panes.rows import (
    LEAST_WIDTH,
    MARK,
    Pane,
    PaneRow,
    Scene,
    Target,
    opening,
    place_of,
    wrapped,
)

LINES = 40  # of a sentence, at most


def pane(scene: Scene, key: int) -> Pane | None:
    """None where it is over."""
    place = place_of(FINDINGS, scene.selection, key)
    if place is None:
        return None
    finding = scene.snapshot.findings[place]
    return Pane(
        f"Finding {finding.id}",
        [
            *_said(scene, findings.severity(finding), finding.title, STYLES[finding.severity]),
            *_since(scene, finding),
            *_said(scene, "advice", finding.advice),
            *_because(scene, finding),
            *_confirm(scene, finding),
            *_concerned(scene, finding),
            *_evidence(scene, finding),
            *_explains(scene, finding),
            *_limits(scene, finding),
        ],
    )


def _said(
    scene: Scene, name: str, text: str, style: str = "", opens: Target | None = None, nth: int = 0
) -> Iterator[PaneRow]:
    """A sentence in as many lines as it needs."""
    if text:
        yield from wrapped(scene.room, name, safe(text), style, opens, LINES, (name, nth))


def _since(scene: Scene, finding: Finding) -> Iterator[PaneRow]:
    if finding.since is not None:
        told = findings.since(finding.since, scene.snapshot.sample.taken_at)
        yield from _said(scene, "since", told)


def _confirm(scene: Scene, finding: Finding) -> Iterator[PaneRow]:
    """The command on lines of its own, of which any copies all of it."""
    if not finding.confirm:
        return
    command = safe(finding.confirm)
    yield PaneRow("confirm", (("  confirm", "dim"), ("  y copies it", "dim")), None, command)
    for number, text in enumerate(wrap(command, max(LEAST_WIDTH, scene.room.width - len(MARK)))):
        yield opening(("confirm", number), ((text, "good"),), None, command)


def _concerned(scene: Scene, finding: Finding) -> Iterator[PaneRow]:
    about, snapshot = finding.subject, scene.snapshot
    for nth, each in enumerate(findings.processes(snapshot, finding)):
        started = f"  {safe(each.cmdline)}" if isinstance(each, Process) else ""
        where = f"  {each.unit}" if isinstance(each, Process) and each.unit else ""
        text = findings.named(each) + safe(where) + started
        yield from _said(scene, "process", text, "", _process(scene, each, about.netns), nth)
    yield from _said(scene, "listener", about.listener or "", "", _listener(scene, finding))
    yield from _said(scene, "destination", about.destination or "")
    if len(snapshot.sample.namespaces) > 1:
        yield from _said(scene, "netns", snapshot.sample.space(about.netns))


def _process(scene: Scene, process: Process | int, netns: int) -> Target | None:
    found, held = scene.selection.processes, scene.snapshot.holders.processes
    if process not in held:
        return None
    places = np.flatnonzero((found.process == held.index(process)) & (found.netns == netns))
    keys = PROCESSES.keys(scene.selection, places[:1]).tolist()
    return Target(PROCESSES, keys[0]) if keys else None


def _listener(scene: Scene, finding: Finding) -> Target | None:
    """The listener that it is about, where it is one of those that there are."""
    rows = LISTENERS.rows(scene.selection)
    spaces = scene.table.netns[scene.snapshot.listeners.row[rows]].tolist()
    texts = LISTENERS.column("local").texts(scene.selection, rows)
    wanted = (finding.subject.netns, finding.subject.listener)
    same = [at for at, place in enumerate(zip(spaces, texts, strict=True)) if place == wanted]
    keys = LISTENERS.keys(scene.selection, rows[same[:1]]).tolist()
    return Target(LISTENERS, keys[0]) if keys else None


def _evidence(scene: Scene, finding: Finding) -> Iterator[PaneRow]:
    for nth, sentence in enumerate(finding.evidence):
        yield from _said(scene, "" if nth else "evidence", sentence, nth=nth)


def _because(scene: Scene, finding: Finding) -> Iterator[PaneRow]:
    """What it follows from, whose advice is for both."""
    found = [each for each in scene.snapshot.findings if each.key == finding.because]
    return _others(scene, "because", found)


def _explains(scene: Scene, finding: Finding) -> Iterator[PaneRow]:
    found = [each for each in scene.snapshot.findings if each.because == finding.key]
    return _others(scene, "explains", found)


def _others(scene: Scene, name: str, found: Sequence[Finding]) -> Iterator[PaneRow]:
    for nth, each in enumerate(found):
        goal = Target(FINDINGS, findings.number(each.key))
        yield from _said(scene, name, f"{findings.severity(each)}  {each.title}", "", goal, nth)


def _limits(scene: Scene, finding: Finding) -> Iterator[PaneRow]:
    """From where on the rule says something, as it is set here."""
    for nth, text in enumerate(limits(finding, scene.settings)):
        yield from _said(scene, "" if nth else "limits", text, "dim", nth=nth)
    yield from _said(scene, "id", f"{finding.id}; x explains it", "dim")


def limits(finding: Finding, settings: FindingSettings) -> Iterator[str]:
    """The thresholds of its rule."""
    rule = next((rule for rule in RULES if rule.id == finding.id), None)
    chosen = settings.limits.get(finding.id, {})
    for each in rule.thresholds if rule else ():
        note = f" (chosen; by default {each.default:g})" if each.name in chosen else ""
        value = chosen.get(each.name, each.default)
        yield f"{each.name} {value:g}  {each.meaning}{note}"
