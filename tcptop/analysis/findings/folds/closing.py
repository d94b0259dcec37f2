"""What CLOSE_WAIT, and the churn of connections, explain."""

from __future__ import annotations

import numpy as np

from tcptop.analysis import subject
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.peers import peer_rows
from tcptop.model import tcp
from tcptop.model.arrays import row_hash
from tcptop.model.finding import Finding
from tcptop.model.table import Index

MOST = 0.5  # of the effect's sockets


def other_end_does_not_close(effect: Finding, cause: Finding, seen: Observations) -> bool:
    """half-closed: the other ends of the FIN_WAIT2 sockets are those CLOSE_WAIT sockets."""
    rows = _rows(seen, effect)
    peers = peer_rows(seen.table, rows)
    return len(rows) > 0 and _held(seen, peers[peers >= 0], cause) > MOST * len(rows)


def the_same_hosts_are_lost(effect: Finding, cause: Finding, seen: Observations) -> bool:
    """half-closed: most of them lead to hosts of which nothing comes back on open connections."""
    table, rows = seen.table, _rows(seen, effect)
    names = ("netns", "interface", "remote_hi", "remote_lo")
    lost = _rows(seen, cause)
    hosts, gone = (row_hash(*(getattr(table, n)[r] for n in names)) for r in (rows, lost))
    return len(rows) > 0 and int(np.isin(hosts, gone).sum()) > MOST * len(rows)


def descriptors_leak(effect: Finding, cause: Finding, seen: Observations) -> bool:
    """fd-limit: most descriptors of the process are those CLOSE_WAIT or unlisted sockets."""
    leaked, used = cause.values.get("sockets", 0), effect.values.get("open_fds", 0)
    return effect.subject.pids == cause.subject.pids and leaked > MOST * used


def leaks_more(effect: Finding, cause: Finding, seen: Observations) -> bool:
    """CLOSE_WAIT, and what was reset after it, are one leak of one process: by which there is
    more."""
    more = cause.values.get("sockets", 0) >= effect.values.get("sockets", 0)
    return effect.subject.pids == cause.subject.pids and more and _not_worse(effect, cause)


def are_not_closed_after_it(effect: Finding, cause: Finding, seen: Observations) -> bool:
    """resets: they end connections of a process that leaks as many sockets a second."""
    place, same = effect.subject.destination, effect.subject.netns == cause.subject.netns
    lost = effect.values.get("failed_per_s", 0) + effect.values.get("reset_per_s", 0)
    many = cause.values.get("growth_per_s", 0) > MOST * lost
    return same and many and place in (None, cause.subject.destination)


def ports_leak(effect: Finding, cause: Finding, seen: Observations) -> bool:
    """ephemeral-port-exhaustion: most ports are held by those CLOSE_WAIT sockets.

    A critical finding is not hidden under a lesser one.
    """
    rows = _rows(seen, effect)
    return _not_worse(effect, cause) and _held(seen, rows, cause) > MOST * max(len(rows), 1)


def connections_take_descriptors(effect: Finding, cause: Finding, seen: Observations) -> bool:
    """fd-limit: most descriptors of the process are connections that become more and more."""
    many = cause.values.get("connections", 0) > MOST * effect.values.get("open_fds", 0)
    return effect.subject.pids == cause.subject.pids and many and _not_worse(effect, cause)


def connections_take_ports(effect: Finding, cause: Finding, seen: Observations) -> bool:
    """ephemeral-port-exhaustion: most ports to there are held by them."""
    there = effect.subject.destination == cause.subject.destination is not None
    many = cause.values.get("connections", 0) > MOST * effect.values.get("used", 0)
    same = effect.subject.netns == cause.subject.netns
    return there and same and many and _not_worse(effect, cause)


def churn_takes_ports(effect: Finding, cause: Finding, seen: Observations) -> bool:
    """ephemeral-port-exhaustion: most ports wait in TIME_WAIT after short connections to there."""
    there = effect.subject.destination == cause.subject.destination is not None
    waiting = effect.values.get("time_wait", 0) > MOST * effect.values.get("used", 0)
    same = effect.subject.netns == cause.subject.netns
    return there and same and waiting


def churn_fills_time_wait(effect: Finding, cause: Finding, seen: Observations) -> bool:
    """time-wait-pressure: most records are of short connections to one destination."""
    same = effect.subject.netns == cause.subject.netns
    most = cause.values.get("time_wait", 0) > MOST * effect.values.get("time_wait", 0)
    return same and most


def no_descriptor_to_accept_with(effect: Finding, cause: Finding, seen: Observations) -> bool:
    """The process that listens has no descriptor left for accept(): connections wait, or it closes
    them at once."""
    same = bool(set(effect.subject.pids) & set(cause.subject.pids))
    return same and cause.values.get("share", 0) >= 0.98


def _rows(seen: Observations, finding: Finding) -> Index:
    return np.flatnonzero(subject.named(finding.subject, seen.table))


def _held(seen: Observations, rows: Index, cause: Finding) -> int:
    """How many of these rows are CLOSE_WAIT sockets of the processes of a finding."""
    processes = seen.snapshot.holders.processes
    pids = np.array([process.pid for process in processes], np.int64)
    process = seen.snapshot.holders.first(rows)
    waiting = (seen.table.state[rows] == tcp.CLOSE_WAIT) & (process >= 0)
    return int(np.isin(pids[process[waiting]], cause.subject.pids).sum())


def _not_worse(effect: Finding, cause: Finding) -> bool:
    return effect.severity != "critical" or cause.severity == "critical"
