"""Samples and recordings for the tests."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from tcptop.model.sample import Sample
from tcptop.sources.recording.reader import RecordingReader
from tcptop.sources.recording.writer import RecordingWriter
from tests.unit.prepared import everything


def samples(many: int, first: Sample | None = None, step_s: float = 1.0) -> Iterator[Sample]:
    """In which clocks go on, some sockets talk, come and go."""
    random = np.random.default_rng(1)
    one = first or everything()
    table = one.sockets
    for number in range(many):
        rows = np.sort(random.choice(len(table), len(table) - 2, replace=False))
        now = table.take(rows)
        now.info[::3, 40] += np.uint32(number * 100)
        now.cookie[-1] += np.uint64(number)
        passed = number * step_s
        yield replace(
            one,
            taken_at=one.taken_at + passed,
            clock=one.clock + passed,
            interval_s=step_s,
            sockets=now,
        )


def recorded(path: Path, taken: Iterable[Sample]) -> Path:
    writer = RecordingWriter(str(path))
    for each in taken:
        writer.add(each)
    writer.close()
    return path


def read(path: Path) -> list[Sample]:
    """All of them; nothing may be damaged."""
    reader = RecordingReader(str(path))
    try:
        found = [each.sample for each in reader.samples()]
        assert reader.damage == []
    finally:
        reader.close()
    return found
