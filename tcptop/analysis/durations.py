"""How long each socket's queues, state and peer have been as they are now."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from tcptop.analysis.history import KnownSockets, SocketJoin, counter, recalled
from tcptop.model import tcp
from tcptop.model.snapshot import Durations
from tcptop.model.table import F64, I64, U8, Bools, SocketTable

SAMPLES = 0b11111  # of which `delayed` remembers a bit each


class QueueProgress(NamedTuple):
    """What `KnownSockets` remembers of it: the fields of the same names, beside the table."""

    state_since: F64
    unacked_since: F64
    unread_since: F64
    silent_since: F64
    acked: F64
    consumed: F64
    ack_pause: F64
    read_pause: F64
    segs_in: F64
    send_q: F64
    rises: U8
    delayed: U8


def queue_progress(table: SocketTable, joined: SocketJoin, known: KnownSockets) -> QueueProgress:
    send_q = table.send_q.astype(np.float64)
    recv_q = table.recv_q.astype(np.float64)
    queues = table.state != tcp.LISTEN  # a listener's queues count connections
    sending, waiting = queues & (send_q > 0), queues & (recv_q > 0)
    acked = counter(table, "bytes_acked")
    consumed = counter(table, "bytes_received") - recv_q
    segs_in = counter(table, "segs_in")
    grown = queues & (send_q > recalled(known.send_q, joined))
    return QueueProgress(
        _since(known.state_since, _same_state(table, joined, known), joined),
        _since(known.unacked_since, sending & _same(known.acked, acked, joined), joined),
        _since(known.unread_since, waiting & _same(known.consumed, consumed, joined), joined),
        _since(known.silent_since, _same(known.segs_in, segs_in, joined), joined),
        # An empty queue starts the count anew, whatever the counter does.
        np.where(sending, acked, np.nan),
        np.where(waiting, consumed, np.nan),
        _pause(known.ack_pause, known.unacked_since, acked > recalled(known.acked, joined), joined),
        _pause(
            known.read_pause,
            known.unread_since,
            consumed > recalled(known.consumed, joined),
            joined,
        ),
        segs_in,
        send_q,
        np.where(grown, np.minimum(_before(known.rises, joined), 254) + 1, 0).astype(np.uint8),
        ((_before(known.delayed, joined) << 1 | _delayed(table)) & SAMPLES).astype(np.uint8),
    )


def durations(table: SocketTable, joined: SocketJoin, progress: QueueProgress) -> Durations:
    """As durations; what the kernel does not count is unknown."""
    unacked = joined.clock - progress.unacked_since
    unread = joined.clock - progress.unread_since
    silent = joined.clock - progress.silent_since
    return Durations(
        joined.clock - progress.state_since,
        np.where(table.tcp_info_known("bytes_acked"), unacked, np.nan),
        np.where(table.tcp_info_known("bytes_received"), unread, np.nan),
        progress.ack_pause,
        progress.read_pause,
        np.where(table.tcp_info_known("segs_in"), silent, np.nan),
        progress.rises,
        progress.delayed,
    )


def changes(table: SocketTable, joined: SocketJoin, known: KnownSockets) -> I64:
    """(12, 12): sockets by state before, 0 new, and now, 0 gone; those of a namespace that is
    looked at first have not changed."""
    old = joined.place >= 0
    before = np.zeros(len(table), np.int64)
    before[old] = known.state[joined.place[old]]
    told = old | joined.arrived
    seen = np.bincount((before * 12 + table.state)[told], minlength=144).reshape(12, 12)
    missed = np.ones(len(known), bool)
    missed[joined.place[old]] = False
    # Missed twice is gone (see history.MISSES): the second time is now.
    gone = missed & (known.misses == 1)
    seen[:, 0] += np.bincount(known.state[gone], minlength=12)
    return seen


def _since(before: F64, still: Bools, joined: SocketJoin) -> F64:
    return np.where(still, recalled(before, joined), joined.clock)


def _pause(before: F64, since: F64, went_on: Bools, joined: SocketJoin) -> F64:
    """The longest of the times for which something stood still, once it goes on."""
    longest = np.nan_to_num(recalled(before, joined))
    return np.where(went_on, np.fmax(longest, joined.clock - recalled(since, joined)), longest)


def _same(before: F64, value: F64, joined: SocketJoin) -> Bools:
    """False for new rows and for unknown values: NaN equals nothing."""
    same: Bools = recalled(before, joined) == value
    return same


def _same_state(table: SocketTable, joined: SocketJoin, known: KnownSockets) -> Bools:
    return _same(known.state.astype(np.float64), table.state.astype(np.float64), joined)


def _before(values: U8, joined: SocketJoin) -> I64:
    out = np.zeros(len(joined.place), np.int64)
    old = joined.place >= 0
    out[old] = values[joined.place[old]]
    return out


def _delayed(table: SocketTable) -> I64:
    """1 where less than a segment waits behind a single one that is not acknowledged, though the
    window is open: Nagle's algorithm holds it back (RFC 9293 3.7.4)."""
    out = np.zeros(len(table), np.int64)
    talking = np.isin(table.state, (tcp.ESTABLISHED, tcp.CLOSE_WAIT))
    rows = np.flatnonzero(talking & (table.send_q > 0) & table.tcp_info_known("notsent_bytes"))
    part = table.take(rows)
    unsent, mss = part.tcp_info("notsent_bytes"), part.tcp_info("snd_mss")
    open_window = ~part.tcp_info_known("snd_wnd") | (part.tcp_info("snd_wnd") > part.send_q)
    small = (unsent > 0) & (unsent < mss) & (part.tcp_info("unacked") == 1)
    out[rows] = small & open_window
    return out
