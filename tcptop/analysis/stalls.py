"""Connections on which nothing moves: which they are, and for how many seconds.

Each function takes rows of the table and answers for each of them; NaN is one that is not so, or
of which it is not known. What the kernel's own clocks tell is known from a single sample.
"""

from __future__ import annotations

import numpy as np

from tcptop.analysis import timeouts
from tcptop.analysis.listeners import accepted
from tcptop.analysis.peers import peer_rows
from tcptop.analysis.timeouts import ENDLESS, RTO_MAX_S, RTO_MIN_S
from tcptop.model import tcp
from tcptop.model.arrays import isin_codes
from tcptop.model.snapshot import Snapshot
from tcptop.model.sysctls import number
from tcptop.model.table import ALL, F64, Bools, Index, Rows, SocketTable
from tcptop.model.tcp import PERSIST, RETRANSMIT

TALKING = (tcp.ESTABLISHED, tcp.CLOSE_WAIT)
ENDING = (tcp.FIN_WAIT1, tcp.CLOSING)  # a process may hold them still: shutdown(SHUT_WR)
DOUBLINGS = np.arange(16)

SHUT_S = 5.0
UNANSWERED_S, BACKOFF, PROBES = 3.0, 3, 2
RETRANSMITS, LOCAL_DROP_S = 6, 0.5  # TCP_RESOURCE_PROBE_INTERVAL, include/net/tcp.h
UNREAD_S = 5.0

# A window that was shut opens when a sixteenth of the buffer is free, and an skb of up to 64 KiB is
# freed when all of it has been read (__tcp_select_window, net/ipv4/tcp_output.c): a slow reader
# takes some of these before the sender hears of it.
GULP = 256 * 1024
PATIENCE_S = 60.0
# Who plays what it gets reads it in larger portions, and nothing in between. How many there were
# is not known: a pause may have been as long as all before it.
PORTION = 32 * 1024 * 1024
PORTION_S = 20.0
# A download at a limited rate (curl --limit-rate) begins with a burst that fills the buffers, and
# then pauses for as long as that should have taken: at this rate, for all that is known.
LIMITED_PER_S = 200_000
# A sender whose buffer is always full refills a third of it at once (sk_stream_write_space): seen
# now and then, a queue that takes longer than this to leave falls between two such jumps.
RISES, RISE_S, QUEUE, DRAIN_S = 5, 5.0, 64 * 1024, 30.0
# What an idle client leaves unread and is well: TLS tickets and alerts, pings, notices.
TINY = 1024


def pending(table: SocketTable, rows: Rows = ALL, retransmits: float = RETRANSMITS) -> Index:
    """Those that retransmit or probe a window: few of a healthy host's are more than once so.

    Where the device itself drops (a veth whose peer has a smaller MTU) the kernel tries again each
    half second and does not double the wait.
    """
    again = isin_codes(table.timer[rows], (RETRANSMIT, PERSIST)) & (table.send_q[rows] > 0)
    found = np.arange(len(table))[rows][again]
    if not len(found):
        return found
    more = (table.info_of("backoff", found) > 0) | (table.retrans[found] >= retransmits)
    pending: Index = found[more]
    return pending


def unsent(table: SocketTable) -> Index:
    """Those on which this host fails to send at all: the window is open and nothing is on its way,
    yet the timer of window probes runs out again and again (tcp_check_probe_timer)."""
    again = (table.timer == PERSIST) & (table.send_q > 0)
    rows = np.flatnonzero(again)
    if not len(rows):
        return rows
    window, mss = table.info_of("snd_wnd", rows), table.info_of("snd_mss", rows)
    kept = (table.info_of("unacked", rows) == 0) & (window >= np.maximum(mss, 1))
    found: Index = rows[kept & (table.info_of("backoff", rows) > 1)]
    return found


def shut_s(snapshot: Snapshot, rows: Index) -> F64:
    """The same as `taken_nothing_s` of what a process has open."""
    return np.where(_open(snapshot, rows), taken_nothing_s(snapshot, rows), np.nan)


