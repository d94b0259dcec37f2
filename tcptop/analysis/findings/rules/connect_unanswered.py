"""connect-unanswered: connect() waits, for nobody answers its SYN."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tcptop.analysis.findings import unanswered, words
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
        _advice(seen, row),
        f"ss -tnop state syn-sent 'dport = :{int(table.remote_port[row])}'; "
        "nstat -az TcpExtTCPSynRetrans",
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
    table, again = seen.table, _again(seen, attempts)
    who = words.who(processes[0]) if processes else "An unknown process"
    more = f" and {len(processes) - 1} more" if len(processes) > 1 else ""
    many = words.count(len(attempts.rows), "socket")
    oldest = float(attempts.age_s.max())
    yield (
        f"{who}{more}: {many} in SYN_SENT to {to}, the oldest for {words.duration(oldest)}; "
        f"{words.count(again, 'retransmission')} of its SYN, and neither a SYN-ACK nor a reset."
    )
    row = int(attempts.rows[np.argmax(attempts.age_s)])
    sysctls = seen.sample.kernel_of(int(table.netns[row])).sysctls
    whole = syn_give_up_s(sysctls)
    left = syn_give_up_in_s(sysctls, int(table.retrans[row]), float(table.expires[row]))
    if whole is not None and left is not None:
        yield (
            f"Each connect() fails with ETIMEDOUT after {words.exactly(whole)} "
            f"(tcp_syn_retries = {sysctls.get('net.ipv4.tcp_syn_retries')}), the oldest in "
            f"{words.duration(left)}, unless the program gives up sooner{_sooner(oldest)}."
        )
    if seen.remote_here[row]:
        yield "The destination is an address of this host: no network lies between."


def _sooner(oldest_s: float) -> str:
    """Of a dead host on the own subnet a connect() tells after three questions of ARP or ND."""
    if oldest_s > ARP_S:
        return ""
    return ", or with EHOSTUNREACH after 3 s where ARP has no answer (ip neigh)"


def _advice(seen: Observations, row: int) -> str:
    to = words.remote(seen.sample, row)
    if seen.remote_here[row]:
        causes = f"a full accept queue of the listener on {to}, or a local firewall that drops"
    else:
        causes = (
            "a firewall that drops, a wrong route or address, a host that is down behind a router, "
            "or a full accept queue at the server"
        )
    return (
        f"Find out who is silent ({causes}). Give the program a connect timeout of a few seconds "
        "and a limit on attempts in flight, so that it fails soon and does not pile up."
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
