"""Effects folded into their causes: one trouble is shouted once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from tcptop.analysis.findings.folds import listeners
from tcptop.analysis.findings.look import Look
from tcptop.model.finding import Finding

# (effect, a possible cause, the look) -> whether the one explains the other
Explains = Callable[[Finding, Finding, Look], bool]


def folded(findings: Iterable[Finding], look: Look) -> list[Finding]:
    """The findings, each with the key of the one that explains it, if one does."""
    every = list(findings)
    return [replace(finding, because=_cause(finding, every, look)) for finding in every]


def _cause(finding: Finding, every: list[Finding], look: Look) -> str | None:
    for effect, cause, explains in PAIRS:
        others = every if finding.id == effect else []
        for other in others:
            if other.id == cause and other.key != finding.key and explains(finding, other, look):
                return other.key
    return None


PAIRS: tuple[tuple[str, str, Explains], ...] = (
    ("connect-unanswered", "accept-queue-overflow", listeners.unanswered),
    ("connect-unanswered", "syn-queue-full", listeners.unanswered),
    ("black-hole", "accept-queue-overflow", listeners.retransmitting),
    ("zero-window-peer", "accept-queue-overflow", listeners.retransmitting),
    ("syn-queue-full", "accept-queue-overflow", listeners.same_listener),
    ("syn-flood", "accept-queue-overflow", listeners.same_listener),
    ("syn-queue-full", "syn-flood", listeners.same_listener),
)