def taken_nothing_s(snapshot: Snapshot, rows: Index) -> F64:
    """How long the peer has taken no byte while its kernel answered; NaN where it reads, slowly.

    A slow reader is known by its other end, where that is in the table, and by its past.
    """
    shut = np.fmax(snapshot.durations.unacked_s[rows], _shut_by_kernel(snapshot, rows))
    slow = _reads(snapshot, rows) | (shut < _gulp_s(snapshot, rows, shut))
    slow |= shut < _usual_s(snapshot.durations.ack_pause_s, rows)
    slow |= shut < _limited_s(snapshot.sample.sockets, rows)
    told = _window_shut(snapshot, rows) & _answered(snapshot, rows)
    return np.where(told & ~slow, shut, np.nan)


def unanswered_s(
    snapshot: Snapshot,
    rows: Index,
    backoff: float = BACKOFF,
    probes: float = PROBES,
    retransmits: float = RETRANSMITS,
) -> F64:
    """How long nothing has come from a peer to whom data or window probes were sent again."""
    table = snapshot.sample.sockets
    silence = table.since_s("last_ack_recv", rows)
    doubled, sent = table.info_of("backoff", rows), table.info_of("probes", rows)
    rto = _rto_s(table, rows)
    persist = table.timer[rows] == PERSIST
    local = (doubled == 0) & (table.retrans[rows] >= retransmits) & ~_window_shut(snapshot, rows)
    again = local | np.where(persist, sent >= probes, doubled >= backoff)
    # The window probes that were answered are no part of it.
    first = np.where(persist, rto, _first_rto_s(rto, doubled))
    answered = np.where(persist, np.maximum(doubled - sent + 1, 0), 0)
    waited = _waited(first, doubled) - _waited(first, answered) + _present(table, rows)
    # What was sent before the last acknowledgement came was not all unanswered.
    waited = np.where(local, table.retrans[rows] * LOCAL_DROP_S, waited)
    waited = np.fmax(waited, snapshot.durations.unacked_s[rows])
    return np.where(again, np.fmin(waited, silence), np.nan)


def give_up_in_s(snapshot: Snapshot, row: int) -> float | None:
    """Until the kernel gives up a row that nobody answers, at the latest; None if not known."""
    table, rows = snapshot.sample.sockets, np.array([row])
    sysctls = snapshot.sample.kernel_of(int(table.netns[row])).sysctls
    doubled, expires_ms = int(table.info_of("backoff", rows)[0]), float(table.expires[row])
    if table.timer[row] == RETRANSMIT:
        rto_us = float(table.info_of("rto", rows)[0])
        return timeouts.give_up_in_s(sysctls, rto_us, doubled, expires_ms)
    # Window probes are counted, not timed (tcp_probe_timer, net/ipv4/tcp_timer.c).
    retries = number(sysctls, "net.ipv4.tcp_retries2")
    if retries is None:
        return None
    left = max(retries - int(table.info_of("probes", rows)[0]), 0)
    first = probe_s(table, rows)
    waits = _waited(np.minimum(2 * first, RTO_MAX_S), np.array([float(left)]))
    return float(waits[0]) + (0.0 if expires_ms >= ENDLESS else expires_ms / 1000)


def drain_s(snapshot: Snapshot, rows: Index, rises: float = RISES) -> F64:
    """How long what waits in a Send-Q that rises would need to leave at the present rate.

    Infinite where nothing leaves; NaN where it does not rise, or may be about to be explained by a
    shut window or by retransmission.
    """
    table, durations = snapshot.sample.sockets, snapshot.durations
    steady = (durations.rises[rows] >= rises) & (_rising_s(snapshot, rows) >= RISE_S * 0.95)
    held_up = (table.timer[rows] == PERSIST) & (durations.unacked_s[rows] > 0)
    lost = table.info_of("backoff", rows) > 0
    rate, queue = leaving_per_s(snapshot, rows), table.send_q[rows].astype(np.float64)
    drain = np.where(rate > 0, queue / np.maximum(rate, 1e-9), np.inf)
    told = (rate > 0) | ((rate == 0) & (durations.unacked_s[rows] >= RISE_S))
    return np.where(steady & told & ~held_up & ~lost, drain, np.nan)


