"""What to do about a new connection for each request: by who calls whom, and what came back."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tcptop.analysis.dialing import Callee
from tcptop.analysis.findings import listening, parties, servers, unanswered, words
from tcptop.analysis.findings.ended import called_there, lately
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.parties import Party
from tcptop.model.closed import Closed
from tcptop.model.sample import Process

USUAL = (
    "Reuse connections: one HTTP client object for the whole process, responses read to the "
    'end, no "Connection: close"; a pool for databases; keep-alive to back ends in proxies.'
)
PROXIES = {
    "nginx": (
        "nginx opens a connection for each request to its upstream, without keep-alive: set "
        "keepalive 32; in the upstream block, and where it is used proxy_http_version 1.1; and "
        'proxy_set_header Connection "";.'
    ),
    "haproxy": (
        "Let haproxy keep connections to its servers: http-reuse safe, no option httpclose or "
        "http-server-close; and servers that allow keep-alive."
    ),
}
CLOSED_THERE = (
    'See first why the other end closes: its answers end the connection ("Connection: close"), or '
    "it turns clients away (a limit of connections, a login), which the program gets as an error."
)
NO_SYSCTL = " No sysctl fixes this: tcp_tw_reuse saves ports, not handshakes."
SMALL_POOL = (
    "Some of these connections seem to carry several requests, as their segments tell, so the "
    "server keeps them, and this end closes the others: its pool keeps fewer than it uses at a "
    "time. Let it keep as many (Go: MaxIdleConnsPerHost, which is 2 unless set; requests of "
    "Python: pool_maxsize; HttpClient of Java: maxConnPerRoute)."
)
SAID_LITTLE = (
    "See first what these clients are told: little came on each before it ended, as of an error "
    "(a login or a command that is refused, too many clients), after which a client that tries "
    "again without a pause does this. The log of the caller says it, or tcpdump -A. If they are "
    "answered well, use a pool."
)
LOGINS_AT = (5432, 3306)
LOGIN = (
    "Each of them costs the database a login, and PostgreSQL a process: let the program keep a "
    "pool of connections, or put a pooler before the database (pgbouncer, ProxySQL)."
)
LITTLE = 200.0  # bytes: a session of a database that goes well gets more, but for single values
NEARLY_ALL = 0.9  # of those that are over
LEAST = 20  # of them
REUSED = 0.02  # of them carry this many times as many segments, both ways:
TIMES = 2


def advice(
    seen: Observations, to: Callee, seconds: float, who: Sequence[Party], closed_there: bool
) -> str:
    name = parties.first_name(list(who))
    own = _calls_itself(seen, to, who)
    usual = PROXIES.get(name, USUAL) + NO_SYSCTL
    if own:
        return f"{own} {usual}"
    over = _over(seen, to, seconds)
    if to.remote_port in servers.CLIENTS_CLOSE_AT and said_little(over):
        return SAID_LITTLE + NO_SYSCTL
    if to.remote_port in LOGINS_AT and not closed_there:
        return LOGIN + NO_SYSCTL
    if not closed_there and name not in PROXIES and reused(over):
        return SMALL_POOL + NO_SYSCTL
    return f"{CLOSED_THERE} {usual}" if closed_there and name not in PROXIES else usual


def listeners(seen: Observations, to: Callee) -> list[Process]:
    """Who listens there, on this host."""
    return seen.holders(listening.taking(seen.table, to)) if unanswered.is_here(seen, to) else []


def _calls_itself(seen: Observations, to: Callee, who: Sequence[Party]) -> str:
    """Where that is so, or may be: nobody else was seen. Empty otherwise."""
    there = listeners(seen, to)
    callers = {each.process.name for each in who}
    if not there or (callers and not callers & {each.name for each in there}):
        return ""
    served, place = words.called(there[0]), unanswered.called(seen, to)
    loop = (
        f"an upstream that leads back to {place} (a name that resolves to its own "
        "address) makes many calls of each request, until a limit ends it: let it lead to "
        "the real back end"
    )
    if callers:
        return f"{served} calls itself: {loop}. Where it is meant, as of one server before another:"
    return (
        f"Both ends are on this host, where {served} listens. See whether it calls itself: {loop}. "
        "If another program calls, which lives for moments only:"
    )


def _over(seen: Observations, to: Callee, seconds: float) -> Closed:
    closed = lately(seen, seconds)
    return closed.take(closed.opened & called_there(closed, to))


def said_little(over: Closed) -> bool:
    """Something, and little, on nearly all."""
    came = over.known("bytes_received")
    little = (came > 0) & (came < LITTLE)
    return len(over) >= LEAST and bool(little.mean() >= NEARLY_ALL)


def reused(over: Closed) -> bool:
    """A few carry several requests, as many segments tell, of both ends: most carry one."""
    sent, came = (over.known(f"data_segs_{way}") for way in ("out", "in"))
    known = (sent > 0) & (came > 0)
    sent, came = sent[known], came[known]
    if len(sent) < LEAST:
        return False
    more = (sent >= TIMES * np.median(sent)) & (came >= TIMES * np.median(came))
    return bool(REUSED <= more.mean() < 1 - REUSED)
