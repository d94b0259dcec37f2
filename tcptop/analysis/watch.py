"""The watch: sample after sample from a source, understood in the light of those before."""

from __future__ import annotations

from dataclasses import replace

from tcptop.analysis.derive import derive
from tcptop.analysis.findings import windows
from tcptop.analysis.findings.settings import DEFAULTS, FindingSettings
from tcptop.analysis.history import History
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.sample import Sample
from tcptop.model.snapshot import Snapshot
from tcptop.model.source import NO_REQUESTS, FactsSource, SeekableSource, Source, Stop

CLOCK_ERROR_S = 1e-3


class Known(NamedTuple):
    """All that a watch knows of the samples before the next one."""

    history: History = History()
    boot_id: str | None = None


class WatchLoop:
    """Every snapshot is made here. Used by one thread, but for `requests`.

    `requests` are those of whoever looks at the snapshots; the findings have their own.
    """

    def __init__(self, source: Source, settings: FindingSettings = DEFAULTS) -> None:
        self.requests = NO_REQUESTS
        self._source = source
        self.settings = settings
        self.known = Known()
        self._by_findings = NO_REQUESTS

    def step(self) -> Snapshot:
        """The next snapshot. Raises what Source.sample does."""
        self._source.request(self.requests | self._by_findings)
        return self._understood(self._source.sample())

    def completed(self, first: Snapshot) -> Snapshot:
        """A first one that no other will follow, with the facts for which its findings ask."""
        source, asked = self._source, self.requests | self._by_findings
        if not asked.processes or not isinstance(source, FactsSource):
            return first
        source.request(asked)
        self.known = Known()
        return self._understood(replace(first.sample, facts=source.facts()))

    def wait(self, interval: float, stop: Stop) -> bool:
        """As Source.wait."""
        return self._source.wait(interval, stop)

    def seek(self, taken_at: float) -> Snapshot:
        """That of a moment of a SeekableSource; `step` goes on from there."""
        assert isinstance(self._source, SeekableSource)
        self.known = self.known._replace(history=History())
        snapshot = None
        for sample in self._source.seek(taken_at):  # one at a time: they may be large
            snapshot = self._understood(sample)
        assert snapshot is not None
        return snapshot

    def _understood(self, sample: Sample) -> Snapshot:
        history, boot_id = self.known
        if sample.host.boot_id != boot_id:
            history = History()
        snapshot, history = derive(sample, history, self.settings)
        self.known = Known(history, sample.host.boot_id)
        self._by_findings = snapshot.requests
        return snapshot


def watched(loop: WatchLoop, interval: float, over_s: float, stop: Stop) -> Snapshot:
    """The last snapshot of a watch of `over_s` seconds, or until stopped; of one look for 0.

    Where looks take long it lasts longer: what rules call steady is seen in several intervals.
    """
    snapshot = loop.step()
    end, least = snapshot.sample.clock + over_s, min(windows.LEAST, over_s // interval)
    while (left := end - snapshot.sample.clock) > CLOCK_ERROR_S or least > 0:
        if loop.wait(min(interval, left) if left > CLOCK_ERROR_S else interval, stop):
            break
        snapshot = loop.step()
        least -= 1
    return snapshot if over_s > 0 else loop.completed(snapshot)
