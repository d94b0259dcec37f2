"""Whose each socket is, with a process or without: its unit and container.

The process that holds a socket tells, else the one that listens where it waits, else the control
group that the socket was made in, which the kernel keeps with it (sk_cgrp_data). Connections have
their listener's; one that systemd listened for is made in init.scope, so a process comes first.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple
from zlib import crc32

import numpy as np

from tcptop.model.arrays import distinct
from tcptop.model.container import Container, Workload, container_of, unit_of
from tcptop.model.snapshot import Snapshot
from tcptop.model.table import I64, Index

NOBODYS = Workload(None, None)
# Where cgroup v1 is in use it alone may know a container, whose sockets are made in the cgroup2 of
# what has started it.
_STARTERS = re.compile(
    r"(?:.*[.-])?(?:docker|dockerd|containerd|crio|cri-o|kubelet|k3s|k3s-agent|rke2-server|rke2-agent"
    r"|podman|lxc|lxd|incus)\.service|session-.+\.scope|user@.+\.service|init\.scope"
)


class Workloads(NamedTuple):
    """`of` has for each socket its place in `found`, which has each once."""

    of: Index
    found: tuple[Workload, ...]


@lru_cache(maxsize=2)
def workloads(snapshot: Snapshot) -> Workloads:
    """Of the sockets of a snapshot."""
    people, sample = snapshot.holders.processes, snapshot.sample
    first, waits = snapshot.holders.first(), snapshot.queue >= 0
    first = np.where((first < 0) & waits, first[snapshot.queue], first) if len(first) else first
    told = np.array([each.cgroup is not None for each in people] + [False], bool)[first]
    numbers, _, group, _ = distinct(np.where(told, 0, snapshot.cgroup))
    names = {box.id: box.name for each in people if (box := each.container) and box.name}
    found = [Workload(each.unit, each.container) for each in people]
    made = [_made_in(sample.cgroups.get(n), names, sample.cgroups_v1) for n in numbers.tolist()]
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


def numbers(told: Workloads) -> I64:
    """Of each workload a number that it has in every sample, whether its name is known yet or
    not."""
    boxes = [each.container for each in told.found]
    keys = [box and (box.runtime, box.id or box.name) for box in boxes]
    texts = [repr((each.unit, key)) for each, key in zip(told.found, keys, strict=True)]
    return np.array([crc32(text.encode("utf-8", "replace")) for text in texts], np.int64)


def _made_in(path: str | None, names: Mapping[str | None, str], v1: bool) -> Workload:
    """The workload of a control group; `names` are those of containers, by id."""
    unit, box = unit_of(path), container_of(path)
    if box is None and v1 and unit is not None and _STARTERS.fullmatch(unit):
        return NOBODYS
    return Workload(unit, box and _named(box, names))


def _named(box: Container, names: Mapping[str | None, str]) -> Container:
    return box._replace(name=names.get(box.id))
