"""Control groups of another host by id."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping

from tcptop.model.arrays import sorted_unique
from tcptop.model.table import U64
from tcptop.sources import cgroups, procfs
from tcptop.sources.via.holders import Ask

AGAIN_S = 10.0
MOST = 16 << 20
PATH = 4096
_GROUP = re.compile(rb"^ *(\d{1,20}) \.(.*)$", re.MULTILINE)


class ToldCgroups:
    """Paths by id, asked for when there is a new id, as `sources.cgroups.Cgroups`."""

    def __init__(self, ask: Ask, clock: Callable[[], float] = time.monotonic) -> None:
        self._ask, self._clock = ask, clock
        self._paths: dict[int, str] = {}
        self._next = 0.0
        self.v1 = self.mounted = False

    def paths(self, ids: U64) -> Mapping[int, str]:
        """Those of the ids that are known; 0 is none. Raises ViaError."""
        wanted = set(sorted_unique(ids).tolist()) - {0}
        if wanted - self._paths.keys() and self._clock() >= self._next:
            self._look()
            self._next = self._clock() + AGAIN_S
        return {number: self._paths[number] for number in wanted if number in self._paths}

    def _look(self) -> None:
        told = self._ask("cgroups", MOST)
        self.v1 = cgroups.has_v1(told["mounts"])
        self.mounted = cgroups.find_mount(told["mounts"]) is not None
        groups = _GROUP.finditer(told["cgroups"])
        self._paths |= {int(m[1]): procfs.text(m[2][:PATH]) or "/" for m in groups}
