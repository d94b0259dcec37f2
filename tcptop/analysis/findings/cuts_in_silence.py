"""The same at the server's end: a program of this host closes what it has accepted after the same
silence each, at ports of protocols that push (see cut_in_silence)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tcptop.analysis.findings import servers, words
from tcptop.analysis.findings.cut_in_silence import (
    ALIKE,
    LEFT_OUT,
    NEARLY_ALL,
    PUSHES_AT,
    SILENT_S,
    WATCHED_S,
    lasts,
    silent_s_of,
)
from tcptop.analysis.findings.ended import lately, remotes
from tcptop.analysis.findings.hung_up import listeners
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.subjects import named
from tcptop.model import closed as codes
from tcptop.model import tcp
from tcptop.model.closed import Closed
from tcptop.model.finding import Finding
from tcptop.model.table import F64, Bools, Index


def findings(
    id: str, seen: Observations, netns: int, seconds: float, least: int
) -> Iterator[Finding]:
    if seen.watched_s < WATCHED_S:
        return
    closed = lately(seen, seconds)
    closed = closed.take(closed.opened & (closed.netns == netns))
    if len(closed) < least:
        return
    for row in listeners(seen, netns):
        port = int(seen.table.local_port[row])
        there = closed.take(closed.local_port == port) if port in PUSHES_AT else None
        cut = there.take(_cut(there)) if there else None
        if there and cut and len(cut) >= max(least, NEARLY_ALL * len(there)):
            silent_s, open_ = np.sort(silent_s_of(cut)), _open(seen, row)
            if lasts(seen, cut.at) and _alike(seen, silent_s, open_):
                yield _finding(id, seen, row, cut, silent_s, len(open_), seconds)


def _cut(there: Closed) -> Bools:
    """In use before, and closed by this end."""
    used = (there.known("data_segs_in") > 0) & (there.known("data_segs_out") > 0)
    cut: Bools = used & (there.first == codes.HERE) & (silent_s_of(there) >= SILENT_S)
    return cut


def _open(seen: Observations, row: int) -> Index:
    table = seen.table
    here = (table.netns == table.netns[row]) & (table.local_port == table.local_port[row])
    return np.flatnonzero(here & (table.state == tcp.ESTABLISHED) & seen.accepted)


def _alike(seen: Observations, silent_s: F64, open_: Index) -> bool:
    """Nor is any silent for longer."""
    low, high = np.quantile(silent_s, [LEFT_OUT, 1 - LEFT_OUT])
    table = seen.table
    quiet = np.fmin(*(table.since_s(f"last_data_{way}", open_) for way in ("sent", "recv")))
    return bool(high <= ALIKE * low and quiet.max(initial=0.0) <= ALIKE * high)


def _finding(
    id: str,
    seen: Observations,
    row: int,
    cut: Closed,
    silent_s: F64,
    open_: int,
    seconds: float,
) -> Finding:
    listener, processes = words.local(seen.sample, row), seen.processes(row)
    low, high = (words.exactly(round(float(silent_s[at]), 1)) for at in (0, -1))
    silence = low if low == high else f"{low} to {high}"
    number, who = words.number(len(cut)), words.called(processes[0]) if processes else "the server"
    within = words.duration(min(seconds, seen.watched_s))
    return Finding(
        id,
        words.key(id, int(seen.table.netns[row]), listener, "silence"),
        "info",
        f"{servers.title(seen, row, processes)} closes connections of clients after {silence} of "
        f"silence: {number} within {within}",
        named(seen, np.array([row]), processes, listener),
        {"closed": len(cut), "open": open_},
        (
            f"{number} connections, from {remotes(cut)}, had been in use, and were closed by this "
            f"end when nothing had gone either way for {silence}: a time limit of {who}.",
            f"{words.count(open_, 'connection is', 'connections are')} open there now. The port is "
            f"usually that of {PUSHES_AT[int(seen.table.local_port[row])]}, whose clients stay "
            "connected for what comes later: each has to come anew.",
        ),
        f"If its clients should stay, raise the time limit of {who} above their pauses (timeout "
        "client, server and tunnel of haproxy, proxy_timeout of nginx), or let them ping more "
        f"often than each {low} (keep alive of MQTT, heartbeat of AMQP).",
        f"ss -Htan state time-wait '{words.served(seen.sample, row)}' | wc -l",
        since=float(cut.at.min()),
    )
