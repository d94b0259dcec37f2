"""Effects folded into their causes: one trouble is shouted once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace

from tcptop.analysis.findings.folds import (
    closing,
    destinations,
    hosts,
    listeners,
    readers,
    requests,
)
from tcptop.analysis.findings.observations import Observations
from tcptop.model.finding import SEVERITIES, Finding

# (effect, a possible cause, the sample) -> whether the one explains the other
Explains = Callable[[Finding, Finding, Observations], bool]
KNOWING = ("connection-churn",)  # whose advice is for their cause where they have one


def folded(findings: Iterable[Finding], seen: Observations) -> list[Finding]:
    """The findings, each with the key of the one that explains it, if one does.

    A cause is as bad as the worst that follows from it.
    """
    every = _each_once(list(findings))
    if not every:
        return []
    because: dict[str, str] = {}
    for effect, cause, explains in PAIRS:
        for finding in (each for each in every if each.id == effect and each.key not in because):
            causes = (each for each in every if each.id == cause)
            explained = (each.key for each in causes if explains(finding, each, seen))
            found = next(
                (key for key in explained if finding.key not in _chain(key, because)), None
            )
            if found is not None:
                because[finding.key] = found
    worst = _worst(every, because)
    return [
        replace(told(each, because.get(each.key)), severity=SEVERITIES[worst[each.key]])
        for each in every
    ]


def _each_once(every: list[Finding]) -> list[Finding]:
    """Without what another finding says of the same place, in other words."""
    rates = [each for each in every if each.id == "resets"]
    failing = [each for each in every if each.id == "destination-failing"]
    return [
        each
        for each in every
        if not (
            each.id == "destination-failing"
            and any(destinations.says_the_same(each, rate) for rate in rates)
        )
        and not (
            each.id == "connection-churn"
            and any(destinations.all_of_them_fail(each, other) for other in failing)
        )
    ]


def told(finding: Finding, cause: str | None) -> Finding:
    """Of an effect what is true beneath its cause: whose reason it has, and whose advice helps."""
    if cause is None:
        return finding
    evidence = tuple(each for each in finding.evidence if each not in finding.guesses)
    title = finding.effect or finding.title
    advice = finding.advice if finding.id in KNOWING else ""
    return replace(finding, because=cause, title=title, evidence=evidence, advice=advice)


def _worst(every: Iterable[Finding], because: Mapping[str, str]) -> dict[str, int]:
    """By key, the place in SEVERITIES of the worst of a finding and all that it explains."""
    worst: dict[str, int] = {}
    for finding in every:
        severity = SEVERITIES.index(finding.severity)
        for key in _chain(finding.key, because):
            worst[key] = max(worst.get(key, 0), severity)
    return worst


def _chain(key: str, because: Mapping[str, str]) -> Iterator[str]:
    """It, its cause and so on. Two that wait for each other must not both be effects."""
    current: str | None = key
    while current is not None:
        yield current
        current = because.get(current)


PAIRS: tuple[tuple[str, str, Explains], ...] = (
    ("connect-unanswered", "packets-rejected", hosts.kept_back),
    ("connect-unanswered", "packets-rejected", hosts.answers_dropped),
    ("destination-failing", "packets-rejected", hosts.kept_back),
    ("destination-failing", "packets-rejected", hosts.answers_dropped),
    ("black-hole", "packets-rejected", hosts.kept_back),
    ("turned-away", "packets-rejected", hosts.kept_back),
    ("resets", "packets-rejected", hosts.kept_back),
    ("connect-unanswered", "accept-queue-overflow", listeners.unanswered),
    ("connect-unanswered", "syn-queue-full", listeners.unanswered),
    ("connect-unanswered", "handshake-unfinished", hosts.takes_no_more),
    ("black-hole", "connect-unanswered", hosts.same_gateway),
    ("connect-unanswered", "connect-unanswered", hosts.same_gateway),
    ("connect-unanswered", "black-hole", listeners.dead_too),
    ("black-hole", "accept-queue-overflow", listeners.retransmitting),
    ("black-hole", "handshake-unfinished", hosts.never_taken),
    ("black-hole", "mtu-black-hole", destinations.same_host),
    ("black-hole", "black-hole", hosts.same_link),
    ("black-hole", "black-hole", hosts.other_family),
    ("zero-window-peer", "accept-queue-overflow", listeners.retransmitting),
    ("zero-window-peer", "recv-queue-unread", readers.other_end),
    ("recv-queue-unread", "close-wait-unread", readers.same_process),
    ("accept-queue-overflow", "recv-queue-unread", readers.accepts_nobody_either),
    ("accept-queue-overflow", "close-wait-unread", readers.accepts_nobody_either),
    ("accept-queue-overflow", "connect-unanswered", requests.all_wait_to_connect),
    ("accept-queue-overflow", "zero-window-peer", readers.all_wait_to_send),
    ("recv-queue-unread", "accept-queue-overflow", readers.reads_nothing_either),
    ("recv-queue-unread", "zero-window-peer", readers.cannot_pass_it_on),
    ("requests-queued", "black-hole", requests.back_end_is_lost),
    ("requests-queued", "recv-queue-unread", requests.back_end_does_not_read),
    ("requests-unanswered", "requests-queued", requests.other_end_waits),
    ("requests-unanswered", "recv-queue-unread", requests.other_end_waits),
    ("requests-unanswered", "accept-queue-overflow", requests.nobody_accepts),
    ("requests-unanswered", "handshake-unfinished", hosts.takes_no_more),
    ("requests-unanswered", "recv-queue-unread", requests.held_up_itself),
    ("requests-unanswered", "requests-queued", requests.held_up_itself),
    ("requests-unanswered", "requests-unanswered", requests.held_up_itself),
    ("requests-unanswered", "destination-failing", requests.held_up_itself),
    ("requests-unanswered", "accept-queue-overflow", requests.held_up_itself),
    ("socket-leak", "requests-unanswered", requests.clients_gave_up),
    ("close-wait-leak", "requests-unanswered", requests.clients_gave_up),
    ("close-wait-unread", "requests-unanswered", requests.clients_gave_up),
    ("resets", "requests-unanswered", requests.clients_gave_up),
    ("retransmission-rate", "accept-queue-overflow", listeners.repeated),
    ("retransmission-rate", "black-hole", destinations.kept_back_too),
    ("retransmission-rate", "mtu-black-hole", destinations.repeats_to_it),
    ("syn-queue-full", "accept-queue-overflow", listeners.same_listener),
    ("syn-flood", "accept-queue-overflow", listeners.same_listener),
    ("risky-sysctl", "accept-queue-overflow", listeners.same_listener),
    ("syn-queue-full", "syn-flood", listeners.same_listener),
    ("syn-queue-full", "handshake-unfinished", listeners.deferred),
    ("handshake-unfinished", "accept-queue-overflow", listeners.same_listener),
    ("handshake-unfinished", "syn-queue-full", listeners.same_listener),
    ("handshake-unfinished", "accept-queue-overflow", listeners.retransmitting),
    ("handshake-unfinished", "syn-flood", listeners.same_listener),
    ("accept-queue-overflow", "fd-limit", closing.no_descriptor_to_accept_with),
    ("resets", "fd-limit", closing.no_descriptor_to_accept_with),
    ("turned-away", "fd-limit", closing.no_descriptor_to_accept_with),
    ("half-closed", "close-wait-leak", closing.other_end_does_not_close),
    ("half-closed", "close-wait-unread", closing.other_end_does_not_close),
    ("half-closed", "recv-queue-unread", readers.other_end),
    ("half-closed", "handshake-unfinished", hosts.takes_no_more),
    ("half-closed", "black-hole", closing.the_same_hosts_are_lost),
    ("half-closed", "connect-unanswered", destinations.same_destination),
    ("half-closed", "destination-failing", destinations.same_destination),
    ("half-closed", "mtu-black-hole", destinations.same_destination),
    ("fd-limit", "close-wait-leak", closing.descriptors_leak),
    ("fd-limit", "close-wait-unread", closing.descriptors_leak),
    ("fd-limit", "socket-leak", closing.descriptors_leak),
    ("fd-limit", "connections-growing", closing.connections_take_descriptors),
    ("close-wait-leak", "socket-leak", closing.leaks_more),
    ("close-wait-unread", "socket-leak", closing.leaks_more),
    ("socket-leak", "close-wait-leak", closing.leaks_more),
    ("socket-leak", "close-wait-unread", closing.leaks_more),
    ("resets", "socket-leak", closing.are_not_closed_after_it),
    ("ephemeral-port-exhaustion", "close-wait-leak", closing.ports_leak),
    ("ephemeral-port-exhaustion", "connections-growing", closing.connections_take_ports),
    ("resets", "turned-away", listeners.turned_away_by_resets),
    ("resets", "turned-away", listeners.turned_away_here),
    ("resets", "connect-unanswered", destinations.answers_are_reset),
    ("resets", "destination-failing", destinations.answers_are_reset),
    ("turned-away", "destination-failing", destinations.back_end_is_down),
    ("turned-away", "resets", listeners.same_place),
    ("resets", "clients-reset", listeners.same_place),
    ("connection-churn", "turned-away", listeners.hung_up_by),
    ("ephemeral-port-exhaustion", "connection-churn", closing.churn_takes_ports),
    ("time-wait-pressure", "connection-churn", closing.churn_fills_time_wait),
    ("destination-failing", "accept-queue-overflow", destinations.server_is_here),
    ("destination-failing", "recv-queue-unread", destinations.server_is_here),
    ("destination-failing", "close-wait-unread", destinations.server_is_here),
    ("destination-failing", "fd-limit", destinations.server_is_here),
    ("destination-failing", "requests-queued", destinations.server_is_here),
    ("destination-failing", "turned-away", destinations.same_destination),
    ("destination-failing", "turned-away", destinations.server_is_here),
    ("turned-away", "destination-failing", destinations.passes_it_on),
    ("destination-failing", "connect-unanswered", destinations.same_destination),
    ("destination-failing", "requests-unanswered", destinations.same_destination),
    ("destination-failing", "requests-unanswered", destinations.server_is_here),
    ("destination-failing", "resets", destinations.same_destination),
    ("destination-failing", "resets", destinations.server_is_here),
    ("destination-failing", "self-connect", destinations.same_destination),
    ("connects-delayed", "packets-rejected", hosts.kept_back),
    ("connects-delayed", "accept-queue-overflow", destinations.server_is_here),
    ("connects-delayed", "syn-queue-full", destinations.server_is_here),
    ("connects-delayed", "handshake-unfinished", hosts.takes_no_more),
    ("connects-delayed", "connect-unanswered", destinations.same_destination),
    ("connects-delayed", "destination-failing", destinations.same_destination),
    ("retransmission-rate", "connects-delayed", destinations.only_first_data),
    ("connects-delayed", "retransmission-rate", destinations.way_loses_data_too),
    ("destination-failing", "ephemeral-port-exhaustion", destinations.no_port_to_call_from),
)
