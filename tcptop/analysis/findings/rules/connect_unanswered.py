"""connect-unanswered: connect() waits, for nobody answers its SYN."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tcptop.analysis.findings import listening, unanswered, words
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.rule import Limits, Rule, Threshold
from tcptop.analysis.findings.subjects import named
from tcptop.analysis.findings.unanswered import Attempts
from tcptop.analysis.timeouts import syn_give_up_in_s, syn_give_up_s
from tcptop.model import tcp
from tcptop.model.finding import Finding
from tcptop.model.sample import Process
from tcptop.model.table import Index

ID = "connect-unanswered"
MOST = 20  # destinations
UNKNOWN = "an unknown process"
ARP_S = 4.0  # mcast_solicit x retrans_time_ms, 3 x 1 s, and some delay


def find(seen: Observations, limits: Limits) -> Iterator[Finding]:
    table = seen.table
    rows = np.flatnonzero(table.state == tcp.SYN_SENT)
    if not len(rows):
        return
    age = unanswered.age_s(seen, rows)
    late = (table.retrans[rows] >= limits["retransmissions"]) | (age >= limits["age_s"])
    for attempts in unanswered.by_destination(seen, rows[late], age[late], MOST):
        yield _finding(seen, limits, attempts)


def _finding(seen: Observations, limits: Limits, attempts: Attempts) -> Finding:
    table, row, count = seen.table, int(attempts.rows[0]), len(attempts.rows)
    processes = _people(seen, attempts.rows)
    to, oldest = words.remote(seen.sample, row), float(attempts.age_s.max())
    many = words.count(count, "connection attempt")
    return Finding(
        ID,
        words.key(ID, int(table.netns[row]), to),
        "critical" if count >= limits["critical"] else "warning",
        f"{_who(processes)} no answer from {to}: {many} waiting",
        named(seen, attempts.rows, processes, destination=to),
        {"sockets": count, "oldest_s": oldest, "retransmissions": _again(seen, attempts)},
        tuple(_evidence(seen, attempts, processes, to)),
        _advice(seen, attempts),
        f"ss -tnop state syn-sent 'dport = :{int(table.remote_port[row])}'; "
        "nstat -az TcpExtTCPSynRetrans; ip neigh",
        since=seen.sample.taken_at - oldest,
    )


def _people(seen: Observations, rows: Index) -> list[Process]:
    first = np.unique(seen.snapshot.holders.first(rows))
    return [seen.snapshot.holders.processes[process] for process in first.tolist() if process >= 0]


def _who(processes: list[Process]) -> str:
    names = list(dict.fromkeys(words.called(each) for each in processes))
    if len(names) > 2:
        return f"{names[0]} and {len(names) - 1} others get"
    return " and ".join(names) + " get" if len(names) == 2 else f"{(*names, UNKNOWN)[0]} gets"


def _again(seen: Observations, attempts: Attempts) -> int:
    return int(seen.table.retrans[attempts.rows].max())


def _evidence(
    seen: Observations, attempts: Attempts, processes: list[Process], to: str
) -> Iterator[str]:
    again = _again(seen, attempts)
    who = words.who(processes[0]) if processes else "An unknown process"
    more = f" and {len(processes) - 1} more" if len(processes) > 1 else ""
    many = words.count(len(attempts.rows), "socket")
    oldest = float(attempts.age_s.max())
    tried = (
        f"its timer has run out {words.count(again, 'time')}"
        if unanswered.stays_here(seen, attempts)
        else f"{words.count(again, 'retransmission')} of its SYN"
    )
    yield (
        f"{who}{more}: {many} in SYN-SENT to {to}, the oldest for {words.duration(oldest)}; "
        f"{tried}, and neither a SYN-ACK nor a reset."
    )
    yield from _until(seen, attempts)
    if seen.remote_here[attempts.rows[0]]:
        yield _here(seen, int(attempts.rows[0]), to)
        return
    others = unanswered.answering(seen, attempts)
    if others.address:
        there = f", {others.port} of them at this port" if others.port else ", at other ports"
        yield (
            f"{words.count(others.address, 'connection')} to the same address got an answer "
            f"meanwhile{there}: that host is up."
        )


def _until(seen: Observations, attempts: Attempts) -> Iterator[str]:
    """When connect() tells its program."""
    if unanswered.stays_here(seen, attempts):
        yield (
            "The SYNs do not leave this host: TCPSynRetrans stands still. Nobody answers ARP or ND "
            "for that address, or for the gateway on the way (ip neigh); each connect() fails with "
            "EHOSTUNREACH after about 3 s."
        )
        return
    row = int(attempts.rows[np.argmax(attempts.age_s)])
    sysctls = seen.sample.kernel_of(int(seen.table.netns[row])).sysctls
    whole = syn_give_up_s(sysctls)
    left = syn_give_up_in_s(sysctls, int(seen.table.retrans[row]), float(seen.table.expires[row]))
    if whole is not None and left is not None:
        yield (
            f"Each connect() fails with ETIMEDOUT after {words.exactly(whole)} "
            f"(tcp_syn_retries = {sysctls.get('net.ipv4.tcp_syn_retries')}), the oldest in "
            f"{words.duration(left)}, unless the program gives up sooner{_sooner(seen, attempts)}."
        )


def _sooner(seen: Observations, attempts: Attempts) -> str:
    """Of a dead host on the own subnet a connect() tells after three questions of ARP or ND."""
    if attempts.age_s.max() > ARP_S or unanswered.answering(seen, attempts).address:
        return ""
    return ", or with EHOSTUNREACH after 3 s where nobody answers ARP or ND (ip neigh)"


def _here(seen: Observations, row: int, to: str) -> str:
    listeners = _listeners(seen, row)
    if not len(listeners):
        return (
            f"{to} is an address of this host, and nothing listens there: the answer would be a "
            "reset, so a filter drops these SYNs, or NAT sends them elsewhere."
        )
    listener = int(listeners[0])
    processes = seen.processes(listener)
    name = words.name(processes[0]) if processes else "an unknown process"
    return (
        f"{to} is an address of this host, where {name} listens; "
        f"{seen.table.recv_q[listener]} wait in its accept queue."
    )


def _listeners(seen: Observations, row: int) -> Index:
    """Those of this host that take connections to the destination."""
    table = seen.table
    there = listening.on_port(table, int(table.netns[row]), int(table.remote_port[row]))
    hi, lo = int(table.remote_hi[row]), int(table.remote_lo[row])
    taking: Index = there[listening.takes(table, there, hi, lo)]
    return taking


def _advice(seen: Observations, attempts: Attempts) -> str:
    return (
        f"Find out who is silent: {_causes(seen, attempts)}. Give the program a connect timeout of "
        "a few seconds and a limit on attempts in flight, so that it fails soon and does not pile "
        "up."
    )


def _causes(seen: Observations, attempts: Attempts) -> str:
    """What the table does not show to be otherwise."""
    row, table = int(attempts.rows[0]), seen.table
    if seen.remote_here[row]:
        listeners = _listeners(seen, row)
        full = table.recv_q[listeners] > table.send_q[listeners]
        return "its accept queue is full" if full.any() else "a local firewall that drops, or NAT"
    if unanswered.stays_here(seen, attempts):
        return "that host, or the gateway to it, is down or gone, or the address is wrong"
    others = unanswered.answering(seen, attempts)
    if others.port:
        return "a full accept queue at the server, or a firewall that drops what is new"
    if others.address:
        return "a firewall that drops this port, or a full accept queue at the server"
    return (
        "a firewall that drops, a wrong route or address, a host that is down behind a router, or "
        "a full accept queue at the server"
    )


RULE = Rule(
    ID,
    0,
    (
        Threshold("retransmissions", 2, "retransmissions of a SYN"),
        Threshold("age_s", 3, "or seconds without an answer"),
        Threshold("critical", 10, "attempts to one destination from which it is critical"),
    ),
    find,
)
