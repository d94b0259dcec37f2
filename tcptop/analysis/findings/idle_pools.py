"""A server that waits for none of its back ends: each of its connections there has its answer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tcptop.analysis.findings import parties, words
from tcptop.analysis.findings.groups import by_place
from tcptop.analysis.findings.observations import Observations
from tcptop.model import tcp
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.sample import Process

MANY = 3  # connections to one place are a pool
IDLE_S = 5.0


class IdlePool(NamedTuple):
    """Where the connections lead, all of which are at rest."""

    who: str
    where: str

    def told(self) -> str:
        return (
            f"{self.who} waits for none of its connections to {self.where}: each has its answer "
            "and is at rest."
        )

    def advice(self) -> str:
        return (
            f"See whether the pool of {self.who} to {self.where} is used up: connections that were "
            "taken and never given back (an exception, a transaction left open) are idle like "
            "these, and whoever needs one waits (QueuePool limit of SQLAlchemy, Connection is not "
            "available of HikariCP). "
        )


def idle_pool(seen: Observations, processes: Sequence[Process]) -> IdlePool | None:
    """Of the place to which these have opened most; None where one there is in use."""
    if not processes:
        return None
    table = seen.table
    mine = np.unique(np.concatenate([parties.held(seen, each) for each in processes]))
    mine = mine[(table.state[mine] == tcp.ESTABLISHED) & ~seen.accepted[mine]]
    groups = by_place(seen, mine) if len(mine) >= MANY else []
    if not groups or len(groups[0].rows) < MANY:
        return None
    rows = groups[0].rows
    sent, came = (table.since_s(f"last_data_{way}", rows) for way in ("sent", "recv"))
    rests = (came >= IDLE_S) & (came <= sent) & (table.info_of("data_segs_in", rows) > 0)
    rests &= (table.send_q[rows] == 0) & (table.recv_q[rows] == 0)
    return (
        IdlePool(words.called(processes[0]), groups[0].destination or "") if rests.all() else None
    )
