"""What this host keeps back of what it sends itself: it rejects, drops or refuses its own packets.

IP counts what TCP hands it (OutRequests, __ip_local_out) and, past every filter, what goes to a
device (OutTransmits, ip_finish_output2, net/ipv4/ip_output.c; since 6.7). Of IPv6 neither is read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from tcptop.analysis.dialing import Callee, callee
from tcptop.analysis.findings import icmp, unanswered
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.summary import SampleSummary
from tcptop.analysis.findings.windows import halves, lengths, rates, rates_or_zero, window
from tcptop.analysis.stalls import unsent
from tcptop.model import tcp
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.sample import Process
from tcptop.model.table import F64, MAPPED, Index

LEAST = 3  # connects, and packets, in two intervals or more
MOSTLY = 0.8  # of them
ALIKE = 0.25  # by so much two numbers may differ that count the same
PEOPLE = 8
NOBODY = (0, int(MAPPED))  # ::, 0.0.0.0
REJECTS, DROPS, REFUSES = "rejects", "drops", "refuses"


class KeptBack(NamedTuple):
    """In `seconds`: `packets` that were kept back, and the connects that failed or wait still, by
    place. Of the open connections `stuck` what waits in Send-Q has never left."""

    netns: int
    how: str
    seconds: float
    packets: float
    places: tuple[tuple[Callee, int], ...]
    waiting: int  # of the connects
    stuck: Index
    processes: tuple[Process, ...]

    @property
    def connects(self) -> int:
        return sum(number for _, number in self.places)

    @property
    def place(self) -> Callee | None:
        """Where most of them went."""
        most = self.places[:1]
        return most[0][0] if most and most[0][1] >= MOSTLY * self.connects else None


def kept_back(
    seen: Observations, netns: int, summaries: Sequence[SampleSummary]
) -> KeptBack | None:
    stuck = unsent(seen.table)
    stuck = stuck[seen.table.netns[stuck] == netns]
    for how, packets in (
        (REJECTS, _rejected(summaries, netns)),
        (DROPS, _dropped(summaries, netns, len(stuck))),
    ):
        if packets >= LEAST:
            found = _found(seen, netns, summaries, how, packets, stuck)
            if found.connects + len(stuck) >= LEAST and packets >= MOSTLY * found.connects:
                return found
    refused = _refused(summaries, netns)
    if refused < LEAST:
        return None
    found = _found(seen, netns, summaries, REFUSES, refused, stuck[:0])
    return found if found.connects >= max(LEAST, MOSTLY * refused) else None


def rejected_here(seen: Observations, netns: int, seconds: float) -> float:
    """Packets in such a window that a filter of this host rejects; 0 where it is not known."""
    summaries = window(seen, seconds)
    return _rejected(summaries, netns) if summaries else 0.0


def _found(
    seen: Observations,
    netns: int,
    summaries: Sequence[SampleSummary],
    how: str,
    packets: float,
    stuck: Index,
) -> KeptBack:
    places = _ended(summaries, netns, how == REFUSES)
    waiting = Counter(_waiting(seen, netns) if how != REFUSES else ())
    places.update(waiting)
    for to in [to for to in places if unanswered.is_here(seen, to)]:
        del places[to]
    most = tuple(places.most_common())
    seconds = float(lengths(summaries).sum())
    who = _processes(seen, summaries, places, stuck)
    return KeptBack(netns, how, seconds, packets, most, waiting.total(), stuck, who)


def _total(values: F64, summaries: Sequence[SampleSummary]) -> float:
    """Of a rate that rises in two intervals or more: what comes at once is one accident."""
    return float((values * lengths(summaries)).sum()) if np.count_nonzero(values > 0) > 1 else 0.0


def lost(summaries: Sequence[SampleSummary], netns: int) -> F64:
    """Packets a second that did not reach a device; none where it is not counted."""
    asked, sent = (rates(summaries, netns, name) for name in ("OutRequests", "OutTransmits"))
    if asked is None or sent is None:
        return np.zeros(len(summaries) - 1)
    passed_on, large = (
        rates_or_zero(summaries, netns, name) for name in ("ForwDatagrams", "FragFails")
    )
    return np.maximum(asked + passed_on - large - sent, 0.0)


def _rejected(summaries: Sequence[SampleSummary], netns: int) -> float:
    """A neighbour that does not answer makes this host tell itself too, past the filters."""
    own = icmp.own(summaries, netns)
    return _total(np.minimum(own, lost(summaries, netns)), summaries) if own.any() else 0.0


def _dropped(summaries: Sequence[SampleSummary], netns: int, stuck: int) -> float:
    """IPsec counts what it wraps twice: TCP must know that what it repeats does not leave."""
    known = stuck > 0
    if not known:
        failed, repeated = (
            _total(rates_or_zero(summaries, netns, name), summaries)
            for name in ("TCPRetransFail", "TCPSynRetrans")
        )
        known = failed >= MOSTLY * repeated > 0
    return _total(lost(summaries, netns), summaries) if known else 0.0


def _refused(summaries: Sequence[SampleSummary], netns: int) -> float:
    """Connects that failed, where as many resets have gone out, in both halves of the window."""
    failed = rates_or_zero(summaries, netns, "AttemptFails") * lengths(summaries)
    if not failed.any():
        return 0.0
    sent, unread, aborted = (
        rates_or_zero(summaries, netns, name) * lengths(summaries)
        for name in ("OutRsts", "TCPAbortOnClose", "TCPAbortOnData")
    )
    resets, total = sent - unread - aborted, _total(failed, summaries)
    for part in halves(summaries):
        refused = float(failed[part].sum())
        if abs(float(resets[part].sum()) - refused) > ALIKE * refused:
            return 0.0
    return total if np.count_nonzero(failed) > 1 else 0.0


def _ended(summaries: Sequence[SampleSummary], netns: int, refused: bool) -> Counter[Callee]:
    """By the notices; of what connect() itself was told the kernel has forgotten the port, and
    whether something came."""
    places = Counter[Callee]()
    for each in (f for m in summaries[1:] for f in m.failed or () if f.netns == netns):
        told = each.answered == refused or not each.remote_port
        if told and each.remote_lo not in NOBODY:
            to = Callee(netns, each.interface, each.remote_hi, each.remote_lo, each.remote_port)
            places[to] += each.number
    return places


def _waiting(seen: Observations, netns: int) -> list[Callee]:
    table = seen.table
    again = (table.state == tcp.SYN_SENT) & (table.netns == netns) & (table.retrans > 0)
    return [callee(table, row) for row in np.flatnonzero(again).tolist()]


def _processes(
    seen: Observations,
    summaries: Sequence[SampleSummary],
    places: Counter[Callee],
    stuck: Index,
) -> tuple[Process, ...]:
    past = (m.calls[to] for m in summaries[1:] for to in places if to in m.calls)
    every = [each for calls in past for each in calls.processes]
    every += [each for row in stuck[:PEOPLE].tolist() for each in seen.processes(row)]
    return tuple({(each.pid, each.start_time): each for each in every}.values())[:PEOPLE]
