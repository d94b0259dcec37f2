"""A host, or the way to it, that is gone is told once, by whatever addresses it is called; so is
what this host keeps back itself."""

from __future__ import annotations

import numpy as np

from tcptop.analysis import subject
from tcptop.analysis.findings import handshakes, unanswered
from tcptop.analysis.findings.folds.destinations import host
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.ways import broken_link
from tcptop.analysis.findings.windows import mean, rates_or_zero, window
from tcptop.model import address
from tcptop.model.address import split_zone
from tcptop.model.finding import Finding, Subject
from tcptop.model.route import Link

AT_ONCE_S, WINDOW_S = 5.0, 5.0
DROPPED = 0.5  # answers, of the SYNs that are sent again
CHECKED = ("IPReversePathFilter", "InCsumErrors")  # of what arrives, before any socket sees it


def same_link(effect: Finding, cause: Finding, seen: Observations) -> bool:
    """black-hole: all leave by one device of this host, which is down or has no carrier."""
    if effect.subject.netns != cause.subject.netns or not _larger(cause, effect):
        return False
    one, other = (_link(seen, each) for each in (effect, cause))
    return one is not None and other is not None and one.index == other.index


def same_gateway(effect: Finding, cause: Finding, seen: Observations) -> bool:
    """connect-unanswered, black-hole: all behind the gateway that connects to others get no answer
    through, and nobody there answers."""
    _, behind, whom = cause.key.rpartition("/gateway/")
    one = effect.subject
    if not behind or effect.key == cause.key or one.netns != cause.subject.netns:
        return False
    rows = np.flatnonzero(subject.named(one, seen.table))
    hosts = {address.remote_text(seen.table, row) for row in rows.tolist()}
    if one.destination and not hosts:
        hosts.add(host(one.destination))
    ways = seen.sample.routes.items()
    by = [{r.gateway for k, r in ways if (k.netns, k.remote) == (one.netns, to)} for to in hosts]
    return not effect.values.get("answering") and by != [] and all(each == {whom} for each in by)


def kept_back(effect: Finding, cause: Finding, seen: Observations) -> bool:
    """Who hears nothing of what this host does not let out, or is refused by it."""
    there, to = cause.subject.destination, effect.subject.destination or ""
    same = effect.subject.netns == cause.subject.netns and cause.key.endswith("/out")
    return same and (there in (None, to) or there == host(to) or host(there or "") == to)


def answers_dropped(effect: Finding, cause: Finding, seen: Observations) -> bool:
    """Connects to whom this host's own checks drop the answers: as many are dropped as half of the
    SYNs that are sent again, and nothing there was answered."""
    if effect.subject.netns == cause.subject.netns and cause.values.get("own_answers"):
        return True
    netns, summaries = cause.subject.netns, window(seen, WINDOW_S)
    if effect.subject.netns != netns or cause.key.count("/") > 1 or not summaries:
        return False
    dropped, again = (
        sum(mean(rates_or_zero(summaries, netns, name), summaries) for name in names)
        for names in (CHECKED, ("TCPSynRetrans",))
    )
    to = effect.subject.destination
    there = Subject(netns, destination=to) if to else effect.subject
    rows = np.flatnonzero(subject.rows(there, seen.snapshot))
    rows = rows[~seen.accepted[rows]]
    return 0 < DROPPED * again <= dropped and not len(unanswered.answered(seen, rows))


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
