"""Connects that nobody answers, in words: evidence, causes and advice of one destination."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import numpy as np

from tcptop.analysis.findings import (
    answers_reset,
    icmp,
    kept_back,
    listening,
    sources,
    unanswered,
    words,
)
from tcptop.analysis.findings.answers_reset import AnswersReset
from tcptop.analysis.findings.connects_given_up import GivenUp
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.sources import Sources
from tcptop.analysis.findings.unanswered import Unanswered
from tcptop.analysis.timeouts import syn_give_up_in_s, syn_give_up_s
from tcptop.model.arrays import sorted_unique
from tcptop.model.sample import Process
from tcptop.model.table import Index

DNS = 53
ARP_S = 4.0  # mcast_solicit x retrans_time_ms, 3 x 1 s, and some delay
ICMP = 0.5  # of the attempts, as many unreachables: then they are worth telling
LEAST_S = 3.0  # within which they are counted
A_FEW, MOSTLY, FAILED_S = 3, 0.7, 10.0  # that ICMP ended, of a place, within these seconds


class Silent:
    """One destination, and what is known of it."""

    def __init__(self, seen: Observations, case: Unanswered) -> None:
        self.seen, self.case = seen, case
        self.to = unanswered.called(seen, case.callee)
        self.rows = unanswered.asking(seen, case.callee) if self.given else case.rows
        self.hop = unanswered.hop(seen, case)
        self.others = unanswered.answering(seen, case)
        self.here = unanswered.is_here(seen, case.callee)
        self.asks_by = unanswered.asks_by(case.callee)

    @cached_property
    def given(self) -> GivenUp | None:
        """Where more have given up than wait for long, those are what is told."""
        given = self.case.given
        return given if given and given.calls.ended >= len(self.case.rows) else None

    @cached_property
    def noticed(self) -> int:
        """Of those that were given up as many as the kernel told, which sees each."""
        given = self.given
        return unanswered.noticed(self.seen, self.case.callee, given.seconds) if given else 0

    @property
    def ended(self) -> int:
        """How many gave up, as far as that is known."""
        return max(self.noticed, self.given.calls.ended) if self.given else 0

    @property
    def attempts(self) -> int:
        return self.ended + self.given.calls.waiting if self.given else len(self.rows)

    @property
    def as_seen(self) -> str:
        """What follows a number of attempts that looks happened to see."""
        return " seen" if self.given and self.noticed < self.given.calls.ended else ""

    @cached_property
    def other_family(self) -> int:
        """Connections to the same port by the other family, where attempts are given up soon."""
        return unanswered.by_other_family(self.seen, self.case.callee) if self.given else 0

    @cached_property
    def processes(self) -> list[Process]:
        holders = self.seen.snapshot.holders
        first = sorted_unique(holders.first(self.rows))
        held = [holders.processes[process] for process in first.tolist() if process >= 0]
        past = self.given.calls.processes if self.given else ()
        return list({(each.pid, each.start_time): each for each in (*past, *held)}.values())

    @cached_property
    def rejected(self) -> float:
        """ICMP unreachables that came in meanwhile, where they are as many as a good part of what
        failed: connect() ends with them, but AttemptFails does not count each."""
        failed = self.given.calls.ended if self.given else len(self.rows)
        return self.unreachables * (self.unreachables >= ICMP * failed or self.others_rejected > 0)

    @cached_property
    def others_rejected(self) -> int:
        """Connects there that failed meanwhile, where as many unreachables came, and no reset: who
        rejects reports it at a limited rate (icmp_ratelimit), so that the others wait."""
        to, seconds = self.case.callee, min(FAILED_S, self.seen.watched_s)
        grown = self.seen.grown(to.netns, "AttemptFails", seconds)
        if self.given or not grown:
            return 0
        ended = unanswered.failed(self.seen, to, seconds)
        counts = sorted((ended, grown[0], icmp.came(self.seen, to.netns, seconds)))
        return ended if ended >= A_FEW and counts[0] >= MOSTLY * counts[-1] else 0

    @cached_property
    def unreachables(self) -> float:
        return icmp.came(self.seen, self.case.callee.netns, self._since_s)

    @property
    def _since_s(self) -> float:
        """As far back as counters are known: many have waited for longer than the watch."""
        return max(min(self.case.since_s, self.seen.watched_s), LEAST_S)

    @cached_property
    def rejected_here(self) -> bool:
        """Whether a filter of this host rejects what was given up."""
        if self.given is None or self.by_icmp:
            return False
        here = kept_back.rejected_here(self.seen, self.case.callee.netns, self.given.seconds)
        return here >= ICMP * self.given.calls.ended

    @cached_property
    def opened(self) -> int:
        """Connects there that were answered meanwhile, as far as they were seen."""
        return unanswered.opened(self.seen, self.case)

    @cached_property
    def reset(self) -> AnswersReset:
        """Whether this host resets what answers."""
        tried = self.given.attempts if self.given else len(self.rows)
        where = self.seen, self.case.callee.netns, self.rows
        return answers_reset.answers_reset(*where, tried, self._since_s)

    @cached_property
    def source(self) -> Sources | None:
        """Where it is their own address that those have in common that nobody answers."""
        return sources.apart(self.seen, self.case) if self.opened or self.others.port else None

    @property
    def icmp_or_gone(self) -> bool:
        return self.unreachables > 0 or self.hop.gone

    @property
    def by_icmp(self) -> bool:
        return self.given is not None and self.rejected > 0

    @cached_property
    def failed(self) -> float:
        """Connects of the namespace that the kernel saw fail; what a program closes is none."""
        seconds = self.given.seconds if self.given else 0.0
        grown = self.seen.grown(self.case.callee.netns, "AttemptFails", seconds)
        return grown[0] if grown else np.nan

    @property
    def retried(self) -> bool:
        """Whether what ended was ended by the program: close() in SYN_SENT counts nowhere."""
        given = self.given
        rejected = self.rejected or self.rejected_here
        return given is not None and not rejected and self.failed < given.calls.ended / 2


def again(told: Silent) -> int:
    """The most retransmissions of one SYN."""
    return int(told.seen.table.retrans[told.rows].max(initial=0))


def evidence(told: Silent) -> Iterator[str]:
    yield _given_up(told, told.given) if told.given else _waiting(told)
    if told.rejected_here:
        yield "A filter of this host rejects them, by ICMP of its own (In- and OutDestUnreachs)."
    elif told.others_rejected:
        yield (
            "Other connects there failed meanwhile, and about as many ICMP unreachables came in "
            "(InDestUnreachs): they are rejected. Who rejects reports it at a limited rate, as "
            "Linux does, so that the rest gets no answer."
        )
    elif told.rejected > 0:
        yield (
            f"{words.count(told.rejected, 'ICMP unreachable')} came in meanwhile (InDestUnreachs): "
            "something rejects what this host sends, and reports it at a limited rate."
        )
    elif told.unreachables > 0:
        yield (
            f"{words.count(told.unreachables, 'ICMP unreachable')} came in meanwhile "
            "(InDestUnreachs): something rejects a part of what this host sends, to there "
            "or elsewhere; tcpdump -ni any 'icmp or icmp6' shows who."
        )
    yield from answers_reset.told(told.reset)
    if told.source:
        yield _from(told.source)
    yield from _names(told)
    yield from _until(told)
    if told.here:
        yield _here(told)
    elif told.opened and not told.given:
        many = words.count(told.opened, "other connect", "other connects")
        yield f"{many} there {_was(told.opened)} answered meanwhile: that host is up."
    elif told.others.address:
        at_port = told.others.port
        there = f", {at_port} of them at this port" if at_port else ", at other ports"
        yield (
            f"{words.count(told.others.address, 'connection')} to the same address got an answer "
            f"meanwhile{there}: that host is up."
        )
    elif told.others.incoming:
        yield "Connections from the same address to listeners here are heard of: that host is up."
    elif told.hop.answers and told.hop.on_link:
        yield f"{told.hop.address} answers {told.asks_by}: that host is up."
    elif told.hop.heard_s is not None and told.hop.on_link and not told.icmp_or_gone:
        yield (
            f"{told.hop.address} was last heard of {words.duration(told.hop.heard_s)} ago "
            f"by {told.asks_by} or TCP (ip -s neigh; UDP does not count), before these attempts."
        )
    if told.other_family:
        yield (
            f"{words.count(told.other_family, 'connection')} to the same port by "
            f"{'IPv6' if unanswered.is_v4(told.case.callee) else 'IPv4'} got an answer meanwhile: "
            "programs that try one address after the other continue with that one, later."
        )


def _from(source: Sources) -> str:
    device = f" (on {source.device})" if source.device else ""
    return (
        f"All that are not answered call from {source.address}{device}; what was answered there "
        f"meanwhile called from {words.joined(source.others)}."
    )


def _names(told: Silent) -> Iterator[str]:
    if told.case.callee.remote_port == DNS:
        yield (
            "Port 53 is DNS. A resolver asks by TCP where an answer by UDP was truncated, so names "
            "with long answers may not be resolved meanwhile; UDP is not seen here."
        )


def _was(number: int) -> str:
    return "was" if number == 1 else "were"


def _waiting(told: Silent) -> str:
    times, oldest = again(told), float(told.case.age_s.max())
    tried = (
        f"its timer has run out {words.count(times, 'time')}"
        if told.hop.gone
        else f"{words.count(times, 'retransmission')} of its SYN"
    )
    return (
        f"{_people(told.processes)}: {words.count(len(told.rows), 'socket')} in SYN-SENT to "
        f"{told.to}, the oldest for {words.duration(oldest)}; {tried}, and neither a SYN-ACK nor a "
        "reset has reached the socket."
    )


def _given_up(told: Silent, given: GivenUp) -> str:
    calls = given.calls
    some = (
        "none became a connection"
        if given.every
        else f"at least {words.count(calls.opened, 'other connection')} there opened meanwhile"
    )
    return (
        f"{_people(told.processes)}: in the last {words.duration(given.seconds)} "
        f"{words.count(given.attempts, 'connect was', 'connects were')} seen in SYN-SENT to "
        f"{told.to}; {words.number(calls.ended)} ended there after up to "
        f"{words.duration(calls.longest_s)}, {words.count(calls.waiting, 'waits', 'wait')} "
        f"now, and {some}."
    )


def _people(processes: list[Process]) -> str:
    who = words.who(processes[0]) if processes else "An unknown process"
    return who + (f" and {len(processes) - 1} more" if len(processes) > 1 else "")


def _until(told: Silent) -> Iterator[str]:
    """When connect() tells its program."""
    if told.hop.gone:
        whom = told.hop.address or "that address, or the gateway to it,"
        gateway = f", the gateway to {told.to}" if told.hop.gateway else ""
        yield (
            f"The SYNs do not leave this host: {whom} does not answer {told.asks_by} (ip neigh)"
            f"{gateway}. Each connect() fails with EHOSTUNREACH after about 3 s, unless the "
            "program gives up sooner."
        )
        return
    if told.retried:
        most = " most of them" if told.failed else ""
        yield (
            f"The program itself gives up{most}: AttemptFails, which counts what the kernel or the "
            f"other end has ended, rose by {words.number(told.failed)}."
        )
    if len(told.case.rows) and not told.given:
        yield from _kernel_gives_up(told)


def _kernel_gives_up(told: Silent) -> Iterator[str]:
    seen, case = told.seen, told.case
    row = int(case.rows[np.argmax(case.age_s)])
    sysctls = seen.sample.kernel_of(case.callee.netns).sysctls
    whole = syn_give_up_s(sysctls)
    left = syn_give_up_in_s(sysctls, int(seen.table.retrans[row]), float(seen.table.expires[row]))
    if whole is not None and left is not None:
        yield (
            f"Each connect() fails with ETIMEDOUT after {words.exactly(whole)} "
            f"(tcp_syn_retries = {sysctls.get('net.ipv4.tcp_syn_retries')}), the oldest in "
            f"{words.duration(left)}, unless the program gives up sooner{_sooner(told)}."
        )


def _sooner(told: Silent) -> str:
    """Of a dead host on the own subnet a connect() tells after three questions."""
    if told.hop.known or told.case.age_s.max() > ARP_S or told.others.address:
        return ""
    return f", or with EHOSTUNREACH after 3 s if nobody answers {told.asks_by} (ip neigh)"


def _here(told: Silent) -> str:
    listeners = _listeners(told)
    if not len(listeners):
        return (
            f"{told.to} is an address of this host, and nothing listens there: the answer would be "
            "a reset, so a filter drops these SYNs, or NAT sends them elsewhere."
        )
    listener = int(listeners[0])
    processes = told.seen.processes(listener)
    name = words.name(processes[0]) if processes else "an unknown process"
    return (
        f"{told.to} is an address of this host, where {name} listens; "
        f"{told.seen.table.recv_q[listener]} wait in its accept queue."
    )


def _listeners(told: Silent) -> Index:
    """Those of this host that take connections to the destination."""
    table, to = told.seen.table, told.case.callee
    there = listening.on_port(table, to.netns, to.remote_port)
    taking: Index = there[listening.takes(table, there, to.remote_hi, to.remote_lo)]
    return taking


def advice(told: Silent) -> str:
    if told.by_icmp or told.others_rejected:
        return (
            f"Find out what rejects: {causes(told)}. tcpdump -ni any 'icmp or icmp6' shows who "
            "sends the ICMP messages, and their code."
        )
    program = (
        "Let the program wait longer after each failure, and try another address if there is one."
        if told.retried or (told.given and told.hop.gone)
        else "Give the program a connect timeout of a few seconds and a limit on attempts in "
        "flight, so that it fails soon and does not pile up."
    )
    what = "becomes of the answers" if told.reset else "is silent"
    return f"Find out what {what}: {causes(told)}. {program}"


def causes(told: Silent) -> str:
    """What the table does not show to be otherwise."""
    if told.rejected_here:
        return "a filter of this host rejects them (nft list ruleset, iptables-save -c)"
    if told.here:
        table, listeners = told.seen.table, _listeners(told)
        full = table.recv_q[listeners] > table.send_q[listeners]
        return "its accept queue is full" if full.any() else "a local firewall that drops, or NAT"
    if told.hop.gone:
        if not told.hop.address:
            return "that host, or the gateway to it, is down or gone, or the address is wrong"
        return f"{told.hop.address} {unanswered.why_gone(told.case.callee)}"
    if told.rejected > 0:
        if told.others.address:
            return "a filter there, or on the way, that rejects this port with ICMP"
        return "a firewall that rejects with ICMP, or a router that has no route there"
    if told.reset:
        return answers_reset.cause(told.reset)
    if told.source:
        return (
            f"its answers to {told.source.address} probably go elsewhere: another host has that "
            "address too (a virtual one, that has moved), or no way leads back to it from there. "
            "Let the program call from another address (ip route get "
            f"{told.case.way.remote if told.case.way else told.to} tells src), unless a filter "
            "there drops this one"
        )
    if told.opened:
        return (
            "some connects there are answered, so a limit on new connections (a firewall, a full "
            "accept queue), loss on the path, or one of several paths or servers behind that "
            "address that is dead"
        )
    if told.others.port:
        return "a full accept queue at the server, or a firewall that drops new connections"
    if told.others.address or (told.hop.answers and told.hop.on_link):
        return "a firewall that drops this port, or a full accept queue at the server"
    down = "a host that is down" if told.hop.on_link else "a host that is down behind a router"
    return (
        f"a firewall that drops{' or rejects' if told.unreachables else ''}, a wrong route or "
        f"address, {down}, or a full accept queue at the server"
    )
