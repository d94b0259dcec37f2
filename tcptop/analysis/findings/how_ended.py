"""How a single connection ended: what its own end and the kernel's notice of it tell."""

from __future__ import annotations

import numpy as np

from tcptop.analysis.dialing import WHERE
from tcptop.analysis.findings import declining, reuse, ungreeted
from tcptop.analysis.findings.hung_up import over_soon
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.reuse import IDLE_S, lacking, paused_s
from tcptop.analysis.findings.servers import AT_ONCE_AT
from tcptop.analysis.findings.turned import with_error
from tcptop.analysis.given_up import ANSWERED, FIRST
from tcptop.model import closed as codes
from tcptop.model.arrays import isin_sorted, paired, row_hash, rows_by_key, sorted_unique
from tcptop.model.closed import Closed
from tcptop.model.table import F64, I64, Bools, Index

# Codes of how one ended.
NEUTRAL, FINE, REFUSED, SILENT, UNTOLD, RESET, LEFT, CUT, LOST, TURNED, REUSED = range(11)
DECLINED, UNGREETED, STRUCK = 11, 12, 13
FAILED = REFUSED  # this and those after it
# Seconds without an answer: longer than to the other end of the world and back, and what a round
# trip takes beside.
WAITED_S, ROUND_TRIPS = 0.4, 4
UNASKED_S = 10.0  # who is closed without having asked anything had opened it in vain, not in store
LATELY_S = 30.0  # in which TIME_WAIT is left out nowhere
MOSTLY = 0.8  # of those that are reset
A_FEW = 3
USED = 2  # segments of answers
DEADLINE = 0.1  # by so much those may differ that one deadline has ended


def how_ended(seen: Observations, closed: Closed) -> I64:
    """A code for each; those that were accepted here are neutral, and what called nobody knows."""
    how = np.full(len(closed), NEUTRAL, np.int64)
    if not len(closed):
        return how
    sent, came = closed.known("data_segs_out") > 0, closed.known("data_segs_in") > 0
    whole = ~np.isnan(closed.known("segs_out"))
    opened, broken = closed.opened, closed.reset == codes.YES
    how[opened & whole & (came | ~sent)] = FINE
    # Whose earlier requests were answered was of use, as of a server that restarts; not after a
    # pause: what forgets idle connections breaks each.
    paused = lacking(closed) & (paused_s(closed) >= IDLE_S)
    how[opened & whole & broken & sent] = NEUTRAL
    # Of use, but for the request that was under way: that goes on where somebody else resets them.
    struck = lacking(closed) & in_use(closed) & (closed.first != codes.HERE)
    how[opened & whole & broken & sent & struck] = STRUCK
    how[opened & whole & broken & sent & (paused | ~came)] = RESET
    want = _in_want(closed)
    how[opened & whole & broken & want] = RESET
    how[whole & reuse.reused(seen, closed)] = REUSED
    ours = opened & whole & broken & (closed.first == codes.HERE)
    how[ours] = NEUTRAL
    how[ours & want] = LEFT
    untold = (closed.first == codes.UNTOLD) & came & (broken | (closed.reset == codes.NO))
    how[_late(seen, closed, opened & whole & untold & _in_want(closed, same_tick=True))] = LEFT
    how[_late(seen, closed, opened & whole & untold & too_late(closed))] = LEFT
    here, there = closed_first(seen, closed)
    unheard = opened & whole & ~broken & sent & lacking(closed)
    asking = opened & whole & ~broken & ~unheard & _few(closed)
    how[asking & here & want] = LEFT
    in_vain = sent | (np.nan_to_num(closed.life_s, nan=np.inf) <= UNASKED_S)
    how[asking & there & ~came & in_vain] = CUT
    how[unheard & (closed.known("total_retrans") > 0)] = LOST
    how[~opened] = UNTOLD
    how[~opened & whole] = SILENT
    how[~opened & whole & broken] = REFUSED
    how[_turned_away(closed, opened & whole, there)] = TURNED
    how[declining.declined(closed, opened & whole & here)] = DECLINED
    how[ungreeted.ungreeted(closed, opened & whole & here)] = UNGREETED
    how[accepted(seen, closed)] = NEUTRAL
    return how


def in_use(closed: Closed) -> Bools:
    """A request and its answer at least, after what begins a session, or ends it: an error."""
    sent, came = (closed.known(f"data_segs_{way}") for way in ("out", "in"))
    used: Bools = (sent >= USED + 1) & (came >= USED)
    return used


def _in_want(closed: Closed, same_tick: bool = False) -> Bools:
    """An answer may be due to what was sent last and acknowledged, for longer than it takes;
    `same_tick`: also where something came within the tick in which that was sent."""
    asked = (closed.known("data_segs_out") > 0) & _few(closed) & ~lacking(closed)
    waited = waited_s(closed)
    if same_tick:
        sent, came = (closed.known(f"last_data_{way}") for way in ("sent", "recv"))
        waited = np.where(sent == came, sent / 1000, waited)
    long: Bools = waited >= WAITED_S + ROUND_TRIPS * _round_trip_s(closed)
    return asked & long


