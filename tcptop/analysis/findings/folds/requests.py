"""What explains that requests are not answered."""

from __future__ import annotations

import numpy as np

from tcptop.analysis import subject
from tcptop.analysis.findings import backends, words
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.listeners import match, waiting
from tcptop.analysis.peers import peer_rows
from tcptop.model.arrays import sorted_unique
from tcptop.model.finding import Finding
from tcptop.model.table import Index

MOST = 0.5  # of the effect's sockets


def other_end_waits(effect: Finding, cause: Finding, seen: Observations) -> bool:
    """requests-unanswered: by a process of this host that does not read, or has to wait itself."""
    peers = _peers(seen, effect)
    held = subject.named(cause.subject, seen.table)[peers]
    return len(peers) > 0 and int(held.sum()) > MOST * len(peers)


def nobody_accepts(effect: Finding, cause: Finding, seen: Observations) -> bool:
    """requests-unanswered: of clients of this host that wait in an accept queue."""
    peers = _peers(seen, effect)
    queued = peers[waiting(seen.table)[peers]]
    found = set(match(seen.table, queued).tolist())
    places = {words.local(seen.sample, row) for row in found if row >= 0}
    return len(queued) > MOST * len(peers) and places == {cause.subject.listener}


def held_up_itself(effect: Finding, cause: Finding, seen: Observations) -> bool:
    """requests-unanswered: clients gave up on a program that waits itself, or does not read."""
    same = bool(set(effect.subject.pids) & set(cause.subject.pids))
    gave_up = "gave_up" in effect.values and "gave_up" not in cause.values
    return gave_up and same and effect.subject.netns == cause.subject.netns


def clients_gave_up(effect: Finding, cause: Finding, seen: Observations) -> bool:
    """Sockets that a program keeps of clients that did not wait for it, or that were reset so."""
    one, other = effect.subject, cause.subject
    here = one.netns == other.netns and one.listener in (None, other.listener)
    same = bool(set(one.pids) & set(other.pids)) or one.listener == other.listener
    return "gave_up" in cause.values and here and same and one.destination is None


def back_end_does_not_read(effect: Finding, cause: Finding, seen: Observations) -> bool:
    """requests-queued: what a process of this host does not read, the proxy has sent."""
    processes = seen.snapshot.holders.processes
    holders = sorted_unique(seen.snapshot.holders.first(_peers(seen, cause)))
    return any(processes[at].pid in effect.subject.pids for at in holders.tolist() if at >= 0)


def back_end_is_lost(effect: Finding, cause: Finding, seen: Observations) -> bool:
    """requests-queued: most of what a proxy has under way is sent again, and nobody answers."""
    one, other = effect.subject, cause.subject
    same = one.netns == other.netns and bool(set(one.pids) & set(other.pids))
    lost = other.destination is not None and "keepalive_probes" not in cause.values
    most = cause.values["connections"] >= MOST * effect.values.get("in_use", np.inf)
    return same and lost and most


def all_wait_to_connect(effect: Finding, cause: Finding, seen: Observations) -> bool:
    """accept-queue-overflow: of workers that each wait for a connect() without an answer."""
    known, pids = seen.sample.owners.processes, effect.subject.pids
    workers = [known[pid] for pid in pids if pid in known]
    waits = backends.waited_for(seen, workers) if set(pids) <= set(cause.subject.pids) else None
    if waits is None or effect.subject.netns != cause.subject.netns:
        return False
    there = waits.group.destination == cause.subject.destination
    return there and waits.dialing > 0 and waits.sure(seen)


def _peers(seen: Observations, finding: Finding) -> Index:
    rows = np.flatnonzero(subject.named(finding.subject, seen.table))
    peers = peer_rows(seen.table, rows)
    found: Index = peers[peers >= 0]
    return found
