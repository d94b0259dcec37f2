"""How connections to one destination ended of late, by the kernel's notices of what it destroys.

Counters tell of a whole namespace and rows only of what is still there. What fails at once, or is
given up after a second, is in neither: a small service may fail altogether, and nothing is high.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tcptop.analysis.dialing import WHERE, Callee
from tcptop.analysis.findings import answers_reset, icmp, reuse, unanswered, ungreeted
from tcptop.analysis.findings.awaiting import calls_awaiting
from tcptop.analysis.findings.ended import ADDRESS, Whose, lately, whose
from tcptop.analysis.findings.how_ended import (
    CUT,
    DECLINED,
    FAILED,
    FINE,
    LEFT,
    LOST,
    NEUTRAL,
    REFUSED,
    RESET,
    REUSED,
    SILENT,
    STRUCK,
    TURNED,
    UNGREETED,
    UNTOLD,
    accepted,
    as_long,
    how_ended,
    in_use,
    too_late,
)
from tcptop.analysis.findings.kept_back import rejected_here
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.reuse import IDLE_S, lacking, paused_s
from tcptop.model import tcp
from tcptop.model.arrays import isin_sorted, row_hash, rows_by_key
from tcptop.model.closed import Closed
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.table import F64, I64, Bools, Index

PLACES = 20
BACKOFF = 2  # retransmissions in a row
MOSTLY = 0.8  # of those that are reset, after a pause
OTHERWISE = 0.2  # of the failed connects of a namespace
BETWEEN = 0.05  # of them: counters are read at another moment than notices come
A_FEW = 3
ERROR, SAME = 600.0, 2.0  # bytes of an error page, and by how many they differ: a FIN counts as one
LONG_S = 5.0  # without an answer: a deadline of a second is met by whatever is slow
SMALL = 1000.0  # bytes of a segment: links of PPPoE, VPNs and tunnels take as many
CHECKS, JITTER = 3, 0.2  # at most, that ask at a time; of their intervals
LASTING = 3  # seconds in which some were reset in use: a server that restarts resets once


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
    periodic: bool  # they came at equal intervals, as a check asks
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
    late_s: F64  # of those left, sorted, after which the answer came nevertheless
    unasked: int  # of those cut
    cut_s: F64  # sorted
    repeats: F64  # of the lost ones, sorted: segments that were retransmitted
    most_bytes: float  # of those turned away
    staying: int  # open there for as long
    idle_s: F64  # of the reset ones, sorted: for which nothing came when the last thing was sent
    in_use: int  # of the reset ones: answered before, and not after a pause
    closed_before: int  # of the reset ones: last seen in CLOSE-WAIT, as the other end had closed
    asked_again: int  # of those, after requests that were answered, with one as long
    waiting_s: F64
    half_closed: int
    pause_s: F64  # sorted
    reset_s: F64  # sorted, of the reused ones: after the last thing was sent
    whose: Whose  # the failed ones
    answers: F64  # bytes that those that ended well brought, sorted
    declined: int  # closed here as the server declined TLS
    fed: int  # that ended, or were opened meanwhile, and have got a byte
    ungreeted_s: F64  # sorted, how long those had been open that left without the server's greeting
    ungreeted_open: int  # that wait for it now
    small_only: bool  # all that came was in small segments, over a network
    # By counters, of those that nobody answered:
    rejected: int = 0  # by ICMP
    rejected_here: int = 0  # by a filter of this host
    unreachables: int = 0  # that came meanwhile, too few for all of them
    unrouted: int = 0  # of those that failed at once, as this host has `no_route`
    no_route: str = ""
    answered_late: float = 0.0  # resets for SYN-ACKs to what had been given up: that came too late

    @property
    def unopened(self) -> int:
        here = self.rejected_here + self.unrouted
        return self.refused + self.silent + self.untold + self.rejected + here

    @property
    def failed(self) -> int:
        open_ = self.reset + self.left + self.cut + self.lost + self.turned + self.reused
        return self.unopened + open_ + self.declined + self.ungreeted

    @property
    def ungreeted(self) -> int:
        return len(self.ungreeted_s)

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
    def errors(self) -> int:
        """Those that ended well with the same few bytes each, as the error of a proxy whose back
        end is full, while the others had no answer."""
        alike = len(self.answers) >= A_FEW and self.answers[-1] - self.answers[0] <= SAME
        small = alike and 0 < self.answers[-1] <= ERROR and not self.working
        return len(self.answers) if small and self.left else 0

    @property
    def hung(self) -> bool:
        """Those left had waited for so long that no slow program is the only reason."""
        return self.left > 0 and float(self.waited_s[0]) >= LONG_S

    @property
    def none_new(self) -> bool:
        """Only older ones bring something: of those that were opened meanwhile none got a byte, as
        of a server that takes no more."""
        never = self.never_answered == self.left > 0
        return never and self.working > 0 and not self.well and not self.fed

    @property
    def every(self) -> int:
        return self.failed + self.fine

    @property
    def share(self) -> float:
        return self.failed / self.every


def outcomes(seen: Observations, seconds: float, least: int) -> Iterator[Outcomes]:
    """The places with `least` failures or more, most first."""
    closed = lately(seen, seconds)
    if len(closed) < least:
        return
    how = how_ended(seen, closed)
    failed = np.flatnonzero(how >= FAILED)
    if len(failed) < least:
        return
    keys = row_hash(*(getattr(closed, name) for name in WHERE))
    since = seen.sample.taken_at - min(seconds, seen.watched_s)
    for mine in list(rows_by_key(failed, keys[failed]))[:PLACES]:
        if len(mine) < least:
            return
        there = np.flatnonzero(keys == keys[mine[0]])
        how[as_long(closed, how, there)] = LEFT
        struck = there[how[there] == STRUCK]
        how[struck] = RESET if _goes_on(seen, closed, struck, least) else NEUTRAL
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
    late = 0.0
    if not found.repeated:  # whoever waits for a second sends it again
        late = answers_reset.after_giving_up(seen, found.callee.netns, found.silent, found.seconds)
    return found._replace(unreachables=int(unreachable), answered_late=late)


def _outcomes(seen: Observations, closed: Closed, how: I64, there: Index, since: float) -> Outcomes:
    callee = Callee(*(int(getattr(closed, name)[there[0]]) for name in WHERE))
    number = np.bincount(how[there], minlength=STRUCK + 1).tolist()
    if not callee.remote_port:
        number[FINE] = _open_at_any_port(seen, closed, how, int(there[0]))
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
        periodic(np.sort(at)),
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
        np.sort(closed.known("last_data_sent")[left[too_late(closed)[left]]] / 1000),
        int(np.count_nonzero(closed.known("data_segs_out")[cut] == 0)),
        np.sort(closed.known("last_data_sent")[cut] / 1000),
        np.sort(closed.known("total_retrans")[lost]),
        float(closed.known("bytes_received")[there[how[there] == TURNED]].max(initial=0)),
        _staying(seen, callee, since),
        np.sort(paused_s(closed)[reset]),
        _in_use(closed, reset),
        int(np.count_nonzero(closed.state[reset] == tcp.CLOSE_WAIT)),
        int(np.count_nonzero(reuse.requests(closed, reset[closed.state[reset] == tcp.CLOSE_WAIT]))),
        waiting_s,
        _half_closed(seen, callee),
        np.sort(paused_s(closed)[again]),
        np.sort(closed.known("last_data_sent")[again] / 1000),
        whose(closed, failed),
        np.sort(closed.known("bytes_received")[there[how[there] == FINE]]),
        number[DECLINED],
        _fed(seen, closed, there, since),
        np.sort(closed.known("last_data_sent")[there[how[there] == UNGREETED]] / 1000),
        len(ungreeted.waiting(seen, _ours(seen, callee, tcp.ESTABLISHED))),
        _small_only(seen, callee, closed.take(there[how[there] == FINE]), working),
    )


def _small_only(seen: Observations, to: Callee, fine: Closed, working: Index) -> bool:
    """Whether nobody knows that a large segment comes through from there."""
    table = seen.table
    bytes_, segments = (
        np.concatenate([fine.known(name), table.info_of(name, working)])
        for name in ("bytes_received", "data_segs_in")
    )
    came = segments > 0
    small = bytes_[came] < SMALL * segments[came]
    return bool(len(small) >= A_FEW and small.all()) and not unanswered.is_here(seen, to)


def _fed(seen: Observations, closed: Closed, there: Index, since: float) -> int:
    to = Callee(*(int(getattr(closed, name)[there[0]]) for name in WHERE))
    rows = _ours(seen, to, tcp.ESTABLISHED)
    rows = rows[seen.table.tcp_info("data_segs_in")[rows] > 0]
    young = ~_seen_before(seen, rows, since)
    over = closed.known("data_segs_in")[there] > 0
    return int(np.count_nonzero(young) + np.count_nonzero(over))


def _open_at_any_port(seen: Observations, closed: Closed, how: I64, row: int) -> int:
    """Those that were open, also the checks of a proxy that end in a reset."""
    same = closed.opened & (how < FAILED) & ~accepted(seen, closed)
    for name in ADDRESS:
        same &= getattr(closed, name) == getattr(closed, name)[row]
    return int(np.count_nonzero(same))


def _goes_on(seen: Observations, closed: Closed, struck: Index, least: int) -> bool:
    """Somebody else resets them in use, again and again."""
    if len(struck) < least or moments(np.sort(closed.at[struck])) < LASTING:
        return False
    return not reuse.by_this_host(seen, closed, struck)


def _in_use(closed: Closed, rows: Index) -> int:
    used, paused = in_use(closed)[rows], paused_s(closed)[rows] >= IDLE_S
    return int(np.count_nonzero(used & ~paused & lacking(closed)[rows]))


def moments(at: F64) -> int:
    number, place = 0, 0
    while place < len(at):
        number, place = number + 1, int(np.searchsorted(at, at[place] + 1.0))
    return number


def periodic(at: F64) -> bool:
    """Times of a check that asks at equal intervals, or of a few of them."""
    for checks in range(1, CHECKS + 1):
        steps = at[checks:] - at[:-checks]
        if len(steps) >= A_FEW and steps.max() <= (1 + JITTER) * steps.min():
            return True
    return False


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
