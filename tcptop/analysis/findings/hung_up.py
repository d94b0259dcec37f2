"""Connections that the server ends first, soon after they were opened.

Who closes first keeps the TIME_WAIT (RFC 9293 3.6): at the server's host the rows are there. At the
client's nothing stays; ActiveOpens counts them, without TIME_WAIT and without a reset.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from tcptop.analysis import stalls
from tcptop.analysis.dialing import callee
from tcptop.analysis.findings.churn import answered
from tcptop.analysis.findings.ended import called_there, lately
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.summary import SampleSummary
from tcptop.analysis.findings.windows import halves, lengths, mean_of, rates_or_zero
from tcptop.analysis.listeners import match
from tcptop.model import tcp
from tcptop.model.arrays import isin_codes, row_hash, rows_by_key, sorted_unique
from tcptop.model.closed import HERE, THERE, YES, Closed
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.table import Bools, Index

STEADY = 0.5  # of the rate, in each half of the window: a burst is none
SOON_S = 1.5  # for so long at most they were open: an idle timeout is longer
MOSTLY = 0.9  # of the connections from here, to be taken for those that are counted


class HungUp(NamedTuple):
    """`row` is the listener, or one of the connections to the destination; `staying` are those
    there that were open before the window and are still. `unheard`: nothing had come from the
    clients; `mute`: nor was anything sent to them."""

    row: int
    per_s: float
    staying: Index
    unheard: bool = False
    mute: bool = False
    reset: int = 0


def by_listeners(
    seen: Observations, netns: int, summaries: Sequence[SampleSummary], per_s: float
) -> Iterator[HungUp]:
    """Listeners of this host whose processes close so many connections a second first."""
    table, seconds = seen.table, float(lengths(summaries).sum())
    waiting = (table.state == tcp.TIME_WAIT) & (table.netns == netns)
    if not waiting.any():
        return
    rows = np.flatnonzero(waiting & seen.accepted & (seen.snapshot.seen_s < seconds))
    rows = rows[table.time_wait_ms()[rows] < seconds * 1000]
    if len(rows) < per_s * seconds:
        return
    at = match(table, rows)
    spans = [lengths(summaries)[part].sum() for part in halves(summaries)]
    newer = table.time_wait_ms()[rows] < spans[1] * 1000
    stay = np.flatnonzero(staying(seen, netns, seconds) & seen.accepted)
    listener = match(table, stay)
    for row in sorted_unique(at[at >= 0]).tolist():
        halves_of_it = (int(((at == row) & (newer == half)).sum()) for half in (False, True))
        numbers = list(halves_of_it)
        steady = all(n >= STEADY * per_s * s for n, s in zip(numbers, spans, strict=True))
        if steady and sum(numbers) >= per_s * seconds:
            yield HungUp(row, sum(numbers) / seconds, stay[listener == row])


def unheard(
    seen: Observations, netns: int, summaries: Sequence[SampleSummary], per_s: float
) -> Iterator[HungUp]:
    """Listeners of this host whose processes close so many a second before anything has come from
    them, by the kernel's notices. Who serves reads first, but for greetings."""
    seconds = float(lengths(summaries).sum())
    closed = lately(seen, seconds)
    if len(closed) < per_s * seconds:
        return
    soon = over_soon(closed)
    soon &= closed.opened & (closed.first == HERE) & (closed.netns == netns)
    ended = closed.take(soon & (closed.known("data_segs_in") == 0))
    if len(ended) < per_s * seconds:
        return
    newer = ended.at >= seen.sample.taken_at - lengths(summaries)[halves(summaries)[1]].sum()
    stay = np.flatnonzero(staying(seen, netns, seconds) & seen.accepted)
    for row in listeners(seen, netns):
        mine = ended.local_port == seen.table.local_port[row]
        least = STEADY * per_s * seconds / 2
        steady = min((mine & newer).sum(), (mine & ~newer).sum()) >= least
        if steady and mine.sum() >= per_s * seconds:
            mute = bool((ended.known("data_segs_out")[mine] == 0).all())
            there = stay[seen.table.local_port[stay] == seen.table.local_port[row]]
            yield HungUp(row, float(mine.sum()) / seconds, there, True, mute)


