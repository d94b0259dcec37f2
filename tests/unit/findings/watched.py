"""Watching prepared sockets: one sample a second, and the findings of each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from tcptop.analysis.derive import derive
from tcptop.analysis.findings.settings import DEFAULTS, FindingSettings
from tcptop.analysis.history import History
from tcptop.model.finding import Finding
from tcptop.model.sample import Host, Sample
from tests import wording
from tests.unit.prepared import TAKEN_AT, Row, sample

Findings = tuple[Finding, ...]
UPTIME_S = 86_400.5
HOST = sample([]).host


def watch(
    seconds: int,
    rows: Callable[[int], Sequence[Row]],
    settings: FindingSettings = DEFAULTS,
    step: float = 1.0,
    **fields: Any,
) -> list[Findings]:
    """The findings of samples number 0 to `seconds`; `rows` makes the sockets of each.

    A field may be a function of the number too. The words of each finding are held, too.
    """
    history, found = History(), []
    for number in range(seconds + 1):
        made = {k: v(number) if callable(v) else v for k, v in fields.items()}
        seen = at(number * step, rows(number), **made)
        snapshot, history = derive(seen, history, settings)
        assert wording.of_findings(snapshot.findings) == []
        found.append(snapshot.findings)
    return found


def at(clock: float, rows: Sequence[Row], **fields: Any) -> Sample:
    moved = {
        "clock": 1000.0 + clock,
        "taken_at": TAKEN_AT + clock,
        "host": up(UPTIME_S + clock),
    }
    return sample(rows, **moved | fields)


def up(seconds: float) -> Host:
    """The host so long after its boot."""
    return replace(HOST, uptime_s=seconds)


def once(rows: Sequence[Row], settings: FindingSettings = DEFAULTS, **fields: Any) -> Findings:
    """The findings of a single look."""
    return watch(0, lambda _: rows, settings, **fields)[-1]


def ids(findings: Findings) -> list[str]:
    return [finding.id for finding in findings]


def of(findings: Findings, rule: str) -> Findings:
    """Those of one rule."""
    return tuple(finding for finding in findings if finding.id == rule)
