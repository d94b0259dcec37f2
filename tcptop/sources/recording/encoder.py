"""Samples -> payloads: the first of a group whole, the others by what has changed."""

from __future__ import annotations

from typing import Any

from tcptop.model.sample import Sample
from tcptop.sources.recording import parts
from tcptop.sources.recording.payload import ArrayWriter
from tcptop.sources.recording.table_writer import write_changes, write_table
from tcptop.sources.recording.values import SAME, kind_of

TABLES = ("sockets", "bound")


class SampleEncoder:
    """Remembers the sample before."""

    def __init__(self) -> None:
        self._old: Sample | None = None
        self._names: parts.Names = []

    def encoded(self, sample: Sample, key: bool) -> bytes:
        """A payload; a `key` needs none before it."""
        if key:
            self._old, self._names = None, []
        arrays = ArrayWriter()
        head = {**self._values(sample), **self._tables(sample, arrays)}
        old = self._old
        head["owners"] = parts.write_owners(old.owners if old else None, sample.owners, arrays)
        head["peaks"] = parts.write_peaks(old.peaks if old else None, sample.peaks, arrays)
        head["deaths"] = parts.write_deaths(sample.deaths, arrays)
        head |= self._numbers(sample, arrays)
        self._old = sample
        return arrays.payload(head)

    def _values(self, sample: Sample) -> dict[str, Any]:
        if self._old is None:
            return {"whole": kind_of(Sample).plain(sample)}
        change = kind_of(Sample).change(self._old, sample)
        return {"change": {} if change is SAME else change}

    def _tables(self, sample: Sample, arrays: ArrayWriter) -> dict[str, Any]:
        if self._old is None:
            return {name: write_table(getattr(sample, name), arrays) for name in TABLES}
        usual = min(round((sample.clock - self._old.clock) * 1000), (1 << 31) - 1)
        pairs = ((name, getattr(self._old, name), getattr(sample, name)) for name in TABLES)
        return {
            name: write_changes(old, new, usual, arrays) if len(old) or len(new) else {}
            for name, old, new in pairs
        }

    def _numbers(self, sample: Sample, arrays: ArrayWriter) -> dict[str, Any]:
        kernels = (*sample.kernel, *sample.unentered)
        names, numbers = parts.names_of(kernels), parts.numbers_of(kernels)
        if names == self._names and self._old is not None:
            before = parts.numbers_of((*self._old.kernel, *self._old.unentered))
            arrays.add_residuals(numbers - before)
            return {}
        self._names = names
        arrays.add(numbers)
        return {"counters": names}
