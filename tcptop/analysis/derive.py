"""Sample and history -> snapshot and history: the one road that every view's numbers take."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from tcptop.analysis import counters, ports, subject, turnover
from tcptop.analysis.apparent import with_destinations
from tcptop.analysis.attribution import Attribution, attribute_owners
from tcptop.analysis.calls import calls
from tcptop.analysis.closing import Endings, Named, endings, with_absent, with_vanished
from tcptop.analysis.dialing import dialing
from tcptop.analysis.durations import changes, durations
from tcptop.analysis.findings import engine
from tcptop.analysis.findings.lulls import lulls
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.settings import DEFAULTS, FindingSettings
from tcptop.analysis.findings.silence import faults, silences
from tcptop.analysis.findings.summary import summary, with_summary
from tcptop.analysis.giving_up import given_up, still_pending
from tcptop.analysis.groups import SocketRates, namespaces, processes, remotes
from tcptop.analysis.history import History, KnownSockets, ends, looks, with_closed, with_trend
from tcptop.analysis.join import SocketJoin, join
from tcptop.analysis.known import known_sockets, missed, with_missed
from tcptop.analysis.listeners import listeners
from tcptop.analysis.pace import paces
from tcptop.analysis.reborn import with_spaces
from tcptop.model import owner
from tcptop.model.arrays import sorted_unique
from tcptop.model.finding import Finding
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.sample import Process, Sample
from tcptop.model.snapshot import Apparent, Ended, Snapshot, Totals
from tcptop.model.source import NO_REQUESTS, Requests
from tcptop.model.table import U64, Index


class _Step(NamedTuple):
    """What a sample is understood by; `now` has a row for each socket of it."""

    sample: Sample
    history: History
    joined: SocketJoin
    owners: Attribution
    now: KnownSockets
    apparent: Apparent
    ended: Endings

    @property
    def everyone(self) -> dict[int, Process]:
        return {**self.history.processes, **self.owners.processes}


def derive(
    sample: Sample, history: History, settings: FindingSettings = DEFAULTS
) -> tuple[Snapshot, History]:
    """What this sample means after those before it, and what the next one has to know."""
    history = with_spaces(history, sample)
    step = _step(sample, history)
    snapshot = _snapshot(step)
    dialed = dialing(snapshot)
    called = calls(sample.sockets, step.joined, history.dialing, dialed, step.ended.closed)
    seen = Observations(snapshot, history.summaries, settings)
    gave_up = given_up(
        sample.sockets, history.pending, step.joined, step.ended.closed, history.listener_ports
    )
    present = summary(snapshot, called, lulls(seen), gave_up)
    seen.summaries = with_summary(history.summaries, present)
    findings, active = engine.run(seen, history.active)
    snapshot = replace(
        snapshot,
        findings=findings,
        silent=(*faults(seen.failed), *silences(snapshot, settings)),
        requests=seen.requests | _sought(snapshot, findings),
        idle_timeout_s=settings.idle_timeout_s or snapshot.idle_timeout_s,
    )
    return snapshot, replace(
        _remembered(step, snapshot),
        summaries=tuple(seen.summaries),
        active=active,
        dialing=dialed,
    )


def _sought(snapshot: Snapshot, findings: Iterable[Finding]) -> Requests:
    """Where to look first for the holders of sockets that findings are about."""
    if snapshot.sample.owners.complete:
        return NO_REQUESTS
    about = np.zeros(len(snapshot.note), bool)
    for finding in findings:
        about |= subject.rows(finding.subject, snapshot)
    cgroups = snapshot.cgroup[about & (snapshot.note == owner.NOT_SEARCHED)]
    return Requests(cgroups=frozenset(cgroups.tolist()) - {0})


def _step(sample: Sample, history: History) -> _Step:
    joined = join(sample, history)
    owners = attribute_owners(sample, joined, history.processes)
    now = known_sockets(sample, joined, owners.process)
    everyone = {**history.processes, **owners.processes}
    apparent = with_destinations(history.apparent, sample.sockets, joined, now, everyone)
    ended = endings(sample, history, joined, Named(owners.process, apparent, everyone))
    return _Step(sample, history, joined, owners, now, apparent, ended)


def _snapshot(step: _Step) -> Snapshot:
    """Without findings."""
    sample, history, joined, owners, now, apparent, ended = step
    table, seen_s = sample.sockets, joined.clock - now.first_seen
    sent, received, retransmits = (
        joined.rate(name, getattr(now, name))
        for name in ("bytes_sent", "bytes_received", "total_retrans")
    )
    rates = SocketRates(sent, received, retransmits)
    totals, used = _totals(step), ports.ports(sample, joined, history)
    told = frozenset(each.netns for each in sample.deaths if not each.deaf_s)
    closed = Ended(ended.closed, ended.unseen, told, joined.dt or np.nan)
    return Snapshot(
        sample=sample,
        over_s=None if history.began is None else sample.clock - history.began,
        owner=owners.owner,
        note=owners.note,
        queue=owners.queue,
        cgroup=_cgroups(now.cgroup, owners.queue),
        holders=owners.holders,
        age_s=np.where(now.witnessed, seen_s, np.nan),
        seen_s=seen_s,
        bytes_sent_per_s=sent,
        bytes_received_per_s=received,
        retransmits_per_s=retransmits,
        totals=totals,
        listeners=listeners(table, owners.queue, now, joined),
        processes=processes(table, owners.holders, owners.owner, rates, np.ones(len(table), bool)),
        ports=replace(used, **turnover.of_ports(used, closed)._asdict()),
        remotes=remotes(table, rates, with_port=False),
        namespaces=namespaces(table, rates, (each.inode for each in sample.namespaces)),
        kernel_rates=counters.rates(sample.kernel, history.kernel, joined.dt),
        trend=with_trend(history.trend, sample.clock, totals.by_state),
        durations=durations(table, now, joined.clock),
        changes=changes(table, joined),
        ended=closed,
        apparent=apparent,
        closed=with_closed(history.closed, ended.closed),
        former=history.former,
        paces=paces(table, sample.clock, history.paces, received),
    )


def _cgroups(known: U64, queue: Index) -> U64:
    """Half-open connections, of which the kernel does not say it, will have their listener's."""
    waits = np.flatnonzero((known == 0) & (queue >= 0))
    found = known.copy() if len(waits) else known
    found[waits] = known[queue[waits]]
    return found