def leaving_per_s(snapshot: Snapshot, rows: Index) -> F64:
    """Bytes that leave Send-Q a second; NaN where not known.

    What is sent is sent twice on a path that loses; what the kernel saw delivered is from its last
    busy round trip (tcp_rate_gen, net/ipv4/tcp_rate.c). Each alone is too much at times.
    """
    sent = snapshot.bytes_sent_per_s[rows]
    delivered = snapshot.sample.sockets.info_of("delivery_rate", rows)
    slower: F64 = np.where(delivered > 0, np.minimum(sent, delivered), sent)
    return slower


def unread_s(snapshot: Snapshot, rows: Index) -> F64:
    """How long a process has left what arrived; NaN for what waits elsewhere than in Recv-Q.

    Subflows of MPTCP hand on what they get; without an inode nobody has the connection yet. Who
    has paused for as long before and gone on is slow: a download at a limited rate. A job that
    writes need not read the request that it was started for (inetd).
    """
    table = snapshot.sample.sockets
    # The FIN counts for one (tcp_diag.c); that it is not read is close-wait-unread's business.
    data = table.recv_q[rows].astype(np.int64) - (table.state[rows] == tcp.CLOSE_WAIT)
    states = isin_codes(table.state[rows], (*TALKING, *ENDING, tcp.FIN_WAIT2))
    plain = states & (data > 0) & (table.inode[rows] != 0) & (table.ulp[rows] != b"mptcp")
    due = np.flatnonzero(plain & (data <= TINY))
    plain[due] = accepted(table, rows[due]) & ~_written_since(table, rows[due])
    unread = snapshot.durations.unread_s[rows]
    plain &= unread >= _usual_s(snapshot.durations.read_pause_s, rows)
    return np.where(plain, unread, np.nan)


def _written_since(table: SocketTable, rows: Index) -> Bools:
    """Whether something was sent after the last data came."""
    sent, came = (table.since_s(f"last_data_{way}", rows) for way in ("sent", "recv"))
    since: Bools = (sent < came) & (table.info_of("data_segs_out", rows) > 0)
    return since


def probe_s(table: SocketTable, rows: Index) -> F64:
    """The present wait between two window probes (tcp_probe0_when, include/net/tcp.h)."""
    doubled = table.info_of("backoff", rows)
    return np.minimum(_rto_s(table, rows) * 2**doubled, RTO_MAX_S)


def _rising_s(snapshot: Snapshot, rows: Index) -> F64:
    clock = snapshot.trend.clock
    began = np.maximum(len(clock) - 1 - snapshot.durations.rises[rows].astype(np.int64), 0)
    rising: F64 = clock[-1] - clock[began]
    return rising


def _open(snapshot: Snapshot, rows: Index) -> Bools:
    """A process has them, half-closed ones too: shutdown(SHUT_WR)."""
    table = snapshot.sample.sockets
    state, held = table.state[rows], table.inode[rows] != 0
    found: Bools = isin_codes(state, TALKING) | (isin_codes(state, ENDING) & held)
    return found


def _window_shut(snapshot: Snapshot, rows: Index) -> Bools:
    """The kernel probes a window too small for a segment. A peer that takes back its window and
    drops what is under way is sent that again and again (tcp_retransmit_timer)."""
    table = snapshot.sample.sockets
    window, doubled = table.info_of("snd_wnd", rows), table.info_of("backoff", rows)
    open_ = window >= np.maximum(table.info_of("snd_mss", rows), 1)
    taken_back = (table.timer[rows] == RETRANSMIT) & (window == 0) & (doubled > 0)
    shut: Bools = ((table.timer[rows] == PERSIST) & ~open_) | taken_back
    return shut


def _answered(snapshot: Snapshot, rows: Index) -> Bools:
    """The last probe was answered, or may yet be."""
    table = snapshot.sample.sockets
    heard = table.since_s("last_ack_recv", rows)
    persist = table.timer[rows] == PERSIST
    longest = np.where(persist, 1.5 * probe_s(table, rows), _present(table, rows)) + 1
    answered: Bools = (heard <= longest) & (~persist | (table.info_of("probes", rows) < PROBES))
    return answered


