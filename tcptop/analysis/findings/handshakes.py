"""Handshakes of which one direction works: at the server half-open, at the client not confirmed."""

from __future__ import annotations

from tcptop.analysis.findings import syn_queues
from tcptop.analysis.findings.observations import Observations
from tcptop.model import tcp
from tcptop.model.table import Bools, Index


def unconfirmed(seen: Observations, rows: Index) -> Bools:
    """Clients that retransmit their first data while the server's SYN-ACK comes again: it has seen
    nothing since the SYN.

    bytes_acked is 1 then, for the SYN; each repeated SYN-ACK counts in segs_in.
    """
    table = seen.table
    known = table.tcp_info_known("segs_in")[rows] & table.tcp_info_known("bytes_acked")[rows]
    bare = (table.tcp_info("bytes_acked")[rows] <= 1) & (table.tcp_info("data_segs_in")[rows] == 0)
    again = table.tcp_info("segs_in")[rows] >= 2
    open_here = table.state[rows] == tcp.ESTABLISHED
    unconfirmed: Bools = known & bare & again & open_here & (table.retrans[rows] > 0)
    return unconfirmed & ~seen.accepted[rows]


def half_open(seen: Observations, age_s: float) -> Index:
    """At the server: SYN-ACKs sent again for so long, of a listener that is in the table."""
    rows = syn_queues.half_open(seen)
    rows = rows[(seen.table.retrans[rows] > 0) & (seen.snapshot.queue[rows] >= 0)]
    if not len(rows):
        return rows
    old: Index = rows[syn_queues.age_s(seen, rows) >= age_s]
    return old
