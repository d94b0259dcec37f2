"""What a single look knows: nothing of rates, whatever had been seen before."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from tcptop.analysis.derive import derive
from tcptop.analysis.findings.settings import FindingSettings
from tcptop.analysis.history import History
from tcptop.model.snapshot import Snapshot

RATE = re.compile(r"\d/s\b|\b(?:a|per) second\b|\b(?:with)?in the last\b|\brises?\b|\bshort conn")


def alone(snapshot: Snapshot, settings: FindingSettings) -> Snapshot:
    """What is told where this sample is the only one."""
    sample = replace(snapshot.sample, interval_s=None, deaths=())
    return derive(sample, History(), settings)[0]


def rates(snapshot: Snapshot) -> Iterator[str]:
    """Sentences that claim one; there should be none."""
    for finding in snapshot.findings:
        for sentence in (finding.title, *finding.evidence):
            if RATE.search(sentence):
                yield f"{finding.id}: {sentence}"
