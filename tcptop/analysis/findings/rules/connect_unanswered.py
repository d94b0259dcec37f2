"""connect-unanswered: connect() waits, for nobody answers its SYN."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import numpy as np

from tcptop.analysis.findings import icmp, listening, unanswered, words
from tcptop.analysis.findings.given_up import GivenUp
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.rule import Limits, Rule, Threshold
from tcptop.analysis.findings.unanswered import Unanswered
from tcptop.analysis.timeouts import syn_give_up_in_s, syn_give_up_s
from tcptop.model.finding import Finding, Subject
from tcptop.model.sample import Process
from tcptop.model.table import Index

ID = "connect-unanswered"
MOST = 20  # destinations
UNKNOWN = "an unknown process"
NAMED = 1000  # sockets
OUTAGE_PER_S = 2  # attempts a second, from which it is more than one caller that tries again
ARP_S = 4.0  # mcast_solicit x retrans_time_ms, 3 x 1 s, and some delay
ICMP = 0.5  # of the attempts, as many unreachables: then they are worth telling
LEAST_S = 3.0  # within which they are counted


def find(seen: Observations, limits: Limits) -> Iterator[Finding]:
    for case in unanswered.unanswered(seen, limits, MOST):
        yield _finding(_Told(seen, case, limits))


class _Told:
    """One destination, and what is known of it."""

    def __init__(self, seen: Observations, case: Unanswered, limits: Limits) -> None:
        self.seen, self.case, self.limits = seen, case, limits
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
    def processes(self) -> list[Process]:
        holders = self.seen.snapshot.holders
        first = np.unique(holders.first(self.rows))
        held = [holders.processes[process] for process in first.tolist() if process >= 0]
        past = self.given.calls.processes if self.given else ()
        return list({(each.pid, each.start_time): each for each in (*past, *held)}.values())

    @cached_property
    def rejected(self) -> float:
        """ICMP unreachables that came in meanwhile, where they are as many as a good part of what
        failed: connect() ends with them, but AttemptFails does not count each."""
        came = icmp.came(self.seen, self.case.callee.netns, max(self.case.since_s, LEAST_S))
        failed = self.given.calls.ended if self.given else len(self.rows)
        return came if came >= ICMP * failed else 0.0

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
        return given is not None and not self.rejected and self.failed < given.calls.ended / 2


def _finding(told: _Told) -> Finding:
    netns, rows, to = told.case.callee.netns, told.rows, told.to
    return Finding(
        ID,
        words.key(ID, netns, to),
        _severity(told),
        _title(told),
        Subject(
            netns,
            tuple(sorted({each.pid for each in told.processes})),
            destination=to,
            cookies=tuple(told.seen.table.cookie[rows[:NAMED]].tolist()),
        ),
        _values(told),
        tuple(_evidence(told)),
        _advice(told),
        f"ss -tnop state syn-sent 'dport = :{told.case.callee.remote_port}'; "
        "nstat -az TcpActiveOpens TcpAttemptFails TcpExtTCPSynRetrans; ip neigh",
        since=told.seen.sample.taken_at - told.case.since_s,
    )


def _severity(told: _Told) -> str:
    case, given, most = told.case, told.given, told.limits["critical"]
    if len(case.rows) >= most:
        return "critical"
    if given is None or not given.every or given.calls.heard:
        return "warning"
    if given.attempts >= max(most, OUTAGE_PER_S * given.seconds):
        return "critical"
    return "info" if unanswered.spared(told.seen, case, told.processes) else "warning"


def _title(told: _Told) -> str:
    who, to, given = _who(told.processes), told.to, told.given
    if given is None:
        many = words.count(len(told.rows), "connection attempt")
        return f"{who} no answer from {to}: {many} waiting"
    within = words.duration(given.seconds)
    if told.by_icmp:
        many = words.count(given.calls.ended, "connection attempt")
        return f"{who} no connection to {to}: {many} failed in {within}, ICMP unreachables come in"
    if given.every:
        many = words.count(given.attempts, "connection attempt")
        return f"{who} no answer from {to}: {many} in {within}, none answered"
    many = words.count(given.calls.ended, "connection attempt")
    return f"{who} no answer from {to} at times: {many} given up in {within}"


def _who(processes: list[Process]) -> str:
    names = list(dict.fromkeys(words.called(each) for each in processes))
    if len(names) > 2:
        return f"{names[0]} and {len(names) - 1} others get"
    return " and ".join(names) + " get" if len(names) == 2 else f"{(*names, UNKNOWN)[0]} gets"


def _values(told: _Told) -> dict[str, float]:
    values = {
        "sockets": len(told.rows),
        "oldest_s": told.case.longest_s,
        "retransmissions": _again(told),
    }
    given = told.given
    if given is None:
        return values
    return {**values, "attempts": given.attempts, "given_up": given.calls.ended}


def _again(told: _Told) -> int:
    return int(told.seen.table.retrans[told.rows].max(initial=0))


def _evidence(told: _Told) -> Iterator[str]:
    yield _given_up(told, told.given) if told.given else _waiting(told)
    if told.rejected > 0:
        yield (
            f"{words.number(told.rejected)} ICMP unreachables came in meanwhile (InDestUnreachs): "
            "somebody rejects what this host sends, and says so at a limited rate."
        )
    yield from _until(told)
    if told.here:
        yield _here(told)
    elif told.others.address:
        at_port = told.others.port
        there = f", {at_port} of them at this port" if at_port else ", at other ports"
        yield (
            f"{words.count(told.others.address, 'connection')} to the same address got an answer "
            f"meanwhile{there}: that host is up."
        )
    elif told.hop.answers and told.hop.on_link:
        yield f"{told.hop.address} answers {told.asks_by}: that host is up."


def _waiting(told: _Told) -> str:
    again, oldest = _again(told), float(told.case.age_s.max())
    tried = (
        f"its timer has run out {words.count(again, 'time')}"
        if told.hop.gone
        else f"{words.count(again, 'retransmission')} of its SYN"
    )
    return (
        f"{_people(told.processes)}: {words.count(len(told.rows), 'socket')} in SYN-SENT to "
        f"{told.to}, the oldest for {words.duration(oldest)}; {tried}, and neither a SYN-ACK nor a "
        "reset."
    )


def _given_up(told: _Told, given: GivenUp) -> str:
    calls = given.calls
    some = (
        "not one became a connection"
        if given.every
        else f"{words.count(calls.opened, 'other connection')} there opened meanwhile"
    )
    return (
        f"{_people(told.processes)}: in the last {words.duration(given.seconds)} "
        f"{words.number(given.attempts)} connects to {told.to} were seen in SYN-SENT; "
        f"{words.number(calls.ended)} have ended there, having waited for up to "
        f"{words.duration(told.case.longest_s)} when last seen, {words.number(calls.waiting)} wait "
        f"now, and {some}."
    )


def _people(processes: list[Process]) -> str:
    who = words.who(processes[0]) if processes else "An unknown process"
    return who + (f" and {len(processes) - 1} more" if len(processes) > 1 else "")


def _until(told: _Told) -> Iterator[str]:
    """When connect() tells its program."""
    if told.hop.gone:
        whom = told.hop.address or "that address, or the gateway on the way,"
        gateway = f", the gateway to {told.to}" if told.hop.gateway else ""
        yield (
            f"The SYNs do not leave this host: {whom} does not answer {told.asks_by} (ip neigh)"
            f"{gateway}. Each connect() fails with EHOSTUNREACH after about 3 s, if the program "
            "does not give up sooner."
        )
        return
    if told.retried:
        yield (
            "The program gives up by itself: AttemptFails, which counts what the kernel or the "
            f"other end has ended, rose by {words.number(told.failed)}."
        )
    if len(told.case.rows) and not told.given:
        yield from _kernel_gives_up(told)


def _kernel_gives_up(told: _Told) -> Iterator[str]:
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


def _sooner(told: _Told) -> str:
    """Of a dead host on the own subnet a connect() tells after three questions."""
    if told.hop.known or told.case.age_s.max() > ARP_S or told.others.address:
        return ""
    return f", or with EHOSTUNREACH after 3 s where nobody answers {told.asks_by} (ip neigh)"


def _here(told: _Told) -> str:
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


def _listeners(told: _Told) -> Index:
    """Those of this host that take connections to the destination."""
    table, to = told.seen.table, told.case.callee
    there = listening.on_port(table, to.netns, to.remote_port)
    taking: Index = there[listening.takes(table, there, to.remote_hi, to.remote_lo)]
    return taking


def _advice(told: _Told) -> str:
    if told.by_icmp:
        return (
            f"Find out what rejects: {_causes(told)}. tcpdump -ni any 'icmp or icmp6' shows who "
            "sends the ICMP messages, and their code."
        )
    program = (
        "Let the program wait longer after each failure, and try another address where there is "
        "one."
        if told.retried or (told.given and told.hop.gone)
        else "Give the program a connect timeout of a few seconds and a limit on attempts in "
        "flight, so that it fails soon and does not pile up."
    )
    return f"Find out who is silent: {_causes(told)}. {program}"


def _causes(told: _Told) -> str:
    """What the table does not show to be otherwise."""
    if told.here:
        table, listeners = told.seen.table, _listeners(told)
        full = table.recv_q[listeners] > table.send_q[listeners]
        return "its accept queue is full" if full.any() else "a local firewall that drops, or NAT"
    if told.hop.gone:
        if not told.hop.address:
            return "that host, or the gateway to it, is down or gone, or the address is wrong"
        return f"{told.hop.address} is down or gone, or the address is wrong"
    if told.rejected > 0:
        return "a firewall that rejects with ICMP, or a router that has no route there"
    if told.others.port:
        return "a full accept queue at the server, or a firewall that drops what is new"
    if told.others.address or (told.hop.answers and told.hop.on_link):
        return "a firewall that drops this port, or a full accept queue at the server"
    down = "a host that is down" if told.hop.on_link else "a host that is down behind a router"
    return (
        f"a firewall that drops, a wrong route or address, {down}, or a full accept queue at the "
        "server"
    )


RULE = Rule(
    ID,
    0,
    (
        Threshold("retransmissions", 2, "retransmissions of a SYN"),
        Threshold("age_s", 3, "or seconds without an answer"),
        Threshold("given_up", 3, "or attempts to one destination that ended without an answer"),
        Threshold("window_s", 10, "seconds within which those count"),
        Threshold("critical", 10, "attempts to one destination from which it is critical"),
    ),
    find,
)
