"""What was found under watch, in words."""

from __future__ import annotations

from collections.abc import Iterator

from tcptop.model.finding import Finding
from tests.healthy.watching import Watched

LOUD = ("warning", "critical")


def found(side: Watched, severities: tuple[str, ...]) -> Iterator[str]:
    """One text for each finding, with the evidence of the look at which it was last seen."""
    seen: dict[tuple[str, str], list[tuple[float, Finding]]] = {}
    for at, finding in side.found:
        if finding.severity in severities:
            seen.setdefault((finding.key, finding.severity), []).append((at, finding))
    for times in seen.values():
        (first, _), (last, finding) = times[0], times[-1]
        yield "\n    ".join(
            [
                f"{side.load.name} ({side.side}), {first:.0f} to {last:.0f} s, {len(times)} looks: "
                f"{finding.severity} {finding.id}: {finding.title}",
                *finding.evidence,
                f"values: {dict(finding.values)}",
                f"because: {finding.because}",
            ]
        )
