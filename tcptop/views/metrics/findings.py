"""What is wrong, and what could not be judged."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import Metric

from tcptop.analysis.findings.rules import RULES
from tcptop.analysis.findings.words import called
from tcptop.model.finding import Finding
from tcptop.model.snapshot import Snapshot
from tcptop.views.metrics.families import Labels, gauge

FINDINGS = 200  # that were there once


class Findings:
    """Those that were seen: 1 while one lasts, then 0."""

    def __init__(self) -> None:
        self._findings: dict[Labels, float] = {}

    def metrics(self, snapshot: Snapshot) -> Iterator[Metric]:
        """Of a rule that looked and never found anything 0 without a subject."""
        silent = {id for each in snapshot.silent for id in each.rules}
        self._findings = {
            labels: 0.0 for labels in list(self._findings)[-FINDINGS:] if labels[0] not in silent
        }
        for finding in snapshot.findings:
            labels = _about(snapshot, finding)
            self._findings.pop(labels, None)  # the newest is the last
            self._findings[labels] = 1.0
        calm = {rule.id for rule in RULES} - silent - {labels[0] for labels in self._findings}
        values = [*self._findings.items(), *(((id, "", "", "", ""), 0.0) for id in sorted(calm))]
        names = ("finding", "severity", "netns", "subject", "effect_of")
        yield from gauge("finding", "Whether this is wrong now", names, values)
        could_not = [((rule.id,), float(rule.id in silent)) for rule in RULES]
        yield from gauge("rule_silent", "Whether this could not be judged", names[:1], could_not)


def _about(snapshot: Snapshot, finding: Finding) -> Labels:
    subject = finding.subject
    known = snapshot.sample.owners.processes
    names = sorted({called(known[pid]) for pid in subject.pids if pid in known})
    place = subject.listener or subject.destination or ", ".join(names[:3])
    causes = {each.key: each.id for each in snapshot.findings}
    cause = causes.get(finding.because, "") if finding.because else ""
    space = snapshot.space(subject.netns) if subject.netns else ""
    return (finding.id, finding.severity, space, place, cause)
