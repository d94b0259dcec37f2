"""Connects that nobody answers, in words: evidence, causes and advice of one destination."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tcptop.analysis.findings import answers_reset, listening, unaccepted, unanswered, words
from tcptop.analysis.findings.connects_given_up import GivenUp
from tcptop.analysis.findings.overlap import Deserted
from tcptop.analysis.findings.sources import Sources
from tcptop.analysis.findings.unheard import Silent
from tcptop.analysis.timeouts import syn_give_up_in_s, syn_give_up_s
from tcptop.model import tcp
from tcptop.model.sample import Process
from tcptop.model.table import Index

DNS = 53
ARP_S = 4.0  # mcast_solicit x retrans_time_ms, 3 x 1 s, and some delay


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
    yield from _before(told)
    yield from _until(told)
    if told.unaccepted:
        yield unaccepted.told(told.unaccepted)
    yield from is_up(told)
    if told.other_family:
        yield (
            f"{words.count(told.other_family, 'connection')} to the same port by "
            f"{'IPv6' if unanswered.is_v4(told.case.callee) else 'IPv4'} got an answer meanwhile: "
            "programs that try one address after the other continue with that one, "
            f"{_later(told)}."
        )


def _later(told: Silent) -> str:
    if not told.other_family_goes_on:
        return "later"
    return f"up to {words.duration(told.case.longest_s)} later: that is what it costs them"


def is_up(told: Silent) -> Iterator[str]:
    """What tells that the host is there."""
    if told.here:
        yield _here(told)
    elif told.opened and not told.given:
        many = words.count(told.opened, "other connect", "other connects")
        how = f"{_was(told.opened)} answered" if told.at_times else "opened"
        yield f"{many} there {how} meanwhile: that host is up."
    elif told.others.address:
        at_port = told.others.port
        there = f", {at_port} of them at this port" if at_port else ", at other ports"
        yield (
            f"{words.count(told.others.address, 'connection')} to the same address got an answer "
            f"meanwhile{there}: that host is up."
        )
    elif told.elsewhere.number:
        yield (
            f"{words.count(told.elsewhere.number, 'connection')} to {told.elsewhere.named} of the "
            "same address got an answer and ended meanwhile: that host is up."
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


def _before(told: Silent) -> Iterator[str]:
    """What ended well there, and when that was over."""
    table, rows = told.seen.table, unanswered.there(told.seen, told.case.callee)
    rows = rows[table.state[rows] == tcp.TIME_WAIT]
    if not len(rows) or told.opened:
        return
    ago_s = float(table.time_wait_ms()[rows].min()) / 1000
    if ago_s > told.case.since_s:
        yield (
            f"{words.count(len(rows), 'earlier connection')} there ended at both ends (TIME-WAIT), "
            f"the last {words.duration(ago_s)} ago: it was answered until then."
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
    some = f"at least {words.count(calls.opened, 'other connection')} there opened meanwhile"
    if given.every:
        others = " of these became a connection, while others there did"
        some = f"none{others if told.opened else ' became a connection'}"
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
        if told.deserted:
            yield _deserted(told.deserted)
        return
    if told.retried:
        most = " most of them" if told.failed else ""
        yield (
            f"The program itself gives up{most}: AttemptFails, which counts what the kernel or the "
            f"other end has ended, rose by {words.number(told.failed)}."
        )
    if len(told.case.rows) and not told.given:
        yield from _kernel_gives_up(told)


def _deserted(here: Deserted) -> str:
    route = f"the route {here.prefix} leads" if here.prefix else "its route leads"
    return (
        f"It is asked for on {here.device}, where {route} and this host has {here.own}; no other "
        "host is heard there by TCP."
    )


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
    return listening.taking(told.seen.table, told.case.callee)


def _overlaps(to: str, here: Deserted) -> str:
    return (
        f", or the subnet of {here.device} overlaps with the one where that host is (a bridge of "
        f"containers, a VPN; ip route get {to} tells the way)"
    )


def advice(told: Silent, ports: int = 1) -> str:
    """Of one place, or of so many ports of one host that are alike."""
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
    why = causes(told)
    if ports > 1:
        why = why.replace("this port", f"these {ports} ports")
    return f"Find out what {what}: {why}. {program}"


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
        why = f"{told.hop.address} {unanswered.why_gone(told.case.callee)}"
        return why + (_overlaps(told.hop.address, told.deserted) if told.deserted else "")
    if told.rejected > 0:
        if told.others.address:
            return "a filter there, or on the way, that rejects this port with ICMP"
        return "a firewall that rejects with ICMP, or a router that has no route there"
    if told.reset:
        return answers_reset.cause(told.reset)
    if told.unaccepted:
        return unaccepted.CAUSE
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
    if told.others.address or told.elsewhere.number or (told.hop.answers and told.hop.on_link):
        where = "" if told.hop.on_link else " (on the way or there)"
        return f"a firewall that drops this port{where}, or a full accept queue at the server"
    down = "a host that is down" if told.hop.on_link else "a host that is down behind a router"
    return (
        f"a firewall that drops{' or rejects' if told.unreachables else ''}, a wrong route or "
        f"address, {down}, or a full accept queue at the server"
    )
