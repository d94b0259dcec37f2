"""Payloads -> samples, as they were; for every field of them this is what was encoded."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tcptop.model.sample import Sample
from tcptop.model.table import SocketTable
from tcptop.sources.recording import consistent, parts
from tcptop.sources.recording.errors import DamagedError
from tcptop.sources.recording.payload import ArrayReader
from tcptop.sources.recording.table_reader import (
    Arrays,
    Layout,
    read_changes,
    read_table,
    socket_table,
)
from tcptop.sources.recording.values import kind_of


class SampleDecoder:
    """Of one group, from its first sample on."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._old: Sample | None = None
        self._tables: dict[str, Arrays] = {}
        self._names: parts.Names = []
        self._numbers = np.zeros(0, np.int64)

    def decoded(self, payload: bytes) -> Sample:
        """Raises DamagedError."""
        try:
            sample = self._decoded(ArrayReader(payload))
            consistent.check(sample, self._old)
        except (TypeError, ValueError, LookupError, OverflowError) as error:
            raise DamagedError(f"a sample makes no sense: {error}") from error
        self._old = sample
        return sample

    def _decoded(self, arrays: ArrayReader) -> Sample:
        sample = self._values(arrays)
        old = self._old
        sockets, bound = (self._table(name, arrays) for name in ("sockets", "bound"))
        owners = parts.read_owners(sample.owners, old.owners if old else None, arrays)
        peaks = parts.read_peaks(sample.peaks, old.peaks if old else None, arrays)
        deaths = tuple(parts.read_deaths(sample.deaths, self._layout, arrays))
        numbers = self._counters(arrays)
        made = replace(sample, sockets=sockets, bound=bound, owners=owners, peaks=peaks)
        return parts.with_numbers(replace(made, deaths=deaths), self._names, numbers)

    def _values(self, arrays: ArrayReader) -> Sample:
        kind = kind_of(Sample)
        if "whole" in arrays.head:
            self._old, self._tables, self._names = None, {}, []
            sample: Sample = kind.value(arrays.head["whole"])
        elif self._old is None:
            raise DamagedError("a group begins with a change")
        else:
            sample = kind.changed(self._old, arrays.head.get("change"))
        return sample

    def _table(self, name: str, arrays: ArrayReader) -> SocketTable:
        head = arrays.part(name)
        if self._old is None:
            columns = read_table(self._layout, head, arrays)
        else:
            columns = read_changes(self._layout, self._tables[name], head, arrays)
        self._tables[name] = columns
        return socket_table(columns)

    def _counters(self, arrays: ArrayReader) -> NDArray[np.int64]:
        names = arrays.head.get("counters")
        if names is None:
            moved = arrays.take_residuals("u8", len(self._numbers)).view(np.int64)
            self._numbers = self._numbers + moved
        else:
            self._numbers = arrays.take("i8", parts.how_many(names))
            self._names = names
        return self._numbers
