"""A recording as an archive: any sample of it, and the index of all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcptop.model.archive import Numbered, SampleIndex
from tcptop.model.table import I64
from tcptop.sources.recording.reader import RecordingReader


class RecordingArchive:
    """Close it. Raises RecordingError and OSError."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._reader = RecordingReader(path)
        self._notes: dict[int, tuple[str, ...]] = {}
        self._index = SampleIndex(
            np.zeros(0, np.int64),
            np.zeros(0),
            np.zeros(0),
            np.zeros((0, 12), np.int64),
            np.zeros(0, np.int64),
        )

    def close(self) -> None:
        self._reader.close()

    def index(self) -> SampleIndex:
        """With what was written since it was asked for before."""
        known = int(self._index.number[-1]) if len(self._index) else -1
        for group in self._reader.entries(known + 1):
            numbers = np.arange(group.first, group.first + len(group.entries))
            new = numbers > known
            self._index = _more(self._index, numbers[new], group.entries[new], group.boot)
        return self._index

    def samples(self, number: int) -> Iterator[Numbered]:
        reader = self._reader
        for taken in reader.samples(number):
            if reader.damage:  # told by the sample after it, from wherever one comes to that
                self._notes[taken.number], reader.damage = tuple(reader.damage), []
            told = (*self._notes.get(taken.number, ()), *taken.sample.notes)
            yield taken._replace(sample=replace(taken.sample, notes=told))


def _more(index: SampleIndex, numbers: I64, entries: NDArray[Any], boot: int) -> SampleIndex:
    return SampleIndex(
        np.concatenate([index.number, numbers]),
        np.concatenate([index.taken_at, entries["taken_at"]]),
        np.concatenate([index.clock, entries["clock"]]),
        np.concatenate([index.by_state, entries["states"].astype(np.int64)]),
        np.concatenate([index.boot, np.full(len(numbers), boot)]),
    )


@contextmanager
def open_archive(path: str) -> Iterator[RecordingArchive]:
    archive = RecordingArchive(path)
    try:
        yield archive
    finally:
        archive.close()