def as_long(closed: Closed, how: I64, there: Index) -> Index:
    """What came within the tick in which the last thing was sent may be an answer, or the end of a
    handshake of TLS: no answer, where others there left after as long for want of one."""
    sure = there[how[there] == LEFT]
    if len(sure) < A_FEW:
        return there[:0]
    sent, came = (closed.known(f"last_data_{way}")[there] for way in ("sent", "recv"))
    usual = float(np.median(closed.known("last_data_sent")[sure]))
    alike = (sent == came) & (np.abs(sent - usual) <= DEADLINE * usual)
    asked = _few(closed)[there] & (closed.known("data_segs_out")[there] > 1)
    alike &= asked & (how[there] == FINE) & (closed.first[there] == codes.HERE)
    left: Index = there[alike]
    return left


def too_late(closed: Closed) -> Bools:
    """Data came to what had been closed: it counts as a segment, and not as bytes received. Who
    wants no answer closes at once, and has it after a round trip."""
    came = (closed.known("data_segs_in") > 0) & (closed.known("bytes_received") == 0)
    late: Bools = came & (closed.known("data_segs_out") > 0) & ~lacking(closed)
    return late & (closed.known("last_data_sent") >= WAITED_S * 1000)


def _late(seen: Observations, closed: Closed, untold: Bools) -> Bools:
    """Those whose answer came after they had been closed here: this kernel answers it with a reset
    and leaves no TIME_WAIT (tcp_rcv_state_process, net/ipv4/tcp_input.c), and has sent as many."""
    late = np.zeros(len(closed), bool)
    for netns in sorted_unique(closed.netns[untold]).tolist():
        mine = untold & (closed.netns == netns)
        grown = seen.grown(netns, "TCPAbortOnData", min(LATELY_S, seen.watched_s))
        late |= mine & (grown is not None and grown[0] >= MOSTLY * np.count_nonzero(mine))
    return late


def _few(closed: Closed) -> Bools:
    """Those whose other end may owe an answer: nobody answers a log, or a metric."""
    few: Bools = closed.known("data_segs_out") <= FIRST + ANSWERED * closed.known("data_segs_in")
    return few


def closed_first(seen: Observations, closed: Closed) -> tuple[Bools, Bools]:
    """Which this end closed first, and which the other: whose end left no TIME_WAIT here (RFC 9293
    3.6), where none is left out for want of room."""
    kept = np.zeros(len(closed), bool)
    for netns in sorted_unique(closed.netns).tolist():
        grown = seen.grown(netns, "TCPTimeWaitOverflow", min(LATELY_S, seen.watched_s))
        kept[closed.netns == netns] = grown is not None and not grown[0]
    there = closed.first == codes.THERE
    there |= kept & (closed.first == codes.UNTOLD) & (closed.reset == codes.NO)
    return closed.first == codes.HERE, there


def _turned_away(closed: Closed, known: Bools, there: Bools) -> Bools:
    """Those that a full server ended with an error, as it does there."""
    turned = np.zeros(len(closed), bool)
    rows = np.flatnonzero(known & np.isin(closed.remote_port, list(AT_ONCE_AT)))
    keys = row_hash(*(getattr(closed, name)[rows] for name in WHERE))
    for mine in rows_by_key(rows, keys):
        limit = AT_ONCE_AT[int(closed.remote_port[mine[0]])]
        some = closed.take(mine)
        errors = with_error(some, limit, there[mine], here=False)
        turned[mine] = errors | _reset_after_it(some, errors)
    return turned


def _reset_after_it(closed: Closed, errors: Bools) -> Bools:
    """Those that got as many bytes, and had asked already: a server that closes with a request
    unread resets (tcp_close, net/ipv4/tcp.c). The FIN of others counts as a byte."""
    came = closed.known("bytes_received")
    sizes = came[errors]
    if not len(sizes):
        return errors
    reset = closed.opened & (closed.reset == codes.YES) & (closed.first != codes.HERE)
    reset &= over_soon(closed) & (closed.known("data_segs_in") <= 1)
    alike: Bools = reset & (came >= sizes.min() - 1) & (came <= sizes.max())
    return alike


def waited_s(closed: Closed) -> F64:
    """Since the last thing was sent, where nothing has come since; else 0."""
    asked, answered = closed.known("last_data_sent"), closed.known("last_data_recv")
    due = (closed.known("data_segs_in") == 0) | (asked < answered)
    waited: F64 = np.where(due, np.nan_to_num(asked) / 1000, 0.0)
    return waited


def _round_trip_s(closed: Closed) -> F64:
    longest: F64 = np.nan_to_num(closed.known("rtt") + 4 * closed.known("rttvar")) / 1e6
    return longest


def accepted(seen: Observations, closed: Closed) -> Bools:
    """Those of a port where somebody listens, or did."""
    listened = sorted_unique(np.concatenate([each.ports for each in seen.summaries]))
    return isin_sorted(paired(closed.netns, closed.local_port.astype(np.uint32)), listened)
