"""Finding: what is wrong, with whom, how that is known and what to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

SEVERITIES = ("info", "warning", "critical")  # from least to worst


@dataclass(frozen=True, slots=True)
class Subject:
    """Who is concerned. Addresses are text as ss prints them; `cookies` name sockets, not all."""

    netns: int
    pids: tuple[int, ...] = ()
    listener: str | None = None  # address:port
    destination: str | None = None  # address:port, or a network
    cookies: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """One trouble at one moment.

    `key` is the same for the same subject from look to look. `since` is Unix time, as far back as
    tcptop or the kernel's clocks know. `because` is the key of the finding that explains this one.
    """

    id: str
    key: str
    severity: str  # one of SEVERITIES
    title: str
    subject: Subject
    values: Mapping[str, float] = field(default_factory=dict)
    evidence: tuple[str, ...] = ()
    advice: str = ""
    confirm: str = ""
    since: float | None = None
    because: str | None = None


def worst_first(finding: Finding) -> tuple[bool, int, float, str]:
    """Sort key: causes before what they explain, then by severity, then the oldest."""
    severity = SEVERITIES.index(finding.severity)
    return finding.because is not None, -severity, finding.since or 0.0, finding.key
