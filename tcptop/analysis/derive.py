"""Sample and history -> snapshot and history: the one road that every view's numbers take."""

from __future__ import annotations

import numpy as np

from tcptop.analysis import history as past
from tcptop.analysis import listening, ports
from tcptop.analysis.gathering import Rates, processes, remotes
from tcptop.analysis.history import History, Known, Now
from tcptop.analysis.holding import Held, hold, mini
from tcptop.analysis.kernel import rates as kernel_rates
from tcptop.analysis.kernel import seen_ratio
from tcptop.model import owner
from tcptop.model.sample import Process, Sample
from tcptop.model.snapshot import Snapshot, Totals
from tcptop.model.table import F64, SocketTable


def derive(sample: Sample, history: History) -> tuple[Snapshot, History]:
    """What this sample means after those before it, and what the next one has to know."""
    table, known = sample.sockets, history.known
    now = past.join(table, history, sample.clock)
    queue = listening.queues(table)
    peak = listening.peaks(table, sample.peaks, now, known)
    held = hold(sample, queue, now, known, history.people)
    found = ports.ranges(sample, history)
    used = ports.ports(sample, now, history, found)
    rates = _rates(table, now, known)
    opens = history.opens + past.witnessed_opens(table, now, known)
    totals = _totals(sample, held, seen_ratio(sample, history, opens))
    kept = past.remember(known, table, now, held.person, peak)
    trend = past.with_trend(history.trend, sample.clock, totals.by_state)
    began = sample.clock if history.began is None else history.began
    snapshot = Snapshot(
        sample=sample,
        over_s=None if history.began is None else sample.clock - began,
        owner=held.owner,
        note=held.note,
        queue=queue,
        holders=held.holders,
        age_s=_age(now, known, witnessed=True),
        seen_s=_age(now, known, witnessed=False),
        bytes_sent_per_s=rates.sent,
        bytes_received_per_s=rates.received,
        retransmits_per_s=rates.retransmits,
        mini=mini(table),
        totals=totals,
        listeners=listening.listeners(table, queue, peak, now, known),
        processes=processes(table, held.holders, held.owner, rates, np.ones(len(table), bool)),
        ports=used,
        remotes=remotes(table, rates, with_port=False),
        kernel_rates=kernel_rates(sample.kernel, history.kernel, now.dt),
        trend=trend,
    )
    after = History(
        began=began,
        clock=sample.clock,
        known=kept,
        people=_still_known(held, history, kept),
        opens=opens,
        kernel_began=history.kernel_began or {k.netns: k for k in sample.kernel},
        kernel={k.netns: k for k in sample.kernel},
        listener_ports=ports.listener_ports(found),
        port_use=(*history.port_use, ports.use(used, sample.clock))[-ports.USES :],
        trend=trend,
    )
    return snapshot, after


def _rates(table: SocketTable, now: Now, known: Known) -> Rates:
    def of(name: str) -> F64:
        before = past.recalled(getattr(known, name), now)
        return past.rate(past.counter(table, name), before, now, known)

    return Rates(of("bytes_sent"), of("bytes_received"), of("total_retrans"))


def _age(now: Now, known: Known, witnessed: bool) -> F64:
    """Seconds since a socket was first seen; NaN where only witnessed openings count."""
    age = now.clock - np.where(now.new, now.clock, past.recalled(known.first_seen, now))
    if not witnessed:
        return age
    seen = np.full(len(age), now.dt is not None)
    old = ~now.new
    seen[old] = known.witnessed[now.place[old]]
    return np.where(seen, age, np.nan)


def _totals(sample: Sample, held: Held, ratio: float | None) -> Totals:
    by_state = np.bincount(sample.sockets.state, minlength=12)[:12]
    attributed = int(np.count_nonzero(held.owner == owner.PROCESS))
    return Totals(len(sample.sockets), tuple(by_state.tolist()), attributed, ratio)


def _still_known(held: Held, history: History, kept: Known) -> dict[int, Process]:
    wanted = set(np.unique(kept.person).tolist())
    everyone = {**history.people, **held.people}
    return {key: process for key, process in everyone.items() if key in wanted}
