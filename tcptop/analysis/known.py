"""What the next sample has to know of the sockets of this one, and of those that it missed."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tcptop.analysis import listeners
from tcptop.analysis.history import KnownSockets
from tcptop.analysis.join import SocketJoin
from tcptop.model import tcp
from tcptop.model.arrays import isin_codes, nan_as_zero
from tcptop.model.sample import Sample
from tcptop.model.table import F64, Bools, Index, SocketTable

UNREAD_PER_S = 1 / (3 * 3600)  # share of a Recv-Q: who would need three hours for it does not read
MISSES = 2  # a crowded hash may skip a live socket in one dump, so one miss proves nothing
SAMPLES = 0b11111  # of which `delayed` remembers a bit each

KnownColumns: TypeAlias = dict[str, NDArray[Any]]


def known_sockets(sample: Sample, joined: SocketJoin, process: Index) -> KnownSockets:
    """One for each row of the sample; `process` is its first holder."""
    table = sample.sockets
    acked, counters = table.info_of("bytes_acked"), _counters(table)
    return KnownSockets(
        state=table.state,
        peak=listeners.peaks(table, sample.peaks, joined),
        drops=table.drops(),
        **_seen(table, joined, process),
        bytes_sent=_sent(table, acked),
        **counters,
        **_unchanged(table, joined, acked, counters),
        **_send_queue(table, joined),
    )


def missed(joined: SocketJoin, told: Bools) -> tuple[Bools, Bools]:
    """Of those known before that this sample missed, without those whose end was `told`: which may
    come again, and which are gone."""
    absent = ~told & ~joined.here
    again = absent & (joined.known.misses + 1 < MISSES)
    return again, absent & ~again


def with_missed(present: KnownSockets, joined: SocketJoin, again: Bools) -> KnownSockets:
    """Those of this sample, then those known before that may come again."""
    if not again.any():
        return present
    waited = joined.known.take(again)
    waited.misses[:] += 1
    names = (each.name for each in fields(KnownSockets))
    both = ((getattr(present, name), getattr(waited, name)) for name in names)
    return KnownSockets(*map(np.concatenate, both))


def _seen(table: SocketTable, joined: SocketJoin, process: Index) -> KnownColumns:
    return {
        "key": table.key,
        "clock": np.full(len(table), joined.clock),
        "first_seen": joined.recalled("first_seen", joined.clock),
        "witnessed": joined.arrived | joined.recalled("witnessed", False),
        "misses": np.zeros(len(table), np.uint8),
        "cgroup": np.where(table.cgroup_id == 0, joined.recalled("cgroup", 0), table.cgroup_id),
        # While a socket is handed over or closed nobody has it open: its process is not forgotten.
        "process": np.where(process < 0, joined.recalled("process", -1), process),
    }


def _sent(table: SocketTable, acked: F64) -> F64:
    """`bytes_sent` counts since 4.19; before that what was acknowledged stands in."""
    sent = table.info_of("bytes_sent")
    return np.where(np.isnan(sent), acked, sent)


def _counters(table: SocketTable) -> KnownColumns:
    return {name: table.info_of(name) for name in ("bytes_received", "total_retrans", "segs_in")}


def _unchanged(
    table: SocketTable, joined: SocketJoin, acked: F64, counters: KnownColumns
) -> KnownColumns:
    """Since when state, peer and queues are as they are."""
    queues = table.state != tcp.LISTEN  # a listener's queues count connections
    received = counters["bytes_received"]
    sending, waiting = queues & (table.send_q > 0), queues & (table.recv_q > 0)
    same_state = joined.recalled("state", 0) == table.state
    silent = joined.recalled("segs_in") == counters["segs_in"]
    return {
        "state_since": _since(joined, "state_since", same_state),
        "silent_since": _since(joined, "silent_since", silent),
        **_queue(joined, ("acked", "unacked_since", "ack_pause"), acked, sending),
        **_queue(
            joined,
            ("consumed", "unread_since", "read_pause"),
            received - table.recv_q,
            waiting,
            table.recv_q * UNREAD_PER_S,
            _begun(table, joined, waiting),
        ),
    }


def _begun(table: SocketTable, joined: SocketJoin, waiting: Bools) -> F64 | float:
    """Since when something waits in Recv-Q, where that begins to count: now; of a new socket whose
    receive buffer is full since data came last."""
    rows = np.flatnonzero(joined.new & waiting)
    rows = rows[table.info_of("rcv_wnd", rows) == 0] if len(rows) else rows
    if not len(rows):
        return joined.clock
    begun = np.full(len(table), joined.clock)
    begun[rows] -= nan_as_zero(table.since_s("last_data_recv", rows))
    return begun


def _since(joined: SocketJoin, name: str, still: Bools) -> F64:
    return np.where(still, joined.recalled(name), joined.clock)


def _queue(
    joined: SocketJoin,
    names: tuple[str, str, str],
    counter: F64,
    waiting: Bools,
    least_per_s: NDArray[np.floating[Any]] | float = 0.0,
    otherwise: F64 | float = np.nan,
) -> KnownColumns:
    """What has left a queue, since when nothing has, and the longest time after which it went on.

    Bytes that leave more slowly than `least_per_s` are nothing. An empty queue starts the count
    anew, whatever the counter does; `otherwise` is when it starts, if not now.
    """
    name, since, pause = names
    before, began = joined.recalled(name), joined.recalled(since, joined.clock)
    longest = joined.recalled(pause, 0.0)
    left, stood_s = counter - before, joined.clock - began
    goes_on = left > least_per_s * stood_s
    still = waiting & (left >= 0) & ~goes_on
    return {
        name: np.where(waiting, np.where(still, before, counter), np.nan),
        since: np.where(still, began, np.fmin(otherwise, joined.clock)),
        pause: np.where(goes_on, np.fmax(longest, stood_s), longest),
    }


def _send_queue(table: SocketTable, joined: SocketJoin) -> KnownColumns:
    grown = (table.state != tcp.LISTEN) & (table.send_q > joined.recalled("send_q"))
    rises = np.minimum(joined.recalled("rises", 0), 254) + 1
    delayed = joined.recalled("delayed", 0) << 1 | _delayed(table)
    return {
        "send_q": table.send_q.astype(np.float64),
        "rises": np.where(grown, rises, 0).astype(np.uint8),
        "delayed": (delayed & SAMPLES).astype(np.uint8),
    }


def _delayed(table: SocketTable) -> Bools:
    """Where less than a segment waits behind a single one that is not acknowledged, though the
    window is open: Nagle's algorithm holds it back (RFC 9293 3.7.4). Not where that one had to be
    sent again: it is lost, and no acknowledgement is late."""
    talking = isin_codes(table.state, (tcp.ESTABLISHED, tcp.CLOSE_WAIT))
    rows = np.flatnonzero(talking & (table.send_q > 0))
    unsent, window = table.info_of("notsent_bytes", rows), table.info_of("snd_wnd", rows)
    small = (unsent > 0) & (unsent < table.info_of("snd_mss", rows))
    open_window = np.isnan(window) | (window > table.send_q[rows])
    lost = (table.retrans[rows] > 0) | (table.info_of("backoff", rows) > 0)
    delayed = np.zeros(len(table), bool)
    delayed[rows] = small & open_window & ~lost & (table.info_of("unacked", rows) == 1)
    return delayed
