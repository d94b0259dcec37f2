"""Sample and history -> snapshot and history: the one road that every view's numbers take."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np

from tcptop.analysis import durations, listeners, ports
from tcptop.analysis import history as past
from tcptop.analysis.attribution import Attribution, attribute_owners
from tcptop.analysis.counters import counted_opens
from tcptop.analysis.counters import rates as kernel_rates
from tcptop.analysis.findings import engine
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.settings import DEFAULTS, FindingSettings
from tcptop.analysis.findings.silence import silences
from tcptop.analysis.findings.summary import SampleSummary, summary, with_summary
from tcptop.analysis.groups import SocketRates, processes, remotes
from tcptop.analysis.history import History, KnownSockets, SocketJoin
from tcptop.model import owner
from tcptop.model.arrays import sorted_unique
from tcptop.model.sample import Process, Sample
from tcptop.model.snapshot import Ports, Snapshot, Totals, Trend
from tcptop.model.table import F64, I64, Index, SocketTable


class _Step(NamedTuple):
    """What both the snapshot and the next history are made of."""

    joined: SocketJoin
    queue: Index
    peak: I64
    attribution: Attribution
    ranges: dict[int, ports.Range]
    ports: Ports
    rates: SocketRates
    progress: durations.QueueProgress
    opens: int
    counted: int
    totals: Totals
    trend: Trend


def derive(
    sample: Sample, history: History, settings: FindingSettings = DEFAULTS
) -> tuple[Snapshot, History]:
    """What this sample means after those before it, and what the next one has to know."""
    step = _step(sample, history)
    bare = _snapshot(sample, history, step)
    summaries = with_summary(history.summaries, _summary(bare))
    seen = Observations(bare, summaries, settings)
    findings, active = engine.run(seen, history.active)
    snapshot = replace(
        bare,
        findings=findings,
        silent=silences(bare, settings),
        requests=seen.requests,
        idle_timeout_s=settings.idle_timeout_s or bare.idle_timeout_s,
    )
    return snapshot, replace(_remembered(sample, history, step), summaries=summaries, active=active)


def _summary(snapshot: Snapshot) -> SampleSummary:
    processes = snapshot.holders.processes
    return summary(snapshot.sample, snapshot.processes, processes, snapshot.ports)


def _step(sample: Sample, history: History) -> _Step:
    table, known = sample.sockets, history.known
    joined = past.join(sample, history)
    queue = listeners.queues(table)
    attribution = attribute_owners(sample, queue, joined, known, history.processes)
    ranges = ports.ranges(sample, history)
    opens = history.opens + past.witnessed_opens(table, joined, known)
    counted = history.counted + counted_opens(sample.kernel, history.kernel)
    # At most 1: the counters are read a moment after the sockets.
    totals = _totals(sample, attribution, min(opens / counted, 1.0) if counted > 0 else None)
    return _Step(
        joined,
        queue,
        listeners.peaks(table, sample.peaks, joined, known),
        attribution,
        ranges,
        ports.ports(sample, joined, history, ranges),
        _rates(table, joined, known),
        durations.queue_progress(table, joined, known),
        opens,
        counted,
        totals,
        past.with_trend(history.trend, sample.clock, totals.by_state),
    )


def _snapshot(sample: Sample, history: History, step: _Step) -> Snapshot:
    table, known = sample.sockets, history.known
    joined, attribution, rates = step.joined, step.attribution, step.rates
    return Snapshot(
        sample=sample,
        over_s=None if history.began is None else sample.clock - history.began,
        owner=attribution.owner,
        note=attribution.note,
        queue=step.queue,
        holders=attribution.holders,
        age_s=_age(joined, known, witnessed=True),
        seen_s=_age(joined, known, witnessed=False),
        bytes_sent_per_s=rates.sent,
        bytes_received_per_s=rates.received,
        retransmits_per_s=rates.retransmits,
        totals=step.totals,
        listeners=listeners.listeners(table, step.queue, step.peak, joined, known),
        processes=processes(
            table, attribution.holders, attribution.owner, rates, np.ones(len(table), bool)
        ),
        ports=step.ports,
        remotes=remotes(table, rates, with_port=False),
        kernel_rates=kernel_rates(sample.kernel, history.kernel, joined.dt),
        trend=step.trend,
        durations=durations.durations(table, joined, step.progress),
        changes=durations.changes(table, joined, known),
    )


def _remembered(sample: Sample, history: History, step: _Step) -> History:
    kernel = {each.netns: each for each in sample.kernel}
    kept = past.remember(
        history.known,
        sample.sockets,
        step.joined,
        step.attribution.process,
        step.peak,
        step.progress,
    )
    return History(
        began=sample.clock if history.began is None else history.began,
        clock=sample.clock,
        known=kept,
        processes=_still_known(step.attribution, history, kept),
        opens=step.opens,
        counted=step.counted,
        namespaces=sample.netns,
        kernel=kernel,
        listener_ports=ports.listener_ports(step.ranges),
        port_use=(*history.port_use, ports.use(step.ports, sample))[-ports.USES :],
        trend=step.trend,
    )


def _rates(table: SocketTable, joined: SocketJoin, known: KnownSockets) -> SocketRates:
    def of(name: str) -> F64:
        before = past.recalled(getattr(known, name), joined)
        return past.rate(past.counter(table, name), before, joined, known)

    return SocketRates(of("bytes_sent"), of("bytes_received"), of("total_retrans"))


def _age(joined: SocketJoin, known: KnownSockets, witnessed: bool) -> F64:
    """Seconds since a socket was first seen; NaN where only witnessed openings count."""
    age = joined.clock - np.where(joined.new, joined.clock, past.recalled(known.first_seen, joined))
    if not witnessed:
        return age
    seen, old = joined.arrived, ~joined.new
    seen[old] = known.witnessed[joined.place[old]]
    return np.where(seen, age, np.nan)


def _totals(sample: Sample, attribution: Attribution, ratio: float | None) -> Totals:
    by_state = np.bincount(sample.sockets.state, minlength=12)[:12]
    attributed = int(np.count_nonzero(attribution.owner == owner.PROCESS))
    return Totals(len(sample.sockets), tuple(by_state.tolist()), attributed, ratio)


def _still_known(
    attribution: Attribution, history: History, kept: KnownSockets
) -> dict[int, Process]:
    wanted = set(sorted_unique(kept.process).tolist())
    everyone = {**history.processes, **attribution.processes}
    return {key: process for key, process in everyone.items() if key in wanted}
