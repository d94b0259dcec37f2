"""All that is served, and what must be known of earlier samples for it."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import Metric

from tcptop import __version__
from tcptop.analysis.tallies import Highest, Tallies
from tcptop.model.selection import Selection
from tcptop.model.snapshot import Snapshot
from tcptop.views.metrics.destinations import destinations
from tcptop.views.metrics.families import Labels, counter, gauge
from tcptop.views.metrics.findings import Findings
from tcptop.views.metrics.host import host
from tcptop.views.metrics.listeners import LISTENERS, REST, listeners
from tcptop.views.metrics.processes import processes


class Scrape:
    """Used by one thread."""

    def __init__(self) -> None:
        self._drops: Tallies[Labels] = Tallies(LISTENERS, REST)
        self._closed: Highest[Labels] = Highest()
        self._findings = Findings()
        self.samples = 0
        self.failures = 0

    def understood(self, selection: Selection) -> list[Metric]:
        """What is served until the next sample."""
        self.samples += 1
        return [
            *host(selection.snapshot, self._closed),
            *processes(selection),
            *listeners(selection, self._drops),
            *destinations(selection),
            *self._findings.metrics(selection.snapshot),
            *_own(selection.snapshot),
        ]

    def counted(self) -> list[Metric]:
        """Of the samples themselves."""
        return [
            *counter("samples", "Samples taken", (), [((), self.samples)]),
            *counter("sample_failures", "Samples that failed", (), [((), self.failures)]),
        ]


def _own(snapshot: Snapshot) -> Iterator[Metric]:
    sample = snapshot.sample
    yield from gauge("build_info", "The version", ("version",), [((__version__,), 1.0)])
    yield from gauge(
        "last_sample_timestamp_seconds",
        "When the last sample was taken",
        (),
        [((), sample.taken_at)],
    )
    yield from gauge(
        "sample_duration_seconds", "What the last sample took", (), [((), sample.poll_ms / 1000)]
    )
