"""The samples of one group, one after another: payloads checked, and decoded."""

from __future__ import annotations

import time
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tcptop.model.named_tuple import NamedTuple
from tcptop.model.sample import Sample
from tcptop.sources.recording.decoder import SampleDecoder
from tcptop.sources.recording.errors import DamagedError
from tcptop.sources.recording.schema import INDEX, SAMPLES
from tcptop.sources.recording.table_reader import Layout
from tcptop.sources.recording.zstd import Inflater

PAYLOAD = 1 << 30  # bytes of a sample, at most: two million sockets
RATIO, ALLOWANCE = 1000, 4 << 20  # what a group may grow by: five times what idle sockets reach
DECODE_S = 120.0  # of a group: a minute of 100,000 sockets takes some seconds


class Group(NamedTuple):
    """As the file has it; `entries` has a row for each sample."""

    last: int
    first: int
    layout: Layout
    entries: NDArray[Any]
    data: bytes


def index_of_group(data: bytes, many: int) -> NDArray[Any]:
    """What `grp.idx` tells. Raises DamagedError."""
    if not 0 < many <= SAMPLES:
        raise DamagedError(f"a group of {many} samples")
    return np.frombuffer(Inflater(data).read(many * INDEX.itemsize), INDEX)


def payloads(group: Group) -> Iterator[bytes]:
    """Raises DamagedError."""
    raw = group.entries["raw"].tolist()
    if max(raw) > PAYLOAD or sum(raw) > len(group.data) * RATIO + ALLOWANCE:
        raise DamagedError("a group is larger than its data can be")
    inflater = Inflater(group.data)
    for size, crc in zip(raw, group.entries["crc"].tolist(), strict=True):
        payload = inflater.read(size)
        if zlib.crc32(payload) != crc:
            raise DamagedError("a sample's checksum is wrong")
        yield payload


def samples(group: Group) -> Iterator[Sample]:
    """Raises DamagedError."""
    decoder, end = SampleDecoder(group.layout), time.monotonic() + DECODE_S
    for payload in payloads(group):
        if time.monotonic() > end:
            raise DamagedError("a group takes too long to read")
        yield decoder.decoded(payload)
