"""A device where a host is asked for in vain, and nobody else is heard.

A subnet that a bridge of containers or a VPN has, too, takes the addresses of another network: its
route is the more exact one, and the hosts asked for there are elsewhere.
"""

from __future__ import annotations

import numpy as np

from tcptop.analysis.findings.ended import lately
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.unanswered import LATELY_S, Unanswered
from tcptop.analysis.findings.unanswered import answered as heard
from tcptop.model.address import halves
from tcptop.model.named_tuple import NamedTuple


class Deserted(NamedTuple):
    """`prefix` is the route that leads there, `own` the address of this host on it."""

    device: str
    prefix: str
    own: str


def deserted(seen: Observations, case: Unanswered) -> Deserted | None:
    """None where others are heard there, a gateway is asked for, or no other device is there by
    which another route might lead."""
    route = seen.route(case.way) if case.way else None
    if route is None or case.way is None or route.link is None or route.gateway is not None:
        return None
    if not _others(seen, case.callee.netns, route.link.name):
        return None
    table, closed = seen.table, lately(seen, LATELY_S)
    hi, lo = (np.uint64(half) for half in halves(case.way.local))
    mine = (table.local_hi == hi) & (table.local_lo == lo) & (table.netns == case.callee.netns)
    came = closed.opened & (closed.local_hi == hi) & (closed.local_lo == lo)
    came &= (closed.netns == case.callee.netns) & (closed.known("segs_in") > 0)
    if len(heard(seen, np.flatnonzero(mine))) or came.any():
        return None
    return Deserted(route.link.name, route.prefix or "", case.way.local)


def _others(seen: Observations, netns: int, device: str) -> set[str]:
    devices = (each.interfaces.values() for each in seen.sample.namespaces if each.inode == netns)
    return {name for names in devices for name in names} - {"lo", device}
