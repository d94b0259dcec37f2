"""Sample and history -> snapshot and history: the one road that every view's numbers take."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from tcptop.analysis import history as past
from tcptop.analysis import listening, lives, ports
from tcptop.analysis.findings import engine
from tcptop.analysis.findings.look import Look
from tcptop.analysis.findings.moments import Moment, moment, with_moment
from tcptop.analysis.findings.settings import DEFAULTS, Settings
from tcptop.analysis.gathering import Rates, processes, remotes
from tcptop.analysis.history import History, Known, Now
from tcptop.analysis.holding import Held, hold
from tcptop.analysis.kernel import rates as kernel_rates
from tcptop.analysis.kernel import seen_ratio
from tcptop.model import owner
from tcptop.model.arrays import sorted_unique
from tcptop.model.sample import Process, Sample
from tcptop.model.snapshot import Ports, Snapshot, Totals, Trend
from tcptop.model.source import Requests
from tcptop.model.table import F64, I64, Index, SocketTable


class _Step(NamedTuple):
    """What both the snapshot and the next history are made of."""

    now: Now
    queue: Index
    peak: I64
    held: Held
    ranges: dict[int, ports.Range]
    ports: Ports
    rates: Rates
    lived: lives.Lived
    opens: int
    totals: Totals
    trend: Trend


def derive(
    sample: Sample, history: History, settings: Settings = DEFAULTS
) -> tuple[Snapshot, History]:
    """What this sample means after those before it, and what the next one has to know."""
    step = _step(sample, history)
    bare = _snapshot(sample, history, step)
    moments = with_moment(history.moments, _moment(bare))
    look = Look(bare, moments, settings)
    findings, active = engine.run(look, history.active)
    snapshot = replace(
        bare,
        findings=findings,
        requests=Requests(frozenset(look.wanted)),
        idle_timeout_s=settings.idle_timeout_s or bare.idle_timeout_s,
    )
    return snapshot, replace(_remembered(sample, history, step), moments=moments, active=active)


def _moment(snapshot: Snapshot) -> Moment:
    people = snapshot.holders.people
    return moment(snapshot.sample, snapshot.processes, people, snapshot.ports)


def _step(sample: Sample, history: History) -> _Step:
    table, known = sample.sockets, history.known
    now = past.join(table, history, sample.clock)
    queue = listening.queues(table)
    held = hold(sample, queue, now, known, history.people)
    ranges = ports.ranges(sample, history)
    opens = history.opens + past.witnessed_opens(table, now, known)
    totals = _totals(sample, held, seen_ratio(sample, history, opens))
    return _Step(
        now,
        queue,
        listening.peaks(table, sample.peaks, now, known),
        held,
        ranges,
        ports.ports(sample, now, history, ranges),
        _rates(table, now, known),
        lives.lived(table, now, known),
        opens,
        totals,
        past.with_trend(history.trend, sample.clock, totals.by_state),
    )


def _snapshot(sample: Sample, history: History, step: _Step) -> Snapshot:
    table, known = sample.sockets, history.known
    now, held, rates = step.now, step.held, step.rates
    return Snapshot(
        sample=sample,
        over_s=None if history.began is None else sample.clock - history.began,
        owner=held.owner,
        note=held.note,
        queue=step.queue,
        holders=held.holders,
        age_s=_age(now, known, witnessed=True),
        seen_s=_age(now, known, witnessed=False),
        bytes_sent_per_s=rates.sent,
        bytes_received_per_s=rates.received,
        retransmits_per_s=rates.retransmits,
        totals=step.totals,
        listeners=listening.listeners(table, step.queue, step.peak, now, known),
        processes=processes(table, held.holders, held.owner, rates, np.ones(len(table), bool)),
        ports=step.ports,
        remotes=remotes(table, rates, with_port=False),
        kernel_rates=kernel_rates(sample.kernel, history.kernel, now.dt),
        trend=step.trend,
        lives=lives.lives(table, now, step.lived),
        changes=lives.changes(table, now, known),
    )


def _remembered(sample: Sample, history: History, step: _Step) -> History:
    kernel = {each.netns: each for each in sample.kernel}
    kept = past.remember(
        history.known, sample.sockets, step.now, step.held.person, step.peak, step.lived
    )
    return History(
        began=sample.clock if history.began is None else history.began,
        clock=sample.clock,
        known=kept,
        people=_still_known(step.held, history, kept),
        opens=step.opens,
        kernel_began=history.kernel_began or kernel,
        kernel=kernel,
        listener_ports=ports.listener_ports(step.ranges),
        port_use=(*history.port_use, ports.use(step.ports, sample.clock))[-ports.USES :],
        trend=step.trend,
    )


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
    wanted = set(sorted_unique(kept.person).tolist())
    everyone = {**history.people, **held.people}
    return {key: process for key, process in everyone.items() if key in wanted}
