"""Effects folded into their causes: one trouble is shouted once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

from tcptop.analysis.findings.folds import closing, listeners, readers
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
    ("zero-window-peer", "recv-queue-unread", readers.other_end),
    ("recv-queue-unread", "close-wait-unread", readers.same_process),
    ("retransmission-rate", "accept-queue-overflow", listeners.repeated),
    ("syn-queue-full", "accept-queue-overflow", listeners.same_listener),
    ("syn-flood", "accept-queue-overflow", listeners.same_listener),
    ("syn-queue-full", "syn-flood", listeners.same_listener),
    ("accept-queue-overflow", "fd-limit", closing.no_descriptor_to_accept_with),
    ("half-closed", "close-wait-leak", closing.other_end_does_not_close),
    ("half-closed", "close-wait-unread", closing.other_end_does_not_close),
    ("fd-limit", "close-wait-leak", closing.descriptors_leak),
    ("fd-limit", "close-wait-unread", closing.descriptors_leak),
    ("ephemeral-port-exhaustion", "close-wait-leak", closing.ports_leak),
    ("ephemeral-port-exhaustion", "connection-churn", closing.churn_takes_ports),
    ("time-wait-pressure", "connection-churn", closing.churn_fills_time_wait),
)
