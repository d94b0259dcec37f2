"""What a process that does not read explains."""

from __future__ import annotations

import numpy as np

from tcptop.analysis import subject
from tcptop.analysis.findings import blocked
from tcptop.analysis.findings.groups import ConnectionGroup
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.peers import peer_rows
from tcptop.model.finding import Finding, Subject

MOST = 0.5  # of the connections that are not read
LEAST = 0.1  # of those that wait to be accepted
SEVERAL = 2  # threads of a pool


def other_end(effect: Finding, cause: Finding, seen: Observations) -> bool:
    """A sender's window is shut because the other end, on this host, is not read."""
    peers = peer_rows(seen.table, np.flatnonzero(subject.named(effect.subject, seen.table)))
    return bool(subject.named(cause.subject, seen.table)[peers[peers >= 0]].any())


def same_process(effect: Finding, cause: Finding, seen: Observations) -> bool:
    """Unread data of a process that does not even read the end of file."""
    shared = set(effect.subject.pids) & set(cause.subject.pids)
    return bool(shared) and effect.subject.netns == cause.subject.netns


def accepts_nobody_either(effect: Finding, cause: Finding, seen: Observations) -> bool:
    """accept-queue-overflow: who does not read from the clients that it has takes no more of them.

    A few that are unread, beside many that wait, are a detail of a listener that stands still. One
    that takes some now and then is stuck where it leaves as many unread.
    """
    unread = cause.values.get("connections", cause.values.get("sockets", 0))
    least = LEAST if effect.values.get("stalled_s", 0) > 0 else MOST
    return _same_server(effect, cause) and unread >= least * effect.values.get("queued", 0)


def reads_nothing_either(effect: Finding, cause: Finding, seen: Observations) -> bool:
    """recv-queue-unread: of a process that accepts nobody, as it does nothing at all."""
    return cause.values.get("stalled_s", 0) > 0 and _same_server(cause, effect)


def _same_server(accepting: Finding, reading: Finding) -> bool:
    """Whether all that should accept from a listener do not read its clients."""
    port = (accepting.subject.listener or "").rpartition(":")[2]
    clients = (reading.subject.listener or "").rpartition(":")[2] == port != ""
    same = accepting.subject.netns == reading.subject.netns
    pids = set(accepting.subject.pids)
    return same and clients and bool(pids) and pids <= set(reading.subject.pids)


def all_wait_to_send(effect: Finding, cause: Finding, seen: Observations) -> bool:
    """accept-queue-overflow: of workers that each wait in send() to who does not read."""
    known, pids = seen.sample.owners.processes, effect.subject.pids
    workers = [known[pid] for pid in pids if pid in known]
    mine = bool(pids) and set(pids) <= set(cause.subject.pids)
    if not mine or effect.subject.netns != cause.subject.netns:
        return False
    sends = blocked.in_send(seen, workers)
    return sends is not None and _place(sends.group) == _place(cause.subject)


def _place(of: ConnectionGroup | Subject) -> tuple[str | None, str | None]:
    return of.listener, of.destination


def cannot_pass_it_on(effect: Finding, cause: Finding, seen: Observations) -> bool:
    """A proxy does not read because those that it writes to do not: one held up for each unread.

    A process that is stuck itself leaves many unread, whatever its slowest reader does. On one
    and the same connection either end may be the one to blame.
    """
    held_up, unread = cause.values.get("connections", 0), effect.values.get("connections", 0)
    longer = cause.values.get("longest_s", 0) >= effect.values.get("longest_s", 0)
    others = not set(effect.subject.cookies) & set(cause.subject.cookies)
    if not (longer and others and same_process(effect, cause, seen)):
        return False
    return held_up >= MOST * unread or _no_thread_is_left(effect, cause, seen)


def _no_thread_is_left(effect: Finding, cause: Finding, seen: Observations) -> bool:
    """Threads of a pool each wait in send(), and what comes is read by none.

    They do, as the buffers are full and no epoll descriptor waits for room in them; a loop of
    events, or a thread for each client, would go on to read from others.
    """
    rows = np.flatnonzero(subject.named(cause.subject, seen.table))
    full, unread = blocked.full(seen, rows), effect.values.get("connections", 0)
    holders = seen.holders(rows)
    facts = seen.facts(holders[0]) if len(holders) == 1 else None
    if facts is None or len(full) < max(len(rows), SEVERAL):
        return False
    watched = (facts.waits_for or frozenset()) & set(seen.table.inode[rows].tolist())
    same = effect.subject.listener == cause.subject.listener is not None
    return same and not watched and len(full) < facts.threads < len(full) + unread
