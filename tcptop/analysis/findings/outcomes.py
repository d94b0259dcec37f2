"""How connections to one destination ended of late, by the kernel's notices of what it destroys.

Counters tell of a whole namespace and rows only of what is still there. What fails at once, or is
given up after a second, is in neither: a small service may fail altogether, and nothing is high.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from tcptop.analysis.dialing import WHERE, Callee
from tcptop.analysis.findings import icmp, reuse, unanswered
from tcptop.analysis.findings.awaiting import calls_awaiting
from tcptop.analysis.findings.ended import Whose, lately, whose
from tcptop.analysis.findings.kept_back import rejected_here
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.reuse import IDLE_S, lacking, paused_s
from tcptop.analysis.findings.servers import AT_ONCE_AT
from tcptop.analysis.findings.turned import with_error
from tcptop.analysis.given_up import ANSWERED, FIRST
from tcptop.model import closed as codes
from tcptop.model import tcp
from tcptop.model.arrays import isin_sorted, paired, row_hash, rows_by_key, sorted_unique
from tcptop.model.closed import Closed
from tcptop.model.table import F64, I64, Bools, Index

# Codes of how one ended.
NEUTRAL, FINE, REFUSED, SILENT, UNTOLD, RESET, LEFT, CUT, LOST, TURNED, REUSED = range(11)
FAILED = REFUSED  # this and those after it
PLACES = 20
# Seconds without an answer: longer than to the other end of the world and back, and what a round
# trip takes beside.
WAITED_S, ROUND_TRIPS = 0.4, 4
UNASKED_S = 10.0  # who is closed without having asked anything had opened it in vain, not in store
BACKOFF = 2  # retransmissions in a row
LATELY_S = 30.0  # in which TIME_WAIT is left out nowhere
MOSTLY = 0.8  # of those that are reset, after a pause
OTHERWISE = 0.2  # of the failed connects of a namespace
BETWEEN = 0.05  # of them: counters are read at another moment than notices come
A_FEW = 3
DEADLINE = 0.1  # by so much those may differ that one deadline has ended


class Outcomes(NamedTuple):
    """Of connections from here to one place that ended in the last `seconds`.

    Port 0 is not known: connect() itself was told, and the kernel has forgotten it. `refused` and
    `silent` (nothing came) were never open; of `untold` it is not known which. `reset` ones were
    open, and never answered, or what was sent after a pause is not acknowledged. `left` were closed
    here, after `waited_s` seconds without an answer to what was sent and acknowledged; `cut` by the
    other end, which had sent nothing, `cut_s` after the last thing was sent, or, of the `unasked`,
    after they were opened. `lost` ended after what was sent had been repeated and was never
    acknowledged; `turned` ones with an error of `most_bytes`, as of a server that is full; `reused`
    ones were reset as they were used again, after `pause_s` seconds, by a timeout. `well` are those
    that ended well; of the `working`, which are open and have brought something meanwhile, `young`
    were opened in these seconds.
    `waiting_s` are open and wait for an answer too; of `half_closed` the other end has not closed
    since we did.
    """

    callee: Callee
    seconds: float
    first_at: float  # Unix time of the first failure
    ago_s: float  # since the last
    spread_s: float  # between them
    moments: int  # seconds, one after the other or not, in which some failed
    refused: int
    silent: int
    untold: int
    reset: int
    left: int
    cut: int
    lost: int
    turned: int
    reused: int
    well: int
    working: int
    young: int
    repeated: int  # of the silent ones, with a SYN sent again: they waited for a second or longer
    never_answered: int  # of those left
    waited_s: F64  # of those left, sorted
    unasked: int  # of those cut
    cut_s: F64  # sorted
    repeats: F64  # of the lost ones, sorted: segments that were retransmitted
    most_bytes: float  # of those turned away
    staying: int  # open there for as long
    idle_s: F64  # of the reset ones, sorted: for which nothing came when the last thing was sent
    closed_before: int  # of the reset ones: last seen in CLOSE-WAIT, as the other end had closed
    waiting_s: F64
    half_closed: int
    pause_s: F64  # sorted
    reset_s: F64  # sorted, of the reused ones: after the last thing was sent
    whose: Whose  # the failed ones
    # By counters, of those that nobody answered:
    rejected: int = 0  # by ICMP
    rejected_here: int = 0  # by a filter of this host
    unreachables: int = 0  # that came meanwhile, too few for all of them
    unrouted: int = 0  # of those that failed at once, as this host has `no_route`
    no_route: str = ""

    @property
    def unopened(self) -> int:
        here = self.rejected_here + self.unrouted
        return self.refused + self.silent + self.untold + self.rejected + here

    @property
    def failed(self) -> int:
        open_ = self.reset + self.left + self.cut + self.lost + self.turned + self.reused
        return self.unopened + open_

    @property
    def paused(self) -> F64:
        """Of the reset ones those that had been idle when the last thing was sent."""
        return self.idle_s[self.idle_s >= IDLE_S]

    @property
    def after_a_pause(self) -> bool:
        return len(self.paused) >= MOSTLY * max(self.reset, 1)

    @property
    def sent_after_fin(self) -> bool:
        """A FIN that came moments before is in no sample: a few that show it tell."""
        return self.after_a_pause and self.closed_before >= A_FEW

    @property
    def fine(self) -> int:
        return self.well + self.working

    @property
    def every(self) -> int:
        return self.failed + self.fine

    @property
    def share(self) -> float:
        return self.failed / self.every


def outcomes(seen: Observations, seconds: float, least: int) -> Iterator[Outcomes]:
    """The places with `least` failures or more, most first."""
    closed = lately(seen, seconds)
    how = _how(seen, closed)
    failed = np.flatnonzero(how >= FAILED)
    if len(failed) < least:
        return
    keys = row_hash(*(getattr(closed, name) for name in WHERE))
    since = seen.sample.taken_at - min(seconds, seen.watched_s)
    for mine in list(rows_by_key(failed, keys[failed]))[:PLACES]:
        if len(mine) < least:
            return
        there = np.flatnonzero(keys == keys[mine[0]])
        how[_as_long(closed, how, there)] = LEFT
        again = there[how[there] == REUSED]
        how[again] = REUSED if reuse.by_timeout(closed, again) else NEUTRAL
        reset = there[how[there] == RESET]
        how[reset[reuse.as_long(closed, reset, again)]] = REUSED
        if np.count_nonzero(how[there] >= FAILED) < least:
            continue
        yield _outcomes(seen, closed, how, there, since)


def by_counters(seen: Observations, found: Outcomes) -> Outcomes:
    """With what was not told counted as refused, where the counters leave nothing else, and what
    nobody answered as rejected, where as many unreachables came, or were made here."""
    failed, silent = (
        (seen.grown(found.callee.netns, name, found.seconds) or (np.nan,))[0]
        for name in ("AttemptFails", "TCPAbortOnTimeout")
    )
    unreachable = icmp.came(seen, found.callee.netns, found.seconds)
    as_many = failed >= (1 - BETWEEN) * found.untold - 1
    if found.untold and as_many and unreachable + silent <= OTHERWISE * failed:
        return found._replace(refused=found.refused + found.untold, untold=0)
    if not found.silent:
        return found
    rejected = found.silent + found.untold
    told = found._replace(silent=0, untold=0, repeated=0)
    if unreachable >= MOSTLY * rejected:
        return told._replace(rejected=rejected)
    if rejected_here(seen, found.callee.netns, found.seconds) >= MOSTLY * rejected:
        return told._replace(rejected_here=rejected)
    return found._replace(unreachables=int(unreachable))


def _how(seen: Observations, closed: Closed) -> I64:
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
    how[opened & whole & broken & sent & (paused | ~came)] = RESET
    want = _in_want(closed)
    how[opened & whole & broken & want] = RESET
    how[whole & reuse.reused(seen, closed)] = REUSED
    ours = opened & whole & broken & (closed.first == codes.HERE)
    how[ours] = NEUTRAL
    how[ours & want] = LEFT
    untold = (closed.first == codes.UNTOLD) & came & (broken | (closed.reset == codes.NO))
    how[_late(seen, closed, opened & whole & untold & _in_want(closed, same_tick=True))] = LEFT
    here, there = _closed_first(seen, closed)
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
    how[accepted(seen, closed)] = NEUTRAL
    return how


def _in_want(closed: Closed, same_tick: bool = False) -> Bools:
    """An answer may be due to what was sent last and acknowledged, for longer than it takes;
    `same_tick`: also where something came within the tick in which that was sent."""
    asked = (closed.known("data_segs_out") > 0) & _few(closed) & ~lacking(closed)
    waited = _waited_s(closed)
    if same_tick:
        sent, came = (closed.known(f"last_data_{way}") for way in ("sent", "recv"))
        waited = np.where(sent == came, sent / 1000, waited)
    long: Bools = waited >= WAITED_S + ROUND_TRIPS * _round_trip_s(closed)
    return asked & long


def _as_long(closed: Closed, how: I64, there: Index) -> Index:
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


def _closed_first(seen: Observations, closed: Closed) -> tuple[Bools, Bools]:
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
        turned[mine] = with_error(closed.take(mine), limit, there[mine], here=False)
    return turned


def _waited_s(closed: Closed) -> F64:
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


def _outcomes(seen: Observations, closed: Closed, how: I64, there: Index, since: float) -> Outcomes:
    callee = Callee(*(int(getattr(closed, name)[there[0]]) for name in WHERE))
    number = np.bincount(how[there], minlength=REUSED + 1).tolist()
    failed, left = there[how[there] >= FAILED], there[how[there] == LEFT]
    cut, lost = there[how[there] == CUT], there[how[there] == LOST]
    reset, again = there[how[there] == RESET], there[how[there] == REUSED]
    at = closed.at[failed]
    unheard = closed.known("data_segs_in")[left] == 0
    repeated = closed.known("total_retrans")[there[how[there] == SILENT]] > 0
    waiting_s = _waiting_s(seen, callee)
    working = answered(seen, callee, since)
    young = working[~_seen_before(seen, working, since)]
    return Outcomes(
        callee,
        seen.sample.taken_at - since,
        float(at.min()),
        seen.sample.taken_at - float(at.max()),
        float(at.max() - at.min()),
        moments(np.sort(at)),
        number[REFUSED],
        number[SILENT],
        number[UNTOLD],
        number[RESET],
        number[LEFT],
        number[CUT],
        number[LOST],
        number[TURNED],
        number[REUSED],
        number[FINE],
        len(working),
        len(young),
        int(np.count_nonzero(repeated)),
        int(np.count_nonzero(unheard)),
        np.sort(closed.known("last_data_sent")[left] / 1000),
        int(np.count_nonzero(closed.known("data_segs_out")[cut] == 0)),
        np.sort(closed.known("last_data_sent")[cut] / 1000),
        np.sort(closed.known("total_retrans")[lost]),
        float(closed.known("bytes_received")[there[how[there] == TURNED]].max(initial=0)),
        _staying(seen, callee, since),
        np.sort(paused_s(closed)[reset]),
        int(np.count_nonzero(closed.state[reset] == tcp.CLOSE_WAIT)),
        waiting_s,
        _half_closed(seen, callee),
        np.sort(paused_s(closed)[again]),
        np.sort(closed.known("last_data_sent")[again] / 1000),
        whose(closed, failed),
    )


def moments(at: F64) -> int:
    number, place = 0, 0
    while place < len(at):
        number, place = number + 1, int(np.searchsorted(at, at[place] + 1.0))
    return number


def answered(seen: Observations, to: Callee, since: float) -> Index:
    """Connections there that are open, have brought something since, and owe nothing: a handshake
    of TLS is no answer yet."""
    table, rows = seen.table, _ours(seen, to, tcp.ESTABLISHED)
    came = table.tcp_info("data_segs_in")[rows] > 0
    heard = table.since_s("last_data_recv", rows) < seen.sample.taken_at - since
    rows = rows[came & heard]
    answered: Index = rows[~isin_sorted(rows, calls_awaiting(seen)[0])]
    return answered


def _waiting_s(seen: Observations, to: Callee) -> F64:
    waiting, waited_s = calls_awaiting(seen)
    return np.sort(waited_s[isin_sorted(waiting, _ours(seen, to, tcp.ESTABLISHED))])


def _staying(seen: Observations, to: Callee, since: float) -> int:
    """Connections there that were open before."""
    rows = _ours(seen, to, tcp.ESTABLISHED)
    old = _seen_before(seen, rows, since)
    return int(np.count_nonzero(old & (seen.table.inode[rows] != 0)))


def _seen_before(seen: Observations, rows: Index, since: float) -> Bools:
    """Of a watch that is as short those that its first sample had, whose clock is another one."""
    before: Bools = seen.snapshot.seen_s[rows] >= (seen.sample.taken_at - since) * 0.95
    return before


def _half_closed(seen: Observations, to: Callee) -> int:
    """Those that no process has open, which the kernel ends after tcp_fin_timeout."""
    rows = _ours(seen, to, tcp.FIN_WAIT2)
    return int(np.count_nonzero(seen.table.inode[rows] == 0))


def unacknowledged(seen: Observations, to: Callee) -> Index:
    """Those that this host has closed, and whose last data, or FIN, it retransmits in vain."""
    states = (tcp.FIN_WAIT1, tcp.LAST_ACK, tcp.CLOSING)
    rows = np.concatenate([_ours(seen, to, state) for state in states])
    vain: Index = rows[seen.table.tcp_info("backoff")[rows] >= BACKOFF]
    return vain


def _ours(seen: Observations, to: Callee, state: int) -> Index:
    rows = unanswered.there(seen, to, with_port=to.remote_port != 0)
    ours: Index = rows[~seen.accepted[rows] & (seen.table.state[rows] == state)]
    return ours
