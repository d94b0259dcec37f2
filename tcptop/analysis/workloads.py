"""Whose each socket is, with a process or without: its unit and container.

The process that holds a socket tells, else the one that listens where it waits, else the control
group that the socket was made in, else the process whose it apparently was.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from zlib import crc32

import numpy as np

from tcptop.analysis.apparent import inferred
from tcptop.analysis.made_in import made_in
from tcptop.model.arrays import distinct
from tcptop.model.container import Workload
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.snapshot import Snapshot
from tcptop.model.table import I64, Index


class Workloads(NamedTuple):
    """`of` has for each socket its place in `found`, which has each once."""

    of: Index
    found: tuple[Workload, ...]


@lru_cache(maxsize=2)
def workloads(snapshot: Snapshot) -> Workloads:
    """Of the sockets of a snapshot."""
    apparent, sample = inferred(snapshot), snapshot.sample
    people = apparent.processes
    first, waits = snapshot.holders.first(), snapshot.queue >= 0
    first = np.where((first < 0) & waits, first[snapshot.queue], first) if len(first) else first
    first = np.where((first < 0) & (snapshot.cgroup == 0), apparent.process, first)
    told = np.array([each.cgroup is not None for each in people] + [False], bool)[first]
    numbers, _, group, _ = distinct(np.where(told, 0, snapshot.cgroup))
    names = {box.id: box.name for each in people if (box := each.container) and box.name}
    found = [Workload(each.unit, each.container) for each in people]
    made = [_named(made_in(sample, n), names) for n in numbers.tolist()]
    numbered = {each: number for number, each in enumerate(dict.fromkeys([*found, *made]))}
    places = np.array([numbered[each] for each in (*found, *made)], np.int64)
    return Workloads(places[np.where(told, first, len(found) + group)], (*numbered,))


@lru_cache(maxsize=2)
def merged(snapshot: Snapshot) -> Workloads:
    """The same, with one for each container, whatever units run in it."""
    told = workloads(snapshot)
    alike = [each._replace(unit=None) if each.container else each for each in told.found]
    numbered = {each: number for number, each in enumerate(dict.fromkeys(alike))}
    places = np.array([numbered[each] for each in alike], np.int64)
    return Workloads(places[told.of], (*numbered,))


@lru_cache(maxsize=2)
def by_number(snapshot: Snapshot) -> Mapping[int, Workload]:
    """What `merged` has found, by its number."""
    told = merged(snapshot)
    return dict(zip(numbers(told).tolist(), told.found, strict=True))


def _named(found: Workload, names: Mapping[str | None, str]) -> Workload:
    """With the name of its container; `names` are by id."""
    box = found.container
    return found if box is None else found._replace(container=box._replace(name=names.get(box.id)))


def numbers(told: Workloads) -> I64:
    """Of each workload a number that it has in every sample, whether its name is known yet or
    not."""
    boxes = [each.container for each in told.found]
    keys = [box and (box.runtime, box.id or box.name) for box in boxes]
    texts = [repr((each.unit, key)) for each, key in zip(told.found, keys, strict=True)]
    return np.array([crc32(text.encode("utf-8", "replace")) for text in texts], np.int64)
