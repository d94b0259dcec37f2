"""Samples that do not tell on which machine they were recorded, nor when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from tcptop.model.route import RouteKey
from tcptop.model.sample import Host, Owners, Process, Sample
from tcptop.model.socket_id import SocketId
from tcptop.model.table import SocketTable

TAKEN_AT, CLOCK = 1_767_225_600.0, 1000.0  # of the first sample: 2026-01-01T00:00:00Z
NETNS = 4_026_532_000
CGROUP_ID, CGROUP = 77, "/system.slice/shop.service"
HOST = Host("shop-1", "6.18.5", 86_400.0)
FIRST_PID = 1200


class Neutral:
    """To be given the samples of one recording in order."""

    def __init__(self, first: Sample) -> None:
        self._first = first
        self._pids: dict[int, int] = {}

    def sample(self, real: Sample) -> Sample:
        """The same sockets, elsewhere."""
        later = real.clock - self._first.clock
        return replace(
            real,
            taken_at=TAKEN_AT + later,
            clock=CLOCK + later,
            host=replace(HOST, uptime_s=HOST.uptime_s + later),
            poll_ms=3.0,
            sockets=_sockets(real.sockets),
            bound=_sockets(real.bound),
            owners=self._owners(real.owners),
            peaks=replace(real.peaks, netns=np.full_like(real.peaks.netns, NETNS)),
            namespaces=tuple(replace(each, inode=NETNS, name="demo") for each in real.namespaces),
            kernel=tuple(replace(each, netns=NETNS) for each in real.kernel),
            cgroups={CGROUP_ID: CGROUP},
            users={0: "root"},
            options={_socket(key): self._read(each) for key, each in real.options.items()},
            routes={_way(route_key): self._read(each) for route_key, each in real.routes.items()},
            notes=(),
        )

    def _read(self, made: Any) -> Any:
        return replace(made, read_at=made.read_at - self._first.clock + CLOCK)

    def _pid(self, pid: int) -> int:
        return self._pids.setdefault(pid, FIRST_PID + 11 * len(self._pids))

    def _owners(self, real: Owners) -> Owners:
        processes: Mapping[int, Process] = {
            self._pid(p): self._process(real.processes[p]) for p in sorted(real.processes)
        }
        pids = np.array([self._pid(pid) for pid in real.pids.tolist()], np.int64)
        return replace(
            real, pids=pids, processes=processes, unreadable=0, unreadable_uids=frozenset()
        )

    def _process(self, real: Process) -> Process:
        return replace(
            real,
            pid=self._pid(real.pid),
            cmdline=f"/usr/bin/{real.name}",
            start_time=8_000_000,
            cgroup=CGROUP,
            netns=NETNS if real.netns is not None else None,
        )


def _sockets(real: SocketTable) -> SocketTable:
    netns = np.full_like(real.netns, NETNS)
    cgroup_id = np.where(real.cgroup_id > 0, np.uint64(CGROUP_ID), np.uint64(0))
    return replace(real, netns=netns, cgroup_id=cgroup_id)


def _socket(real: SocketId) -> SocketId:
    return real._replace(netns=NETNS)


def _way(real: RouteKey) -> RouteKey:
    return real._replace(netns=NETNS)
