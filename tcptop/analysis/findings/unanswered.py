"""Connection attempts: for how long each has been waiting for its answer."""

from __future__ import annotations

from itertools import islice
from typing import NamedTuple

import numpy as np

from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.timeouts import ENDLESS, RTO_INIT_S
from tcptop.model import tcp
from tcptop.model.arrays import row_hash, rows_by_key
from tcptop.model.table import F64, Index


def age_s(seen: Observations, rows: Index) -> F64:
    """Of SYN_SENT rows, seconds at least, from one sample.

    The timeouts that ran out, and what has passed of the present one. tcp_info tells how many of
    them doubled: the first ones do not since 6.5 (tcp_retransmit_timer, net/ipv4/tcp_timer.c).
    """
    table = seen.table
    known = table.info_size[rows] > 0
    again = table.retrans[rows].astype(np.float64)
    doubled = np.where(known, table.tcp_info("backoff")[rows], 0).astype(np.float64)
    doubled = np.minimum(doubled, again)
    timeout = np.where(known, table.tcp_info("rto")[rows] / 1e6, RTO_INIT_S)
    first = timeout / 2**doubled
    expires = np.where(table.expires[rows] < ENDLESS, table.expires[rows] / 1000, 0.0)
    spent = (again - doubled) * first + (2**doubled - 1) * first
    age = spent + np.maximum(timeout - expires, 0.0)
    timed = table.timer[rows] == tcp.RETRANSMIT
    waited: F64 = np.fmax(np.where(timed, age, 0.0), seen.snapshot.durations.state_s[rows])
    return waited


class Attempts(NamedTuple):
    """SYN_SENT rows towards one destination."""

    rows: Index
    age_s: F64


def by_destination(seen: Observations, rows: Index, age: F64, most: int) -> list[Attempts]:
    """The destinations with most attempts first."""
    table = seen.table
    columns = (table.netns, table.interface, table.remote_hi, table.remote_lo, table.remote_port)
    key = row_hash(*(column[rows] for column in columns))
    groups = islice(rows_by_key(np.arange(len(rows)), key), most)
    return [Attempts(rows[at], age[at]) for at in groups]


def stays_here(seen: Observations, attempts: Attempts) -> bool:
    """Whether the SYNs do not even leave: they wait for ARP or ND, and the timer that runs out
    sends nothing (skb_still_in_host_queue, net/ipv4/tcp_output.c), so TCPSynRetrans stands still.
    """
    table, row = seen.table, int(attempts.rows[0])
    again = attempts.rows[table.retrans[attempts.rows] > 0]
    if not len(again):
        return False
    netns = int(table.netns[row])
    counters = seen.summaries[-1].counters.get(netns, {}) if seen.summaries else {}
    if counters.get("TCPSynRetrans") == 0:
        return True
    grown = seen.grown(netns, "TCPSynRetrans", float(attempts.age_s.max()))
    return grown is not None and grown[0] == 0


class Answering(NamedTuple):
    """Other connections there of which something has come since the oldest attempt."""

    port: int  # to the same address and port
    address: int  # to the same address


def answering(seen: Observations, attempts: Attempts) -> Answering:
    table, row = seen.table, int(attempts.rows[0])
    same = table.state == tcp.ESTABLISHED
    for name in ("netns", "interface", "remote_hi", "remote_lo"):
        column = getattr(table, name)
        same &= column == column[row]
    others = np.flatnonzero(same)
    heard = np.fmin(*(table.since_s(f"last_{what}_recv", others) for what in ("ack", "data")))
    others = others[heard < attempts.age_s.max()]
    at_port = int(np.count_nonzero(table.remote_port[others] == table.remote_port[row]))
    return Answering(at_port, len(others))