def _shut_by_kernel(snapshot: Snapshot, rows: Index) -> F64:
    """The waits between the probes so far; no longer than since data was last sent.

    A window that opens sets their number back (tcp_ack_probe), so this is a lower bound.
    """
    table = snapshot.sample.sockets
    doubled, rto = table.info_of("backoff", rows), _rto_s(table, rows)
    heard = table.since_s("last_ack_recv", rows)
    persist = table.timer[rows] == PERSIST
    probing = _waited(rto, doubled) + np.minimum(_present(table, rows), heard)
    probing = np.minimum(probing, table.since_s("last_data_sent", rows))
    again = _waited(_first_rto_s(rto, doubled), doubled) + _present(table, rows)
    return np.where(persist, probing, again)


def _reads(snapshot: Snapshot, rows: Index) -> Bools:
    """The other end is here, and was seen to read in the last seconds, or pauses as before."""
    table, durations = snapshot.sample.sockets, snapshot.durations
    peer = peer_rows(table, rows)
    unread = np.where(peer >= 0, durations.unread_s[peer], np.nan)
    pauses = unread < _usual_s(durations.read_pause_s, peer)
    reads: Bools = (unread < np.minimum(SHUT_S * 0.95, snapshot.seen_s[peer])) | pauses
    return reads


def _limited_s(table: SocketTable, rows: Index) -> F64:
    """How long a client that limits its rate may pause, after the burst in which it began."""
    taken = np.where(accepted(table, rows), table.info_of("bytes_acked", rows), 0.0)
    limited: F64 = np.minimum(np.nan_to_num(taken) / LIMITED_PER_S, PATIENCE_S)
    return limited


def _usual_s(pause_s: F64, rows: Index) -> F64:
    """How long it may stand still where it has done so before and gone on."""
    usual: F64 = np.minimum(1.5 * pause_s[rows], PATIENCE_S)
    return usual


def _gulp_s(snapshot: Snapshot, rows: Index, shut: F64) -> F64:
    """How long the window stays shut while the peer reads as fast as it did until now, or in
    portions as large as players take.

    That is known where the window was what held the sender back, and more than one buffer was read.
    """
    table = snapshot.sample.sockets
    acked = table.info_of("bytes_acked", rows)
    before = np.maximum(table.info_of("rwnd_limited", rows) / 1e6 - shut, 0.0)
    per_byte = np.where(acked > GULP / 2, before / np.maximum(acked, 1), 0.0)
    portion = np.minimum(np.minimum(PORTION * per_byte, before), PORTION_S)
    usual = np.maximum(np.minimum(GULP * per_byte, PATIENCE_S), portion)
    expected: F64 = np.nan_to_num(usual)
    return expected


def _rto_s(table: SocketTable, rows: Index) -> F64:
    rto: F64 = table.info_of("rto", rows) / 1e6
    return rto


def _first_rto_s(rto: F64, doubled: F64) -> F64:
    """The timeout before it was doubled; at least that, where it is the longest already."""
    first: F64 = rto / 2**doubled
    return np.where(rto >= RTO_MAX_S, np.maximum(first, RTO_MIN_S), first)


def _waited(first: F64, times: F64) -> F64:
    """That many waits, each twice the one before up to the longest, added up."""
    each = np.minimum(first[:, None] * 2.0**DOUBLINGS, RTO_MAX_S)
    summed: F64 = np.sum(np.where(times[:, None] > DOUBLINGS, each, 0.0), axis=1)
    longer: F64 = np.maximum(times - len(DOUBLINGS), 0) * RTO_MAX_S
    return summed + longer


def _present(table: SocketTable, rows: Index) -> F64:
    """How much of the present wait has passed."""
    expires = np.where(table.expires[rows] >= ENDLESS, 0, table.expires[rows]) / 1000
    probing = table.timer[rows] == PERSIST
    whole = np.where(probing, probe_s(table, rows), _rto_s(table, rows))
    return np.maximum(whole - expires, 0.0)
