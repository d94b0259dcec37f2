"""What explains that nearly everything fails at a destination."""

from __future__ import annotations

import numpy as np

from tcptop.analysis import subject
from tcptop.analysis.findings import words
from tcptop.analysis.findings.folds.listeners import comes_in, serves
from tcptop.analysis.findings.large_segments import dropped_here
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.queued import POOLERS
from tcptop.analysis.findings.unix_queues import PROXIES
from tcptop.model import tcp
from tcptop.model.address import split_zone
from tcptop.model.finding import SEVERITIES, Finding

RELAYS = ("socat", "docker-proxy", "rootlessport", "kubectl", "stunnel", "rinetd", "sslh", "gost")
FRONTS = (*POOLERS, *PROXIES, *RELAYS)  # of whom each client's end is its back end's
NEARLY_ALL = 0.8  # of what is sent again
OURS = 0.1  # of what is sent again, as of retransmission-rate
ALIKE = 0.2  # by so much the numbers of requests and of what follows from them may differ


def same_destination(effect: Finding, cause: Finding, seen: Observations) -> bool:
    """Rows or rates tell more of it; a cause with several destinations means this one too."""
    if effect.subject.netns != cause.subject.netns or cause.subject.listener:
        return False
    if _refuses_others(cause):
        return False
    to, there = effect.subject.destination or "", cause.subject.destination
    return there in (None, to) or host(there) == to or there == several_ports(cause, to)


def several_ports(cause: Finding, to: str) -> str:
    """connect-unanswered of several ports of a host: that host, of one of its ports."""
    return host(to) if cause.id == "connect-unanswered" else ""


def _refuses_others(finding: Finding) -> bool:
    """resets: of those who call this host, not of what it calls."""
    return "refused_per_s" in finding.values


def no_port_to_call_from(effect: Finding, cause: Finding, seen: Observations) -> bool:
    """EADDRNOTAVAIL: the sockets end without a packet, and nothing else is told of their end."""
    told = ("refused", "unanswered", "reset", "left", "cut", "lost", "turned")
    none_left = cause.values.get("headroom", 1) == 0
    silent = not any(effect.values.get(name) for name in told)
    return none_left and silent and same_destination(effect, cause, seen)


def repeats_to_it(effect: Finding, cause: Finding, seen: Observations) -> bool:
    """retransmission-rate: nearly all that is sent again is what is lost there."""
    mostly = effect.values.get("worst_share", 0.0) >= NEARLY_ALL
    return mostly and same_destination(effect, cause, seen)


def same_host(effect: Finding, cause: Finding, seen: Observations) -> bool:
    """black-hole: answers that do not come are as large, maybe, as what is lost towards there."""
    rows = np.flatnonzero(subject.named(effect.subject, seen.table))
    hosts = {words.remote_address(seen.sample, row) for row in rows.tolist()}
    return effect.subject.netns == cause.subject.netns and hosts == {cause.subject.destination}


def way_loses_data_too(effect: Finding, cause: Finding, seen: Observations) -> bool:
    """connects-delayed: the way there, or every way, loses of everything."""
    there = cause.subject.destination
    same = effect.subject.netns == cause.subject.netns
    return same and there in (None, host(effect.subject.destination or ""))


def only_first_data(effect: Finding, cause: Finding, seen: Observations) -> bool:
    """retransmission-rate: of what a full accept queue over there ignores."""
    same = effect.subject.netns == cause.subject.netns
    return same and bool(cause.values.get("first_data_only"))


def kept_back_too(effect: Finding, cause: Finding, seen: Observations) -> bool:
    """retransmission-rate: this host drops a good part of it itself, and all that waits there."""
    rows = np.flatnonzero(subject.named(cause.subject, seen.table))
    kept, repeats = (
        effect.values.get(f"{name}_per_s", 0.0) for name in ("kept_back", "retransmits")
    )
    here = effect.subject.netns == cause.subject.netns and kept >= OURS * repeats > 0
    return here and len(rows) > 0 and bool(dropped_here(seen, rows).all())


