"""How long each socket's queues, state and peer have been as they are now, and state changes."""

from __future__ import annotations

import numpy as np

from tcptop.analysis.history import KnownSockets
from tcptop.analysis.join import SocketJoin
from tcptop.model.snapshot import Durations
from tcptop.model.table import I64, SocketTable


def durations(table: SocketTable, now: KnownSockets, clock: float) -> Durations:
    """What the kernel does not count is unknown."""
    acked, received = table.tcp_info_known("bytes_acked"), table.tcp_info_known("bytes_received")
    read = table.info_of("bytes_received") - table.recv_q - now.consumed
    return Durations(
        clock - now.state_since,
        np.where(acked, clock - now.unacked_since, np.nan),
        np.where(received, clock - np.maximum(now.unread_since, now.first_seen), np.nan),
        np.where(np.isnan(now.consumed), 0.0, read),
        now.ack_pause,
        now.read_pause,
        np.where(table.tcp_info_known("segs_in"), clock - now.silent_since, np.nan),
        now.rises,
        now.delayed,
    )


def changes(table: SocketTable, joined: SocketJoin) -> I64:
    """(12, 12): sockets by state before, 0 new, and now, 0 gone; those of a namespace that is
    looked at first have not changed."""
    before = joined.recalled("state", 0).astype(np.int64)
    told = ~joined.new | joined.arrived
    seen = np.bincount((before * 12 + table.state)[told], minlength=144).reshape(12, 12)
    # Missed twice is gone (see known.MISSES): the second time is now.
    gone = ~joined.here & (joined.known.misses == 1)
    seen[:, 0] += np.bincount(joined.known.state[gone], minlength=12)
    return seen
