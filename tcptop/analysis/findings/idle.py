"""Idle connections, for the two rules about keepalive."""

from __future__ import annotations

import numpy as np

from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.rule import Limits
from tcptop.model import tcp
from tcptop.model.table import F64, Bools, Index

NO_TIMER = (0, tcp.DELACK)


def timeout(seen: Observations, limits: Limits) -> float:
    """Seconds after which what is on the way forgets an idle connection."""
    chosen = seen.settings.idle_timeout_s
    return limits["idle_s"] if chosen is None else chosen


def quiet_s(seen: Observations, rows: Index) -> F64:
    """Seconds since data or an acknowledgement went either way; NaN where not known."""
    return np.fmin(seen.table.since_s("last_data_sent", rows), unheard_s(seen, rows))


def unheard_s(seen: Observations, rows: Index) -> F64:
    """Seconds since data or an acknowledgement came, as keepalive_time_elapsed() counts them."""
    clocks = (seen.table.since_s(name, rows) for name in ("last_data_recv", "last_ack_recv"))
    return np.fmin(*clocks)


def held(seen: Observations) -> Bools:
    """Connections that a process has open, with nothing under way: no other timer hides the
    keepalive's."""
    table = seen.table
    open_: Bools = (table.state == tcp.ESTABLISHED) & (table.inode != 0) & (table.send_q == 0)
    return open_
