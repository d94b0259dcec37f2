"""A file that is one moment as an archive: what `ss -D` wrote, or a JSON snapshot."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np

from tcptop.model.archive import Archive, Numbered, SampleIndex
from tcptop.model.sample import Sample
from tcptop.sources import file_kind

NUMBER = 1
FINDINGS = (
    "A JSON snapshot is one moment: findings are those of a first sample. `tcptop check --from` "
    "tells those that are in it."
)
PART = "It does not have all sockets of its moment."


class OneSample:
    """An Archive."""

    def __init__(self, sample: Sample) -> None:
        self._sample = sample

    def index(self) -> SampleIndex:
        sample = self._sample
        states = np.bincount(sample.sockets.state, minlength=12)[:12].astype(np.int64)
        return SampleIndex(
            np.array([NUMBER]),
            np.array([sample.taken_at]),
            np.array([sample.clock]),
            states[None, :],
            np.zeros(1, np.int64),
        )

    def samples(self, number: int) -> Iterator[Numbered]:
        if number <= NUMBER:
            yield Numbered(NUMBER, self._sample)


@contextmanager
def open_moments(path: str) -> Iterator[Archive]:
    """A file of any kind. Raises OSError and ValueError."""
    kind = file_kind.kind(path)
    if kind == file_kind.RECORDING:
        from tcptop.sources.recording.archive import open_archive

        with open_archive(path) as archive:
            yield archive
    elif kind == file_kind.DUMP:
        from tcptop.sources import ss_dump

        yield OneSample(ss_dump.read(path))
    else:
        yield OneSample(_of_snapshot(path))


def _of_snapshot(path: str) -> Sample:
    from tcptop.sources import snapshot_json

    read = snapshot_json.read(path)
    notes = (FINDINGS,) if read.whole else (FINDINGS, PART)
    return replace(read.sample, notes=(*notes, *read.sample.notes))
