"""Short connections by destination: opened within a window, and over.

Where this end closes first, each leaves a TIME_WAIT row, and nothing is missed. Where the other
end does and is on this host, the row is there, at the listener's port; a new connection from the
same port ends it (tcp_timewait_state_process, net/ipv4/tcp_minisocks.c), as tcp_tw_reuse does at
this end. Else only those are seen that live while tcptop looks. ActiveOpens (tcp_connect,
net/ipv4/tcp_output.c) counts the others, and they are put down to the destination of most that
were seen.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tcptop.analysis.findings.broken import unopened
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.summary import SampleSummary
from tcptop.analysis.findings.windows import lengths, rates, rates_or_zero
from tcptop.model import sysctls, tcp
from tcptop.model.arrays import index_of, isin_codes, row_hash, sorted_unique
from tcptop.model.dataclass import dataclass
from tcptop.model.table import F64, U64, Bools, Index

SEEN = 3  # connections, before what was not seen is put down to their destination
MOSTLY = 0.5  # and they must be that share of all that were seen
# A share of what was opened, up to which what was not seen is none: ActiveOpens is read a moment
# after the sockets are, and counts what opened in between.
BETWEEN = 0.05
REQUESTS = 40  # segments of data that this end has sent: more than one request and a login


@dataclass(frozen=True, eq=False, slots=True)
class DestinationEnds:
    """The destinations of one namespace: keys, sorted, and what belongs to each.

    `ours` are rows of this end, `theirs` those of a listener here whose client is here too;
    `at` and `their_at` are the places of their destinations among the keys.
    """

    keys: U64
    ours: Index
    at: Index
    theirs: Index
    their_at: Index


@dataclass(frozen=True, eq=False, slots=True)
class Churn:
    """Connections in the window by destination. `unseen` belong to none; 0 where not counted.

    `reused`: where ports were taken again, so that TIME_WAIT rows are gone.
    """

    ends: DestinationEnds
    seconds: float
    short: F64
    inferred: F64
    unseen: float
    reused: Bools


def answered(summaries: Sequence[SampleSummary], netns: int) -> F64 | None:
    """Connections opened from here a second, in each interval, without those that failed.

    Nor those that were reset: a health check ends like that.
    """
    active = rates(summaries, netns, "ActiveOpens")
    if active is None or not active.any():
        return active
    reset = rates_or_zero(summaries, netns, "EstabResets")
    opened: F64 = np.maximum(active - unopened(summaries, netns) - reset, 0)
    return opened


def churned(seen: Observations, netns: int, summaries: Sequence[SampleSummary]) -> Churn:
    """`summaries` are the window."""
    ends = _ends(seen, netns)
    seconds = float(lengths(summaries).sum())
    short, ended = _short(seen, ends, summaries, seconds)
    missed = _unseen(seen, summaries, netns, float(ended.sum()))
    unseen = max(missed - _elsewhere(seen, netns, seconds), 0.0)
    reused = _count(ends.their_at, np.ones(len(ends.their_at), bool), len(ends.keys)) > 0
    reused |= rates_or_zero(summaries, netns, "TWRecycled").any() & (ended > 0)
    traceless = np.where(reused, short, np.maximum(short - ended, 0))
    inferred = _inferred(traceless, unseen)
    known = traceless.sum() >= SEEN
    return Churn(ends, seconds, short, inferred, 0.0 if known else unseen, reused)


def pooled(seen: Observations, ends: DestinationEnds) -> Bools:
    """Destinations whose newest connections have carried many requests each already.

    A busy pool replaces a connection after a thousand requests, as servers ask it to: at full load
    that is often, and no churn.
    """
    table = seen.table
    newest = (seen.snapshot.seen_s <= 0) & (table.state == tcp.ESTABLISHED)
    newest &= table.tcp_info_known("data_segs_out")
    at, rows = ends.at[newest[ends.ours]], ends.ours[newest[ends.ours]]
    busy = table.info_of("data_segs_out", rows) > REQUESTS
    many: Bools = 2 * _count(at, busy, len(ends.keys)) > np.bincount(at, minlength=len(ends.keys))
    return many


def over(seen: Observations, churn: Churn, summaries: Sequence[SampleSummary]) -> F64:
    """The same for the newest of these summaries alone, by the same destinations."""
    return _short(seen, churn.ends, summaries, float(lengths(summaries).sum()))[0]


def _ends(seen: Observations, netns: int) -> DestinationEnds:
    table = seen.table
    here = table.netns == netns
    ours = np.flatnonzero(here & (seen.snapshot.ports.group >= 0))
    waiting = here & (table.state == tcp.TIME_WAIT)
    theirs = np.flatnonzero(waiting & seen.accepted & seen.remote_here)
    far, near = _key(seen, ours, "remote"), _key(seen, theirs, "local")
    keys = sorted_unique(np.concatenate([far, near]))
    return DestinationEnds(keys, ours, index_of(far, keys), theirs, index_of(near, keys))


def _key(seen: Observations, rows: Index, side: str) -> U64:
    names = ("netns", "interface", f"{side}_hi", f"{side}_lo", f"{side}_port")
    return row_hash(*(getattr(seen.table, name)[rows] for name in names))


def _short(
    seen: Observations, ends: DestinationEnds, summaries: Sequence[SampleSummary], seconds: float
) -> tuple[F64, F64]:
    """By destination those that are over, and of these the ones with TIME_WAIT."""
    table, number = seen.table, len(ends.keys)
    young = seen.snapshot.seen_s < seconds
    waits = table.state == tcp.TIME_WAIT
    closed = waits & young & (table.time_wait_ms() < seconds * 1000)
    alive = _count(ends.at, (young & ~waits)[ends.ours], number)
    ended = _count(ends.at, closed[ends.ours], number)
    ended += _count(ends.their_at, closed[ends.theirs], number)
    witnessed = np.maximum(_opened(seen, ends, summaries) - alive, 0)
    short = np.where(_asking(seen, ends, ended), 0.0, np.maximum(witnessed, ended))
    return short, ended


def _count(at: Index, chosen: Bools, number: int) -> F64:
    return np.bincount(at[chosen], minlength=number).astype(np.float64)


def _opened(seen: Observations, ends: DestinationEnds, summaries: Sequence[SampleSummary]) -> F64:
    """Connections that were seen to open in the intervals between these summaries."""
    ports = seen.snapshot.ports
    groups = ports.key
    opened = np.zeros(len(groups))
    for summary, seconds in zip(summaries[1:], lengths(summaries), strict=True):
        place = index_of(groups, summary.destination)
        rate = np.nan_to_num(summary.opened)
        opened[place >= 0] += rate[place[place >= 0]] * seconds
    names = ("netns", "interface", "remote_hi", "remote_lo", "remote_port")
    key = row_hash(*(getattr(ports, name) for name in names))
    at = index_of(key, ends.keys)
    sums: F64 = np.bincount(at[at >= 0], opened[at >= 0], len(ends.keys)).astype(np.float64)
    return sums


def _asking(seen: Observations, ends: DestinationEnds, ended: F64) -> Bools:
    """Destinations that hardly answer: what is over there never was a connection."""
    state = seen.table.state[ends.ours]
    asking = _count(ends.at, state == tcp.SYN_SENT, len(ended))
    alive = _count(ends.at, (state != tcp.SYN_SENT) & (state != tcp.TIME_WAIT), len(ended))
    more: Bools = asking > alive + ended
    return more


def _elsewhere(seen: Observations, netns: int, seconds: float) -> int:
    """Young connections from ports outside the range, or where the range is not known."""
    table = seen.table
    young = (table.netns == netns) & (seen.snapshot.seen_s < seconds)
    young &= (seen.snapshot.ports.group < 0) & ~seen.accepted
    return int(np.count_nonzero(young & ~isin_codes(table.state, (tcp.LISTEN, tcp.SYN_RECV))))


def _unseen(
    seen: Observations, summaries: Sequence[SampleSummary], netns: int, ended: float
) -> float:
    """Opened without a trace. Rows of other namespaces are taken off too: rather too few."""
    opened, known = answered(summaries, netns), seen.sample.kernel_of(netns).sysctls
    if opened is None or sysctls.port_range(known) is None:
        return 0.0  # without the range of local ports nothing is known of what was seen
    spans = lengths(summaries)
    witnessed = sum(
        float(np.nansum(summary.opened)) * float(seconds)
        for summary, seconds in zip(summaries[1:], spans, strict=True)
    )
    every = float((opened * spans).sum())
    unseen = every - max(witnessed, ended)
    return unseen if unseen > BETWEEN * every else 0.0


def _inferred(weight: F64, unseen: float) -> F64:
    """What was not seen, put down to the destination of most that were, if one stands out."""
    total = float(weight.sum())
    if total < SEEN:
        return np.zeros(len(weight))
    return np.where(weight >= MOSTLY * total, weight / total * unseen, 0.0)