def says_the_same(finding: Finding, rates: Finding) -> bool:
    """Connects fail there, and nothing else does: so many a second tell it too (resets)."""
    one, other = finding.subject, rates.subject
    there = one.netns == other.netns and one.destination == other.destination is not None
    opened = sum(finding.values.get(name, 0.0) for name in ("reset", "left", "cut", "lost"))
    many = rates.values.get("failed_per_s", 0.0) > rates.values.get("reset_per_s", 0.0)
    no_worse = SEVERITIES.index(finding.severity) <= SEVERITIES.index(rates.severity)
    return there and not opened and many and no_worse


def all_of_them_fail(churn: Finding, failing: Finding) -> bool:
    """connection-churn: of what ends there nearly all has failed, which is told with its number."""
    one, other = churn.subject, failing.subject
    there = one.netns == other.netns and one.destination == other.destination is not None
    failed, every = (failing.values.get(name, 0.0) for name in ("failed", "ended"))
    return there and failed >= NEARLY_ALL * every > 0


def answers_are_reset(effect: Finding, cause: Finding, seen: Observations) -> bool:
    """resets: those that no socket sends are for the answers to connects of this host."""
    same = effect.subject.netns == cause.subject.netns and _refuses_others(effect)
    return same and cause.values.get("answers_reset", 0) > 0


def host(place: str) -> str:
    """Of the effect the port may be unknown: ::1 of [::1]:3000."""
    bare, zone = split_zone(place)
    return bare.rpartition(":")[0].strip("[]") + zone


def server_is_here(effect: Finding, cause: Finding, seen: Observations) -> bool:
    """The listener that is called, or who serves it, is in trouble on this host."""
    to = effect.subject.destination
    if to is None or not (serves(cause, to) or _listens(cause, to, seen)):
        return False
    return comes_in(effect, cause, seen)


def passes_it_on(effect: Finding, cause: Finding, seen: Observations) -> bool:
    """turned-away: by a proxy, which ends each as its own request to a back end ends. Whose those
    were may be unknown: then their number tells, of what is a proxy by its name."""
    one, other = effect.subject, cause.subject
    came, failed = effect.values.get("turned_away", 0), cause.values.get("failed", 0)
    alike = abs(came - failed) <= ALIKE * came
    if one.netns != other.netns or not came or not alike or serves(effect, other.destination or ""):
        return False
    if other.pids:
        return bool(set(one.pids) & set(other.pids))
    known = seen.sample.owners.processes
    return any(known[pid].name.startswith(FRONTS) for pid in one.pids if pid in known)


def back_end_is_down(effect: Finding, cause: Finding, seen: Observations) -> bool:
    """turned-away: nearly all, by a proxy, while all that is called from here is refused: it asks
    now and then whether its back end is up."""
    one, other = effect.subject, cause.subject
    came, turned = (effect.values.get(name, 0) for name in ("came", "turned_away"))
    refused, ended = (cause.values.get(name, 0) for name in ("refused", "ended"))
    if one.netns != other.netns or turned < NEARLY_ALL * came or not came:
        return False
    if refused < ended or (other.pids and not set(one.pids) & set(other.pids)):
        return False
    known = seen.sample.owners.processes
    if not any(known[pid].name.startswith(FRONTS) for pid in one.pids if pid in known):
        return False
    table = seen.table
    calls = (table.netns == one.netns) & ~seen.accepted & (table.state == tcp.ESTABLISHED)
    return not calls.any() and not serves(effect, other.destination or "")


def _listens(cause: Finding, to: str, seen: Observations) -> bool:
    """A process that the cause names holds a listener at that port."""
    port = to.rpartition(":")[2]
    table = seen.table
    rows = [
        row
        for row in seen.snapshot.listeners.row.tolist()
        if str(table.local_port[row]) == port and table.netns[row] == cause.subject.netns
    ]
    return any(each.pid in cause.subject.pids for row in rows for each in seen.processes(row))
