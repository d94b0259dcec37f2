"""Other ports of a host that does not answer at one: what went well there, and is over.

A filter that drops one port leaves the others; of a host that is down nothing comes at all.
"""

from __future__ import annotations

import numpy as np

from tcptop.analysis.dialing import Callee
from tcptop.analysis.findings.ended import called_there, lately
from tcptop.analysis.findings.how_ended import accepted
from tcptop.analysis.findings.observations import Observations
from tcptop.model.arrays import sorted_unique
from tcptop.model.named_tuple import NamedTuple

NAMED = 3


class OtherPorts(NamedTuple):
    """So many connections to other `ports` of it brought something meanwhile, and have ended."""

    number: int
    ports: tuple[int, ...]

    @property
    def named(self) -> str:
        some = [f":{port}" for port in self.ports[:NAMED]]
        return ", ".join(some) + (" and others" if len(self.ports) > NAMED else "")


def answered(seen: Observations, to: Callee, seconds: float) -> OtherPorts:
    """What came within these seconds."""
    closed = lately(seen, seconds)
    since = seen.sample.taken_at - seconds
    there = called_there(closed, to, with_port=False)
    came = closed.opened & (closed.known("data_segs_in") > 0) & there
    came &= closed.at - np.nan_to_num(closed.known("last_data_recv")) / 1000 >= since
    came &= (closed.remote_port != to.remote_port) & (closed.remote_port > 0)
    came &= ~accepted(seen, closed)
    return OtherPorts(
        int(np.count_nonzero(came)), tuple(sorted_unique(closed.remote_port[came]).tolist())
    )
