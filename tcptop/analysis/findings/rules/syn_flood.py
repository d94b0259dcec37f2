"""syn-flood: SYNs come whose senders never finish the handshake."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from tcptop.analysis.findings import accept_queues, servers, syn_queues, words
from tcptop.analysis.findings.look import Look
from tcptop.analysis.findings.rule import Limits, Rule, Threshold
from tcptop.analysis.findings.subjects import named
from tcptop.model.finding import Finding, Subject
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


def find(look: Look, limits: Limits) -> Iterator[Finding]:
    if look.back(limits["window_s"]) is None:
        return
    half_open = syn_queues.half_open(look)
    unfinished = _unexplained(look, half_open[look.table.retrans[half_open] > 0])
    for kernel in look.sample.kernel:
        here = half_open[look.table.netns[half_open] == kernel.netns]
        mine = unfinished[look.table.netns[unfinished] == kernel.netns]
        flood = _flood(look, limits, kernel.netns, here, mine)
        going = _going(look, limits, kernel.netns, here)
        if flood.by_cookies or (going and _many(look, limits, flood)):
            yield _finding(look, flood)


def _unexplained(look: Look, rows: Index) -> Index:
    """Without those whose last ACK may have been dropped: their listener's queue was full."""
    if not len(rows):
        return rows
    queues = accept_queues.accept_queues(look)
    full = queues.group[queues.full | (queues.lost_per_s > 0)]
    explained = queues.row[np.isin(queues.group, full)]
    return rows[~np.isin(look.snapshot.queue[rows], explained)]


def _flood(look: Look, limits: Limits, netns: int, half_open: Index, unfinished: Index) -> Flood:
    sent, returned = (
        look.rate(netns, name, limits["window_s"]) or 0.0
        for name in ("SyncookiesSent", "SyncookiesRecv")
    )
    unreturned = max(sent - returned, 0.0)
    queue = look.snapshot.queue[half_open]
    return Flood(
        netns,
        unfinished,
        syn_queues.remotes(look, unfinished),
        unreturned,
        unreturned > limits["cookies_per_s"],
        int(np.bincount(queue[queue >= 0]).argmax()) if (queue >= 0).any() else -1,
    )


def _going(look: Look, limits: Limits, netns: int, half_open: Index) -> bool:
    """Whether SYNs still come: as new rows, or to a full queue."""
    young = syn_queues.age_s(look, half_open) < GOING_S
    answer = syn_queues.answer(look, netns, limits["window_s"])
    return bool(young.any()) or max(answer) > 0


def _many(look: Look, limits: Limits, flood: Flood) -> bool:
    """Of a busy public server some clients always vanish: then only a share of them counts."""
    opened = look.rate(flood.netns, "PassiveOpens", limits["window_s"]) or 0.0
    most = max(limits["half_open"], limits["share"] * opened * KEPT_S)
    return len(flood.unfinished) >= most and flood.remotes >= limits["half_open"]


def _finding(look: Look, flood: Flood) -> Finding:
    people: list[Process] = []
    if flood.listener >= 0:
        people = accept_queues.people(look, np.array([flood.listener]))
    return Finding(
        ID,
        words.key(ID, flood.netns),
        "critical",
        _title(look, flood, people),
        _subject(look, flood, people),
        {
            "half_open": len(flood.unfinished),
            "remotes": flood.remotes,
            "cookies_per_s": flood.cookies_per_s,
        },
        tuple(_evidence(look, flood)),
        _advice(look, flood.netns),
        "ss -tn state syn-recv; nstat -az TcpExtSyncookiesSent TcpExtSyncookiesRecv "
        "TcpExtTCPReqQFullDoCookies TcpExtListenDrops",
    )


def _title(look: Look, flood: Flood, people: list[Process]) -> str:
    where = servers.title(look, flood.listener, people) if flood.listener >= 0 else "this host"
    if flood.by_cookies:
        rate = words.number(flood.cookies_per_s)
        return f"SYN flood against {where}: {rate} handshakes/s are never finished"
    return (
        f"SYN flood against {where} (suspected): {words.number(flood.remotes)} addresses never "
        "finish the handshake"
    )


def _subject(look: Look, flood: Flood, people: list[Process]) -> Subject:
    if flood.listener < 0 and not len(flood.unfinished):
        return Subject(flood.netns)
    rows, where = flood.unfinished, None
    if flood.listener >= 0:
        rows, where = np.append(flood.listener, rows), words.local(look.table, flood.listener)
    return named(look, rows, people, where)


def _evidence(look: Look, flood: Flood) -> Iterator[str]:
    if len(flood.unfinished):
        yield (
            f"{words.count(len(flood.unfinished), 'half-open connection')} from "
            f"{words.count(flood.remotes, 'address', 'addresses')} had to be sent the SYN-ACK "
            "again: nobody answered it."
        )
    if flood.cookies_per_s > 0:
        yield (
            f"{words.number(flood.cookies_per_s)} SYN cookies/s were sent and not returned "
            "(SyncookiesSent less SyncookiesRecv)."
        )
    cookies = look.sysctl(flood.netns, syn_queues.COOKIES)
    if cookies is not None:
        works = "SYNs are dropped once the queue is full" if cookies == 0 else "clients get through"
        yield f"{syn_queues.COOKIES} = {cookies}: {works}."


def _advice(look: Look, netns: int) -> str:
    cookies = ""
    if look.sysctl(netns, syn_queues.COOKIES) == 0:
        cookies = f"Switch cookies on at once: sysctl -w {syn_queues.COOKIES}=1 (now 0). "
    return (
        f"{cookies}Where the senders are real clients, their way back is broken: see routing and "
        "firewalls. Forged ones are filtered before this host (provider, firewall, SYN proxy); "
        "cookies keep the service reachable meanwhile."
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
