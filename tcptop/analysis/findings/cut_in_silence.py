"""Connections that are kept for what comes later, and that the other end closes after the same
silence each: a time limit there or at a proxy, which is shorter than the pauses of the protocol.

A server of HTTP closes idle connections as a rule, and nobody misses them. At ports of protocols
that push, the client has to come anew, and what was to be pushed meanwhile is late or lost.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tcptop.analysis.dialing import WHERE, Callee
from tcptop.analysis.findings import failed_places, unanswered, words
from tcptop.analysis.findings.ended import Whose, go_on, lately, whose
from tcptop.analysis.findings.how_ended import FINE, closed_first, how_ended
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.outcomes import moments
from tcptop.model import tcp
from tcptop.model.arrays import isin_ports, row_hash, rows_by_key
from tcptop.model.closed import Closed
from tcptop.model.finding import Finding, Subject
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.table import F64, Bools, Index

PUSHES_AT = {
    1883: "MQTT",
    4222: "NATS",
    5222: "XMPP",
    5671: "AMQP",
    5672: "AMQP",
    8883: "MQTT",
    61613: "STOMP",
}
SILENT_S = 1.0  # or longer, at their end
NEARLY_ALL, ALIKE, LEFT_OUT = 0.9, 1.1, 0.1
WATCHED_S, MOMENTS, BETWEEN_S = 4.75, 3, 2.0  # as of destination-failing


class InSilence(NamedTuple):
    """`silent_s`, sorted: for how long nothing had gone either way when the other end closed."""

    callee: Callee
    seconds: float
    first_at: float
    silent_s: F64
    open_: int
    whose: Whose


def in_silence(seen: Observations, seconds: float, least: int) -> Iterator[InSilence]:
    if seen.watched_s < WATCHED_S:
        return
    closed = lately(seen, seconds)
    if len(closed) < least:
        return
    closed = closed.take(closed.opened & isin_ports(closed.remote_port, PUSHES_AT))
    if len(closed) < least:
        return
    cut = _cut(seen, closed)
    for there in rows_by_key(
        np.arange(len(closed)), row_hash(*(getattr(closed, n) for n in WHERE))
    ):
        mine = there[cut[there]]
        if len(mine) >= max(least, NEARLY_ALL * len(there)) and lasts(seen, closed.at[mine]):
            found = _found(seen, closed, mine, min(seconds, seen.watched_s))
            if found:
                yield found


def _cut(seen: Observations, closed: Closed) -> Bools:
    there = closed_first(seen, closed)[1]
    answered = closed.known("data_segs_in") > 0
    cut: Bools = there & answered & (how_ended(seen, closed) == FINE)
    return cut & (silent_s_of(closed) >= SILENT_S)


def silent_s_of(closed: Closed) -> F64:
    sent, came = (closed.known(f"last_data_{way}") for way in ("sent", "recv"))
    silent_s: F64 = np.fmin(sent, came) / 1000
    return silent_s


def lasts(seen: Observations, at: F64) -> bool:
    spread_s, ago_s = float(np.ptp(at)), seen.sample.taken_at - float(at.max())
    number = moments(np.sort(at))
    return number >= MOMENTS and spread_s >= BETWEEN_S and go_on(ago_s, spread_s, number)


def _found(seen: Observations, closed: Closed, mine: Index, seconds: float) -> InSilence | None:
    """None where they were silent for times that differ, or others there are for longer."""
    callee = Callee(*(int(getattr(closed, name)[mine[0]]) for name in WHERE))
    silent_s = np.sort(silent_s_of(closed)[mine])
    low, high = np.quantile(silent_s, [LEFT_OUT, 1 - LEFT_OUT])
    table, rows = seen.table, unanswered.there(seen, callee)
    rows = rows[~seen.accepted[rows] & (table.state[rows] == tcp.ESTABLISHED)]
    quiet = np.fmin(*(table.since_s(f"last_data_{way}", rows) for way in ("sent", "recv")))
    if high > ALIKE * low or quiet.max(initial=0.0) > ALIKE * high:
        return None
    first_at = float(closed.at[mine].min())
    return InSilence(callee, seconds, first_at, silent_s, len(rows), whose(closed, mine))


def finding(id: str, seen: Observations, found: InSilence) -> Finding:
    to, netns = failed_places.said(seen, found.callee), found.callee.netns
    names = list(dict.fromkeys(map(words.called, found.whose.processes)))
    who = f" of {names[0]}{' and others' if len(names) > 1 else ''}" if names else ""
    low, high = (words.exactly(round(float(found.silent_s[at]), 1)) for at in (0, -1))
    silence = low if low == high else f"{low} to {high}"
    number = words.number(len(found.silent_s))
    pids = tuple(sorted({each.pid for each in found.whose.processes}))
    return Finding(
        id,
        words.key(id, netns, to, "silence"),
        "info",
        f"{to} closes connections{who} after {silence} of silence: {number} within "
        f"{words.duration(found.seconds)}",
        Subject(netns, pids, destination=to, over=True),
        {"closed": len(found.silent_s), "open": found.open_},
        (
            f"{number} connections there had been answered, and were closed by the other end when "
            f"nothing had gone either way for {silence}: a time limit.",
            f"{words.count(found.open_, 'connection is', 'connections are')} open there now. The "
            f"port is usually that of {PUSHES_AT[found.callee.remote_port]}, whose clients stay "
            "connected for what comes later: each has to come anew.",
        ),
        "Find the time limit there, or on the way (timeout client, server and tunnel of haproxy, "
        "proxy_timeout of nginx, the idle timeout of a load balancer), and set it above the pauses "
        f"of the clients; or let these ping more often than each {low} (keep alive of MQTT, "
        "heartbeat of AMQP).",
        f"timeout 10 ss -tinE 'dst {words.in_filter(to)}'; nstat -az TcpActiveOpens",
        since=found.first_at,
    )
