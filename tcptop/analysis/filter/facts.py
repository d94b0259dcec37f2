"""Facts: what the predicates of a filter may ask, one look at the sockets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field

import numpy as np

from tcptop.model.closed import Closed
from tcptop.model.container import Workload
from tcptop.model.dataclass import dataclass
from tcptop.model.sample import Process
from tcptop.model.table import EMPTY, F64, I64, U8, Index, SocketTable


def _none() -> I64:
    return np.zeros(0, np.int64)


@dataclass(frozen=True, eq=False, slots=True)
class Facts:
    """The sockets and what is known about them; what is left out is unknown.

    `holder_rows` and `holder_pids` have one entry per (row of the table, process) pair. `owner`
    holds codes of tcptop.model.owner, `age_s` seconds or NaN, each with one entry per row.
    `backlog_told`: send_q of a LISTEN row is its backlog, and not just 0 as in /proc/net/tcp.
    `interfaces` is network namespace -> index -> name, `port_ranges` namespace -> (low, high).
    """

    table: SocketTable = EMPTY
    holder_rows: Index = field(default_factory=_none)
    holder_pids: I64 = field(default_factory=_none)
    processes: Mapping[int, Process] = field(default_factory=dict)  # by pid
    users: Mapping[int, str] = field(default_factory=dict)
    cgroups: Mapping[int, str] = field(default_factory=dict)
    namespaces: Mapping[int, str | None] = field(default_factory=dict)
    interfaces: Mapping[int, Mapping[int, str]] = field(default_factory=dict)
    port_ranges: Mapping[int, tuple[int, int]] = field(default_factory=dict)
    owner: U8 | None = None
    age_s: F64 | None = None
    ended: Closed | None = None  # the table is of these: only their ends and last states are known
    backlog_told: bool = True
    workload: Index | None = None  # of each row its place in `workloads`
    workloads: Sequence[Workload] = ()
