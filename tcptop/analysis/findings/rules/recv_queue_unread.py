"""recv-queue-unread: data has arrived, and our process does not read it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tcptop.analysis import stalls
from tcptop.analysis.findings import doing, ends, holding, holdups, servers, words
from tcptop.analysis.findings.groups import ConnectionGroup, grouped
from tcptop.analysis.findings.observations import PATIENCE, Observations
from tcptop.analysis.findings.rule import Limits, Need, Rule, Threshold
from tcptop.analysis.findings.served_meanwhile import others_answered
from tcptop.model import tcp
from tcptop.model.finding import Finding
from tcptop.model.table import F64, Index

ID = "recv-queue-unread"
SUSPECT = 0.5  # of that time, from which it is asked what the process does
MOSTLY = 0.5  # of the connections
AT_ONCE_S = 0.1  # a header that was sent as soon as the connection was there
DRIBBLING = 3
KEPT = 10  # of a client: it goes on to ask
LIMITED = ("--limit-rate", "--bwlimit")  # curl, wget, rsync
REQUEST = 16 * 1024  # bytes: more is a load that may be sent without an answer


def find(seen: Observations, limits: Limits) -> Iterator[Finding]:
    table, least_s = seen.table, limits["unread_s"] * PATIENCE
    waiting = (table.recv_q > 0) & (table.state != tcp.LISTEN)
    rows = np.flatnonzero(waiting & (seen.snapshot.durations.unread_s >= SUSPECT * least_s))
    if not len(rows):
        return
    unread_s = stalls.unread_s(seen.snapshot, rows)
    stuck = unread_s >= least_s
    _ask(seen, rows[(unread_s >= SUSPECT * least_s) & ~stuck])
    rows, unread_s = rows[stuck], unread_s[stuck]
    for group in grouped(seen, rows, by_process=False):
        if not (_limited(group) or _writes(seen, group)):
            yield _finding(seen, limits, group, unread_s[np.searchsorted(rows, group.rows)])


def _ask(seen: Observations, rows: Index) -> None:
    """For what their processes do, to be told as soon as it is found."""
    for group in grouped(seen, rows, by_process=False):
        doing.condition(seen, group.processes)


def _limited(group: ConnectionGroup) -> bool:
    """Clients that were told to read slowly, and pause meanwhile."""
    told = [any(option in each.cmdline for option in LIMITED) for each in group.processes]
    return group.listener is None and bool(told) and all(told)


def _writes(seen: Observations, group: ConnectionGroup) -> bool:
    """Jobs with a connection each that have sent something and let a child go on (inetd, ncat -e):
    the request that they were started for is not theirs to read."""
    table, rows = seen.table, group.rows
    if len(group.processes) != len(rows) or (table.recv_q[rows] > stalls.TINY).any():
        return False
    facts = [seen.facts(each) for each in group.processes]
    wait = [each is not None and (each.sleeps_in or "").startswith("do_wait") for each in facts]
    sent, came = (table.since_s(f"last_data_{way}", rows) for way in ("sent", "recv"))
    written = (table.info_of("data_segs_out", rows) > 0) & (sent <= came + AT_ONCE_S)
    return all(wait) and bool(written.all())


def _finding(seen: Observations, limits: Limits, group: ConnectionGroup, unread_s: F64) -> Finding:
    rows, longest = group.rows, float(unread_s.max())
    waiting, left_by = int(seen.table.recv_q[rows].sum()), _given_up(seen, group)
    gone = len(left_by)
    left = f", {words.count(gone, 'client has', 'clients have')} given up" if gone else ""
    return Finding(
        ID,
        group.key(ID),
        _severity(seen, group, limits, gone),
        f"{group.who} {_symptom(seen, group)}{left}: {words.size(waiting)} wait in Recv-Q on "
        f"{words.count(len(rows), 'connection')} {group.where}",
        group.subject(seen),
        {"connections": len(rows), "recv_q": waiting, "longest_s": longest}
        | ({"given_up": gone} if gone else {}),
        tuple(_evidence(seen, group, longest, left_by)),
        _advice(seen, group, longest),
        _confirm(group),
        since=seen.sample.taken_at - longest,
    )


def _severity(seen: Observations, group: ConnectionGroup, limits: Limits, gone: int) -> str:
    """Of a server that does nothing at all, all clients wait."""
    many = group.listener and len(group.rows) >= limits["critical"]
    halted = many and doing.halted(seen, group.processes)
    left = gone >= max(limits["critical"], MOSTLY * len(group.rows))
    return "critical" if halted or left else "warning"


def _given_up(seen: Observations, group: ConnectionGroup) -> Index:
    """Clients that have closed, with something unread and no answer since it came."""
    if not group.listener:
        return group.rows[:0]
    table, rows = seen.table, group.rows
    sent, came = (table.since_s(f"last_data_{way}", rows) for way in ("sent", "recv"))
    asked = (table.recv_q[rows] > 1) & (table.recv_q[rows] <= REQUEST) & (sent >= came)
    gone: Index = rows[asked & (table.state[rows] == tcp.CLOSE_WAIT)]
    return gone


def _left_unread(seen: Observations, gone: Index) -> str:
    """Where something was read before, the rest may be the end of a request that is worked on. In
    CLOSE_WAIT both numbers count the FIN."""
    table = seen.table
    if (table.info_of("bytes_received", gone) <= table.recv_q[gone]).all():
        return "the request unread"
    rest = words.size(int(table.recv_q[gone].max()) - 1)
    return f"{rest} unread" if len(gone) == 1 else f"at most {rest} unread"


def _symptom(seen: Observations, group: ConnectionGroup) -> str:
    condition = doing.condition(seen, group.processes)
    symptom = "hardly reads" if _crawled(seen, group) else "does not read"
    return f"is {condition} and {symptom}" if condition else symptom


def _crawled(seen: Observations, group: ConnectionGroup) -> float:
    """Bytes that were read all the same."""
    return float(seen.snapshot.durations.crawled[group.rows].sum())


def _advice(seen: Observations, group: ConnectionGroup, longest: float) -> str:
    remedy = doing.remedy(seen, group.processes)
    if remedy:
        return remedy
    held = servers.one_thread(group.processes) if group.listener else ""
    if held and others_answered(seen, group.rows, longest):
        return (
            f"{group.who} answers others of {group.listener} meanwhile, so its thread goes on: see "
            "what it has done with these: whether it has handed them to a child that hangs or is "
            "stopped (ps -o pid,stat,cmd --ppid "
            f"{group.processes[0].pid}), or waits before it reads them (a limit of its own)."
        )
    held = held or holdups.of_processes(seen, group.processes).advice
    if held:
        return held
    if len(_dribbling(seen, group)):
        return (
            f"{group.who} waits for clients that send their requests slowly (or on purpose: "
            "R-U-Dead-Yet): give its reads a timeout, limit the connections of one address, or put "
            "a proxy before it that takes in whole requests first."
        )
    if group.destination and len(group.rows) >= KEPT:
        return (
            f"Find why {group.who} keeps {words.count(len(group.rows), 'answer')} that it does not "
            "read: each has to be read to its end or closed (resp.Body.Close() in Go, a with block "
            "in Python), or its connection stays open. If it means to read them, find what it "
            f"waits for ({servers.stacks(group.processes)})."
            if group.processes
            else "Find who keeps these answers and does not read them."
        )
    stacks = f" ({servers.stacks(group.processes)})" if group.processes else ""
    return (
        f"Find what {group.who} waits for{stacks}: a lock, a back end, or a peer that does not "
        "read either, or that sends its request slowly. A larger net.ipv4.tcp_rmem "
        "only hides it for longer."
    )


def _evidence(
    seen: Observations, group: ConnectionGroup, longest: float, gone: Index
) -> Iterator[str]:
    table, rows = seen.table, group.rows
    who = group.in_full
    queues, time = words.count(len(rows), "receive queue"), words.duration(longest)
    crawled = _crawled(seen, group)
    most_s = " from the one that waits longest" if len(rows) > 1 else ""
    yield (
        f"{who} read {words.size(crawled)} in all from {queues} in up to {time}: at that rate it "
        "would need hours to empty any of them."
        if crawled
        else f"{who} read nothing from {queues}, for at least {time}{most_s} (bytes received less "
        "Recv-Q did not change)."
    )
    most = int(rows[table.recv_q[rows].argmax()])
    size = words.size(int(table.recv_q[most]))
    yield f"The fullest queue is from {words.remote(seen.sample, most)}: {size}."
    if len(gone):
        clients = words.count(len(gone), "of these clients has", "of these clients have")
        rest = _left_unread(seen, gone)
        yield f"{clients} given up: closed with {rest}, and no answer was sent since it came."
    shut = int((table.info_of("rcv_wnd", rows) == 0).sum())
    if shut:
        yield f"{words.count(shut, 'buffer is', 'buffers are')} full: the sender may send no more."
    slow = _dribbling(seen, group)
    if len(slow):
        yield (
            f"{words.number(len(slow))} other clients have sent a request a few bytes at a time, "
            "and there is no end and no answer yet. They are from "
            f"{ends.addresses(seen.sample, slow)}."
        )
    yield from doing.evidence(seen, group.processes)
    yield from holdups.of_processes(seen, group.processes).evidence


def _dribbling(seen: Observations, group: ConnectionGroup) -> Index:
    """Several that hold its threads, where it is a server."""
    slow = holding.dribbling(seen, group.processes) if group.listener else group.rows[:0]
    return slow if len(slow) >= DRIBBLING else slow[:0]


def _confirm(group: ConnectionGroup) -> str:
    if group.destination:
        return f"ss -tinp 'dst {group.destination}'"
    return f"ss -tinp state connected 'sport = {group.listener}'"


RULE = Rule(
    ID,
    5,
    (
        Threshold("unread_s", stalls.UNREAD_S, "seconds in which nothing was read"),
        Threshold("critical", 3, "clients that gave up, or of a stopped server: critical"),
    ),
    find,
    frozenset({Need.TCP_INFO}),
)