def _totals(step: _Step) -> Totals:
    sample, history, joined, owners, _, _, ended = step
    by_state = np.bincount(sample.sockets.state, minlength=12)[:12]
    return Totals(
        len(sample.sockets),
        tuple(by_state.tolist()),
        int(np.count_nonzero(owners.owner == owner.PROCESS)),
        history.opened
        + counters.seen_opens(sample.sockets, joined)
        + int(np.count_nonzero(ended.unseen)),
        history.counted + counters.counted_opens(sample.kernel, history.kernel),
        history.closes_seen + len(ended.closed),
        history.closes_lost + counters.lost_closes(sample, history, len(ended.closed)),
    )


def _remembered(step: _Step, snapshot: Snapshot) -> History:
    sample, history, joined, _, now, apparent, ended = step
    everyone = step.everyone
    again, gone = missed(joined, ended.told)
    known = with_missed(now, joined, again)
    vanished = with_vanished(ended, joined, gone, bool(sample.deaths))
    held = (known.process, vanished.process, apparent.process)
    keys = sorted_unique(np.concatenate(held)).tolist()
    return History(
        began=sample.clock if history.began is None else history.began,
        clock=sample.clock,
        looks=looks(sample, history.looks),
        known=known,
        ends=ends(sample.sockets),
        pending=still_pending(sample.sockets, history.pending, joined, ended.told),
        absent=with_absent(ended, joined, history, bool(sample.deaths)),
        vanished=vanished,
        closed=snapshot.closed,
        apparent=apparent,
        open=counters.open_sockets(sample.sockets) if sample.deaths else 0,
        closes_seen=snapshot.totals.closes_seen,
        closes_lost=snapshot.totals.closes_lost,
        processes={key: everyone[key] for key in keys if key in everyone},
        opened=snapshot.totals.opened,
        counted=snapshot.totals.counted,
        namespaces=sample.netns,
        spaces=history.spaces,
        former=history.former,
        kernel={each.netns: each for each in sample.kernel},
        listener_ports=snapshot.ports.listening,
        port_use=(*history.port_use, ports.use(snapshot.ports, sample))[-ports.USES :],
        ports=ports.remembered(snapshot.ports, sample),
        trend=snapshot.trend,
        paces=snapshot.paces,
    )
