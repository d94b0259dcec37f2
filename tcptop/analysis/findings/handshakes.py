"""Handshakes of which one direction works: at the server half-open, at the client not confirmed."""

from __future__ import annotations

import numpy as np

from tcptop.analysis.findings import syn_queues
from tcptop.analysis.findings.ended import ADDRESS, lately
from tcptop.analysis.findings.observations import Observations
from tcptop.model import tcp
from tcptop.model.arrays import isin, row_hash
from tcptop.model.table import Bools, Index

LATELY_S = 30.0


def unconfirmed(seen: Observations, rows: Index) -> Bools:
    """Clients that retransmit their first data while the server's SYN-ACK comes again: it has seen
    nothing since the SYN. Each repeated SYN-ACK counts in segs_in.
    """
    table = seen.table
    again = table.info_of("segs_in", rows) >= 2
    open_here = table.state[rows] == tcp.ESTABLISHED
    unconfirmed: Bools = bare(seen, rows) & again & open_here & (table.retrans[rows] > 0)
    return unconfirmed


def bare(seen: Observations, rows: Index) -> Bools:
    """Clients on whose connections nothing has ever come but what belongs to the handshake:
    bytes_acked counts their SYN.
    """
    table = seen.table
    acked, data = (table.info_of(name, rows) for name in ("bytes_acked", "data_segs_in"))
    bare: Bools = (acked == 1) & (data == 0) & ~seen.accepted[rows]
    return bare


def acknowledged(seen: Observations, rows: Index) -> Index:
    """Others from here to the same port of the same address on which all that was sent has been
    acknowledged, lately: packets get there."""
    table, row = seen.table, rows[0]
    there = (table.state == tcp.ESTABLISHED) & (table.send_q == 0) & ~seen.accepted
    for name in ("netns", "interface", "remote_hi", "remote_lo", "remote_port"):
        column = getattr(table, name)
        there &= column == column[row]
    others = np.flatnonzero(there)
    acked = table.info_of("bytes_acked", others) > 1
    found: Index = others[acked & (table.since_s("last_ack_recv", others) < LATELY_S)]
    return found


def half_open(seen: Observations, age_s: float) -> Index:
    """At the server: SYN-ACKs sent again for so long, of a listener that is in the table."""
    rows = syn_queues.half_open(seen)
    rows = rows[(seen.table.retrans[rows] > 0) & (seen.snapshot.queue[rows] >= 0)]
    if not len(rows):
        return rows
    old: Index = rows[syn_queues.age_s(seen, rows) >= age_s]
    return old


def completed(seen: Observations, rows: Index, seconds: float) -> int:
    """How many others of their addresses, to the same port, have been opened and have ended in the
    last seconds: short ones are in no list."""
    table, closed = seen.table, lately(seen, seconds)
    if not len(closed):
        return 0
    here = closed.opened & (closed.local_port == table.local_port[rows[0]])
    here &= isin(
        row_hash(*(getattr(closed, name) for name in ADDRESS)),
        row_hash(*(getattr(table, name)[rows] for name in ADDRESS)),
    )
    begun = closed.at - np.fmin(closed.life_s, closed.short_s)
    return int(np.count_nonzero(here & (begun >= seen.sample.taken_at - seconds)))