def over_soon(closed: Closed) -> Bools:
    soon: Bools = np.fmin(closed.life_s, closed.short_s) <= SOON_S
    return soon


def listeners(seen: Observations, netns: int) -> list[int]:
    """One of each port."""
    table = seen.table
    rows = np.flatnonzero((table.state == tcp.LISTEN) & (table.netns == netns)).tolist()
    return list({int(table.local_port[row]): row for row in rows}.values())


def by_destination(
    seen: Observations, netns: int, summaries: Sequence[SampleSummary], per_s: float
) -> HungUp | None:
    """The one destination that nearly all connections from here lead to, where so many a second
    are opened and closed there first. The process of those is not seen."""
    resets = mean_of(rates_or_zero(summaries, netns, "EstabResets"), summaries, slice(None))
    opened = answered(summaries, netns)
    if not resets and (opened is None or not opened.any()):
        return None
    ours, seconds = _ours(seen, netns), float(lengths(summaries).sum())
    counted = _counted(seen, summaries, netns, ours, per_s)
    if not len(ours) or max(counted, resets) < STEADY * per_s:
        return None
    names = ("interface", "remote_hi", "remote_lo", "remote_port")
    most = next(rows_by_key(ours, row_hash(*(getattr(seen.table, name)[ours] for name in names))))
    if len(most) < MOSTLY * len(ours):
        return None
    ended = _ended_there(seen, int(most[0]), seconds)
    rate = max(counted, _noticed(seen, summaries, ended, per_s))
    reset = int(np.count_nonzero(ended.reset == YES))
    stay = most[staying(seen, netns, seconds)[most]]
    return HungUp(int(most[0]), rate, stay, reset=reset) if rate >= per_s else None


def _counted(
    seen: Observations, summaries: Sequence[SampleSummary], netns: int, ours: Index, per_s: float
) -> float:
    """A second, that were opened, without a reset, and are gone; 0 where that is not steady."""
    opened, seconds = answered(summaries, netns), float(lengths(summaries).sum())
    if opened is None:
        return 0.0
    if any(mean_of(opened, summaries, part) < STEADY * per_s for part in halves(summaries)):
        return 0.0
    young = seen.snapshot.seen_s[ours] < seconds
    left = float(np.count_nonzero(young))  # in TIME_WAIT here, or open still
    skipped = rates_or_zero(summaries, netns, "TCPTimeWaitOverflow")  # closed here first, perhaps
    return mean_of(opened - skipped, summaries, slice(None)) - left / seconds


def _noticed(
    seen: Observations, summaries: Sequence[SampleSummary], ended: Closed, per_s: float
) -> float:
    """A second; 0 where that is not steady."""
    older, newer = (float(lengths(summaries)[part].sum()) for part in halves(summaries))
    late = ended.at >= seen.sample.taken_at - newer
    numbers = ((~late).sum() / older, late.sum() / newer)
    return len(ended) / (older + newer) if min(numbers) >= STEADY * per_s else 0.0


def _ended_there(seen: Observations, row: int, seconds: float) -> Closed:
    """By the notices those that the destination of a row ended soon; of EstabResets these are not
    all, which counts none that is reset after it was closed (tcp_set_state, net/ipv4/tcp.c)."""
    closed, to = lately(seen, seconds), callee(seen.table, row)
    soon = over_soon(closed) & called_there(closed, to)
    there = (closed.first == THERE) | ((closed.reset == YES) & (closed.first != HERE))
    return closed.take(soon & closed.opened & there)


def _ours(seen: Observations, netns: int) -> Index:
    table = seen.table
    never = isin_codes(table.state, (tcp.LISTEN, tcp.SYN_SENT, tcp.SYN_RECV))
    rows: Index = np.flatnonzero((table.netns == netns) & ~seen.accepted & ~never)
    return rows


def staying(seen: Observations, netns: int, seconds: float) -> Bools:
    """Connections that were open so long ago and are still."""
    table = seen.table
    old = (seen.snapshot.seen_s >= seconds * 0.95) & (table.netns == netns)
    stay: Bools = old & isin_codes(table.state, stalls.TALKING) & (table.inode != 0)
    return stay
