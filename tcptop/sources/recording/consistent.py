"""What holds of every sample that was read from a host, and is relied on: a file may say other
things, each of which alone is a value of its type."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import fields

import numpy as np

from tcptop.model.sample import Owners, Sample
from tcptop.sources.recording.errors import DamagedError

LAST_YEAR = 253_402_300_799.0  # Unix time of the end of 9999, beyond which no date is written
LONGEST_S = 1e10
SOURCES = ("sock_diag", "procfs", "ss-dump")


def check(sample: Sample, before: Sample | None = None) -> None:
    """`before` was checked: what is the same in it is good. Raises DamagedError."""
    if not all(0 <= at <= LAST_YEAR for at in _dates(sample)):
        raise DamagedError("a sample was taken at no time")
    if not all(math.isfinite(each) and abs(each) < LONGEST_S for each in _durations(sample)):
        raise DamagedError("a sample took no time")
    if sample.source not in SOURCES:
        raise DamagedError("a sample comes from nowhere")
    same = before is not None and _are(sample.owners, before.owners)
    if not same:
        _check_owners(sample.owners)
    if not same or before is None or sample.sockets.inode is not before.sockets.inode:
        _check_holders(sample)
    for told in (sample.namespaces, sample.kernel):
        inodes = [each.inode if hasattr(each, "inode") else each.netns for each in told]
        if len({*inodes}) != len(inodes):
            raise DamagedError("a namespace is told twice")


def _are(owners: Owners, before: Owners) -> bool:
    """Whether all of it is the very same."""
    names = (item.name for item in fields(owners))
    return all(getattr(owners, name) is getattr(before, name) for name in names)


def _dates(sample: Sample) -> Iterator[float]:
    yield sample.taken_at
    for facts in sample.facts.values():
        yield facts.started_at
    for deaths in sample.deaths:
        yield from deaths.at[[0, -1]].tolist() if len(deaths.at) else ()


def _durations(sample: Sample) -> Iterator[float]:
    yield from (sample.clock, sample.host.uptime_s, sample.poll_ms, sample.interval_s or 0.0)
    yield from (each.clock or 0.0 for each in sample.namespaces)
    yield from (each.deaf_s for each in sample.deaths)
    yield from (each.read_at for each in sample.options.values())
    for route in sample.routes.values():
        confirmed_s = route.neighbour.confirmed_s if route.neighbour else None
        yield from (route.read_at, route.mtu_learned_s or 0.0, confirmed_s or 0.0)
    for facts in sample.facts.values():
        yield from (facts.state_s, facts.cpu_share or 0.0)
        yield from facts.busiest[1:] if facts.busiest else ()
        yield facts.stuck.for_s if facts.stuck else 0.0


def _check_owners(owners: Owners) -> None:
    named = owners.processes.keys()
    if any(pid != process.pid for pid, process in owners.processes.items()):
        raise DamagedError("a process is another one")
    if {*owners.pids.tolist(), *owners.in_flight, *owners.unlisted} - named:
        raise DamagedError("a process is not told of")
    if (owners.inodes[1:] < owners.inodes[:-1]).any():
        raise DamagedError("its owners are not in order")


def _check_holders(sample: Sample) -> None:
    """A socket may be held by thousands of processes, but not by those of all others too."""
    inodes, held = sample.sockets.inode, sample.owners.inodes
    left, right = (np.searchsorted(held, inodes, side) for side in ("left", "right"))
    entries = int((right - left)[inodes != 0].sum())
    if entries > 4 * (len(held) + len(inodes)):
        raise DamagedError("its sockets have more holders than are told of")
