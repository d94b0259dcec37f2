"""Connections that have much to move, and what holds each back: since when, look by look.

One look tells how full a window is just then; that it is the limit shows in what it does through
several. Kept are those that a path can hold back at all: far away, in small segments, or with
holes in what arrives.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from tcptop.model import tcp
from tcptop.model.arrays import index_of, isin_codes
from tcptop.model.dataclass import dataclass
from tcptop.model.pace import (
    ACKED,
    BUSY,
    COUNTERS,
    FILLED,
    HOLES,
    IN,
    KINDS,
    LATE,
    NONE,
    OUT,
    OWN_WINDOW,
    PEER_WINDOW,
    QUEUE,
    RECEIVED,
    SEND_BUFFER,
    SHUT,
    SMALL_IN,
    SMALL_OUT,
    Paces,
    unseen,
)
from tcptop.model.table import F64, U64, Bools, Index, SocketTable

FAR_US = 10_000.0  # round trip: on a shorter one a small window costs little
QUEUED_US, QUEUED_TIMES = 100_000.0, 4.0
SMALL = 536  # TCP_MSS_DEFAULT, include/net/tcp.h
LEAST_MSS = 88  # TCP_MIN_RCVMSS: rcv_mss tells no less
FLOW_PER_S = 10_000.0
SEGMENTS_PER_S, WINDOWFUL = 200.0, 8
BUSY_SHARE, SHUT_SHARE = 0.8, 0.2  # a sender that paces itself sees the window's end now and then
FILLED_SHARE = 0.4  # of the time that a sender is busy
STEADY = 0.1  # a window that stands still is seen a little smaller now and then
STANDS_STILL = np.isin(np.arange(KINDS), (PEER_WINDOW, OWN_WINDOW, SEND_BUFFER))
MISSES = 1  # looks in a row that do not show it


@dataclass(frozen=True, eq=False, slots=True)
class _Look:
    """Candidates of this sample and, of each, what came since it was seen last."""

    table: SocketTable
    rows: Index
    counters: F64
    grown: F64  # NaN where it was not there
    seconds: float

    def of(self, name: str) -> F64:
        return self.table.info_of(name, self.rows)

    def memory(self, name: str) -> F64:
        known = self.table.memory_known(name)[self.rows]
        return np.where(known, self.table.memory_of(name)[self.rows], np.nan)

    def per_s(self, counter: int) -> F64:
        rate: F64 = self.grown[:, counter] / self.seconds
        return rate


def paces(table: SocketTable, clock: float, before: Paces, received_per_s: F64) -> Paces:
    """Those of this sample, after those of the sample before."""
    rows = _candidates(table, received_per_s)
    if not len(rows):
        return replace(NONE, clock=clock)
    rows = rows[np.argsort(table.key[rows])]
    key = table.key[rows]
    then = _aligned(before, index_of(key, before.key))
    counters = np.column_stack([table.info_of(name, rows) for name in COUNTERS])
    seconds = max(clock - before.clock, 1e-3)
    look = _Look(table, rows, counters, counters - then.counters, seconds)
    return _after(look, clock, key, then)


def _aligned(before: Paces, place: Index) -> Paces:
    """What was known of each of these, at their places; of new ones nothing is."""
    then, known = unseen(len(place)), place >= 0
    columns = {}
    for name in ("counters", "since", "begun", "high", "looks", "hits", "missed"):
        columns[name] = getattr(then, name).copy()
        columns[name][known] = getattr(before, name)[place[known]]
    return replace(then, clock=before.clock, **columns)


def _after(look: _Look, clock: float, key: U64, then: Paces) -> Paces:
    held, level = _held(look), _level(look)
    missed = np.where(held, 0, then.missed + 1)
    larger = level > then.high * (1 + STEADY)
    goes_on = ~np.isnan(then.since) & (missed <= MISSES) & ~(larger & STANDS_STILL)
    since = np.where(goes_on, then.since, np.where(held, then.clock, np.nan))
    high = np.where(goes_on, np.fmax(then.high, level), level)
    hits = level >= high * (1 - STEADY)
    return Paces(
        key,
        look.rows,
        clock,
        look.counters,
        since,
        np.where(goes_on[..., None], then.begun, (look.counters - look.grown)[:, None, :]),
        high,
        np.where(goes_on, then.looks, 0) + 1,
        np.where(goes_on, then.hits, 0) + hits,
        missed,
    )


def _candidates(table: SocketTable, received_per_s: F64) -> Index:
    """Connections that move something and that a path may hold back, of kernels that tell (5.4)."""
    moves = (table.send_q > 0) | (received_per_s >= FLOW_PER_S)
    rows = np.flatnonzero(moves & isin_codes(table.state, (tcp.ESTABLISHED, tcp.CLOSE_WAIT)))
    if not len(rows):
        return rows
    rows = rows[table.tcp_info_known("snd_wnd", rows)]
    far = (table.info_of("min_rtt", rows) >= FAR_US) | (table.rtt_us(rows) >= QUEUED_US)
    small = table.info_of("snd_mss", rows) <= SMALL
    small |= (table.info_of("rcv_mss", rows) <= SMALL) & (
        table.info_of("data_segs_in", rows) > SMALL
    )
    found: Index = rows[far | small]
    return found


def _held(look: _Look) -> Bools:
    """What holds each back at this look, for all that one look tells."""
    held = np.zeros((len(look.rows), KINDS), bool)
    busy = look.per_s(BUSY) >= BUSY_SHARE * 1e6
    held[:, PEER_WINDOW] = _by_peer(look) & busy
    held[:, SEND_BUFFER] = _by_buffer(look) & busy & ~held[:, PEER_WINDOW]
    held[:, QUEUE] = _by_queue(look) & busy
    held[:, OWN_WINDOW] = _by_own(look)
    held[:, SMALL_OUT] = _small(look, OUT, ACKED, "snd")
    held[:, SMALL_IN] = _small(look, IN, RECEIVED, "rcv") & (look.of("advmss") > 2 * SMALL)
    held[:, HOLES] = (look.grown[:, LATE] > 0) & (look.of("min_rtt") >= FAR_US)
    return held


def _level(look: _Look) -> F64:
    level = np.zeros((len(look.rows), KINDS))
    level[:, PEER_WINDOW] = look.of("snd_wnd")
    level[:, OWN_WINDOW] = _own_window(look)
    level[:, SEND_BUFFER] = look.memory("sndbuf")
    level[:, QUEUE] = look.of("rtt")
    return level


def _own_window(look: _Look) -> F64:
    """As the other end is told it, in 16 bits and scaled: `rcv_wnd` may be larger
    (tcp_select_window, net/ipv4/tcp_output.c)."""
    told: F64 = np.minimum(look.of("rcv_wnd"), 65_535 * 2.0 ** look.of("rcv_wscale"))
    return told


def calm(rtt: F64, least: F64) -> Bools:
    """No queue on the way is filled: where one is, a larger window would only fill it more."""
    within: Bools = (least >= FAR_US) & (rtt <= 1.5 * least + 2000)
    return within


def _by_peer(look: _Look) -> Bools:
    shut = look.grown[:, SHUT] >= SHUT_SHARE * look.grown[:, BUSY]
    held: Bools = shut & (look.of("snd_wnd") > 0) & calm(look.of("rtt"), look.of("min_rtt"))
    return held


def _by_buffer(look: _Look) -> Bools:
    """All that it takes is on its way; window and congestion window would allow more.

    The kernel counts how long that was so while the program had more to write (sndbuf_limited). It
    takes a last segment however large that is, so that a tiny buffer may hold several times its
    size (tcp_sendmsg_locked, net/ipv4/tcp.c).
    """
    often = look.grown[:, FILLED] >= FILLED_SHARE * look.grown[:, BUSY]
    queue = look.table.send_q[look.rows].astype(np.float64)
    taken, buffer = look.memory("wmem_queued"), look.memory("sndbuf")
    full = (taken >= 0.6 * buffer) & (taken <= 2 * buffer)
    full &= look.of("notsent_bytes") <= 0.5 * queue
    allowed = (look.of("unacked") < 0.8 * look.of("snd_cwnd")) & (queue < 0.8 * look.of("snd_wnd"))
    held: Bools = (full & allowed | often) & calm(look.of("rtt"), look.of("min_rtt"))
    return held


def _by_own(look: _Look) -> Bools:
    """Much comes in, and is read."""
    window, unread = _own_window(look), look.table.recv_q[look.rows]
    read = (window > 0) & (unread <= window / 4) & (look.grown[:, RECEIVED] > 0)
    rtt = look.of("rcv_rtt")
    held: Bools = read & (rtt > 0) & calm(rtt, look.of("min_rtt"))
    return held


def _by_queue(look: _Look) -> Bools:
    rtt, least = look.of("rtt"), look.of("min_rtt")
    long = (rtt >= QUEUED_TIMES * least) & (rtt - least >= QUEUED_US)
    held: Bools = long & (look.of("unacked") >= 10) & (look.of("backoff") == 0)
    return held


def _small(look: _Look, segments: int, octets: int, way: str) -> Bools:
    """Many, and full: messages that are small by themselves are shorter than their segments. Those
    of a window that takes few are as small as half of it (tcp_bound_to_half_wnd)."""
    mss, roomy = look.of(f"{way}_mss"), look.of(f"{way}_wnd") >= WINDOWFUL * look.of(f"{way}_mss")
    number = look.grown[:, segments]
    each = look.grown[:, octets] / np.maximum(number, 1)
    full = (each >= 0.95 * mss) | ((mss <= LEAST_MSS) & (each >= 0.5 * mss))
    held: Bools = (mss <= SMALL) & roomy & full & (number >= SEGMENTS_PER_S * look.seconds)
    return held
