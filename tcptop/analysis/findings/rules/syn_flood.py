"""syn-flood: SYNs come whose senders never finish the handshake."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tcptop.analysis.findings import accept_queues, servers, syn_queues, words
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.rule import Limits, Rule, Threshold
from tcptop.analysis.findings.subjects import named
from tcptop.model.finding import Finding, Subject
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.sample import Process
from tcptop.model.table import Index

ID = "syn-flood"
GOING_S = 10.0  # without a SYN in that time it is over, though what it left is kept for longer
KEPT_S = 60.0  # about how long a half-open connection is kept: tcp_synack_retries = 5 makes it 63


class Flood(NamedTuple):
    """Of one namespace. `unfinished` are rows whose SYN-ACK had to be sent again.

    `cookies_per_s` were sent and never returned. `listener` is the row that most come to, or -1.
    """

    netns: int
    unfinished: Index
    remotes: int
    cookies_per_s: float
    by_cookies: bool
    listener: int


def find(seen: Observations, limits: Limits) -> Iterator[Finding]:
    if seen.back(limits["window_s"]) is None:
        return
    half_open = syn_queues.half_open(seen)
    unfinished = _unexplained(seen, half_open[seen.table.retrans[half_open] > 0])
    for kernel in seen.sample.kernel:
        here = half_open[seen.table.netns[half_open] == kernel.netns]
        if not len(here) and not seen.rate(kernel.netns, "SyncookiesSent", limits["window_s"]):
            continue
        mine = unfinished[seen.table.netns[unfinished] == kernel.netns]
        flood = _flood(seen, limits, kernel.netns, here, mine)
        going = _going(seen, limits, kernel.netns, here)
        if flood.by_cookies or (going and _many(seen, limits, flood)):
            yield _finding(seen, flood)


def _unexplained(seen: Observations, rows: Index) -> Index:
    """Without those whose last ACK may have been dropped: their listener's queue was full."""
    if not len(rows):
        return rows
    queues = accept_queues.accept_queues(seen)
    full = queues.group[queues.full | (queues.lost_per_s > 0)]
    explained = queues.row[np.isin(queues.group, full)]
    return rows[~np.isin(seen.snapshot.queue[rows], explained)]


def _flood(
    seen: Observations, limits: Limits, netns: int, half_open: Index, unfinished: Index
) -> Flood:
    sent, returned = (
        seen.rate(netns, name, limits["window_s"]) or 0.0
        for name in ("SyncookiesSent", "SyncookiesRecv")
    )
    unreturned = max(sent - returned, 0.0)
    queue = seen.snapshot.queue[half_open]
    return Flood(
        netns,
        unfinished,
        syn_queues.remotes(seen, unfinished),
        unreturned,
        unreturned > limits["cookies_per_s"],
        int(np.bincount(queue[queue >= 0]).argmax()) if (queue >= 0).any() else -1,
    )


def _going(seen: Observations, limits: Limits, netns: int, half_open: Index) -> bool:
    """Whether SYNs still come: as new rows, or to a full queue."""
    young = syn_queues.age_s(seen, half_open) < GOING_S
    answer = syn_queues.answer(seen, netns, limits["window_s"])
    return bool(young.any()) or max(answer) > 0


def _many(seen: Observations, limits: Limits, flood: Flood) -> bool:
    """Of a busy public server some clients always vanish: then only a share of them counts."""
    opened = seen.rate(flood.netns, "PassiveOpens", limits["window_s"]) or 0.0
    most = max(limits["half_open"], limits["share"] * opened * KEPT_S)
    return len(flood.unfinished) >= most and flood.remotes >= limits["half_open"]


def _finding(seen: Observations, flood: Flood) -> Finding:
    processes: list[Process] = []
    if flood.listener >= 0:
        processes = accept_queues.processes(seen, np.array([flood.listener]))
    return Finding(
        ID,
        words.key(ID, flood.netns),
        "critical",
        _title(seen, flood, processes),
        _subject(seen, flood, processes),
        {
            "half_open": len(flood.unfinished),
            "remotes": flood.remotes,
            "cookies_per_s": flood.cookies_per_s,
        },
        (*_silent(seen, flood), *_evidence(seen, flood)),
        _advice(seen, flood.netns),
        "ss -tn state syn-recv; nstat -az TcpExtSyncookiesSent TcpExtSyncookiesRecv "
        "TcpExtTCPReqQFullDoCookies TcpExtListenDrops",
        effect=f"{words.count(len(flood.unfinished), 'half-open connection')} at "
        f"{_where(seen, flood, processes)} do not complete the handshake",
        guesses=_silent(seen, flood),
    )


def _where(seen: Observations, flood: Flood, processes: list[Process]) -> str:
    return servers.title(seen, flood.listener, processes) if flood.listener >= 0 else "this host"


def _silent(seen: Observations, flood: Flood) -> tuple[str, ...]:
    """Where the accept queue is full they have answered, and were not heard."""
    if not len(flood.unfinished):
        return ()
    return (
        f"{words.count(len(flood.unfinished), 'half-open connection')} from "
        f"{syn_queues.senders(seen, flood.unfinished)} did not answer the SYN-ACK, which was "
        "retransmitted.",
    )


def _title(seen: Observations, flood: Flood, processes: list[Process]) -> str:
    where = _where(seen, flood, processes)
    if flood.by_cookies:
        rate = words.number(flood.cookies_per_s)
        one = syn_queues.sender(seen, flood.unfinished)
        source = f", most from {one}" if one else ""
        return f"SYN flood against {where}: {rate} handshakes/s never completed{source}"
    return (
        f"SYN flood against {where} (suspected): {words.number(flood.remotes)} addresses do not "
        "complete the handshake"
    )


def _subject(seen: Observations, flood: Flood, processes: list[Process]) -> Subject:
    if flood.listener < 0 and not len(flood.unfinished):
        return Subject(flood.netns)
    rows, where = flood.unfinished, None
    if flood.listener >= 0:
        rows, where = np.append(flood.listener, rows), words.local(seen.sample, flood.listener)
    return named(seen, rows, processes, where)


def _evidence(seen: Observations, flood: Flood) -> Iterator[str]:
    if flood.cookies_per_s > 0:
        yield (
            f"{words.number(flood.cookies_per_s)} SYN cookies/s were sent and never came "
            "back (SyncookiesSent - SyncookiesRecv)."
        )
    cookies = seen.sysctl(flood.netns, syn_queues.COOKIES)
    if cookies is not None:
        works = (
            "SYNs are dropped once the queue is full"
            if cookies == 0
            else "clients still get through"
        )
        yield f"{syn_queues.COOKIES} = {cookies}: {works}."


def _advice(seen: Observations, netns: int) -> str:
    cookies = ""
    if seen.sysctl(netns, syn_queues.COOKIES) == 0:
        cookies = f"Enable cookies at once: sysctl -w {syn_queues.COOKIES}=1 (now 0). "
    return (
        f"{cookies}If the senders are real clients, the path back to them is broken: check routing "
        "and firewalls. Forged SYNs are filtered upstream (provider, firewall, SYN proxy); cookies "
        "keep the service reachable meanwhile."
    )


RULE = Rule(
    ID,
    2,
    (
        Threshold("window_s", 2, "seconds of watching"),
        Threshold("cookies_per_s", 50, "SYN cookies a second that are not returned"),
        Threshold("half_open", 16, "unanswered SYN-ACKs, and addresses that they went to"),
        Threshold("share", 0.01, "share of a minute's new connections that may be unanswered"),
    ),
    find,
)
