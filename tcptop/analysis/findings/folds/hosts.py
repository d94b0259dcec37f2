"""A host, or the way to it, that is gone is told once, by whatever addresses it is called; so is
what this host keeps back itself."""

from __future__ import annotations

import numpy as np

from tcptop.analysis import subject
from tcptop.analysis.findings import handshakes
from tcptop.analysis.findings.folds.destinations import host
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.ways import broken_link
from tcptop.model.address import split_zone
from tcptop.model.finding import Finding
from tcptop.model.route import Link

AT_ONCE_S = 5.0


def same_link(effect: Finding, cause: Finding, seen: Observations) -> bool:
    """black-hole: all leave by one device of this host, which is down or has no carrier."""
    if effect.subject.netns != cause.subject.netns or not _larger(cause, effect):
        return False
    one, other = (_link(seen, each) for each in (effect, cause))
    return one is not None and other is not None and one.index == other.index


def kept_back(effect: Finding, cause: Finding, seen: Observations) -> bool:
    """Who hears nothing of what this host does not let out, or is refused by it."""
    there, to = cause.subject.destination, effect.subject.destination or ""
    same = effect.subject.netns == cause.subject.netns and cause.key.endswith("/out")
    return same and (there in (None, to) or there == host(to) or host(there or "") == to)


def takes_no_more(effect: Finding, cause: Finding, seen: Observations) -> bool:
    """Connects without an answer, and requests that are acknowledged and not answered, where the
    final ACK of others is ignored: a full accept queue at the other end does all that."""
    one, other = effect.subject, cause.subject
    same = one.netns == other.netns and one.destination == other.destination is not None
    return same and cause.values.get("acknowledged", 0) > 0


def never_taken(effect: Finding, cause: Finding, seen: Observations) -> bool:
    """black-hole: of connections there that have had the handshake and nothing else."""
    rows = np.flatnonzero(subject.named(effect.subject, seen.table))
    known = len(rows) > 0 and bool(handshakes.bare(seen, rows).all())
    return known and takes_no_more(effect, cause, seen)


def other_family(effect: Finding, cause: Finding, seen: Observations) -> bool:
    """black-hole: the same port of an IPv4 and an IPv6 address, by the same processes, since the
    same moment: a name has addresses of both."""
    one, other = (_endpoint(each.subject.destination) for each in (effect, cause))
    same = effect.subject.pids == cause.subject.pids != () and _larger(cause, effect)
    same &= effect.subject.netns == cause.subject.netns
    at_once = abs((effect.since or 0.0) - (cause.since or 0.0)) <= AT_ONCE_S
    ports = one is not None and other is not None and one[1] == other[1] and one[0] != other[0]
    return same and at_once and ports


def _larger(cause: Finding, effect: Finding) -> bool:
    """One of them is the cause, the same in each sample."""
    most = [(each.values.get("connections", 0), each.key) for each in (cause, effect)]
    return most[0] > most[1] and (cause.severity == "critical" or effect.severity != "critical")


def _link(seen: Observations, finding: Finding) -> Link | None:
    rows = np.flatnonzero(subject.named(finding.subject, seen.table))
    return broken_link(seen, int(rows[0])) if len(rows) else None


def _endpoint(destination: str | None) -> tuple[bool, str] | None:
    """Whether it is IPv6, and the port; None for a network, or an address without a port."""
    bare, _ = split_zone(destination or "")
    address, colon, port = bare.rpartition(":")
    six = address.startswith("[")
    return (six, port) if colon and port.isdigit() and (six or ":" not in address) else None
