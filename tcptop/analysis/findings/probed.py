"""Idle connections whose keepalive probes nobody answers: the other end is gone, or the way to it.

Each answer sets the number of probes back (tcp_ack, net/ipv4/tcp_input.c), so that one may be under
way and two are not.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import numpy as np

from tcptop.analysis import stalls
from tcptop.analysis.findings import lost, parties, servers, words
from tcptop.analysis.findings.lost import Lost
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.rule import Limits
from tcptop.analysis.findings.subjects import named
from tcptop.model import tcp
from tcptop.model.arrays import isin_codes, row_hash, rows_by_key
from tcptop.model.finding import Finding
from tcptop.model.table import F64, Index

MOST = 20  # networks
LOST = "keepalive"  # in keys


def findings(rule: str, seen: Observations, limits: Limits) -> Iterator[Finding]:
    table = seen.table
    idle = (table.timer == tcp.KEEPALIVE) & (table.retrans >= limits["probes"])
    rows = np.flatnonzero(idle & (table.send_q == 0) & isin_codes(table.state, stalls.TALKING))
    if not len(rows):
        return
    for_s = _unanswered_s(seen, rows)
    silent = for_s > limits["unanswered_s"]
    found = lost.lost(seen, rows[silent], for_s[silent], limits["clients"])
    for each in islice(found, MOST):
        yield _finding(rule, seen, limits, each)


def _unanswered_s(seen: Observations, rows: Index) -> F64:
    """At least, since the first of them was sent. What lies between two is no part of a dump: as
    long as the longest that is left of it, of those at one end, who have it from one program."""
    table = seen.table
    left_s = table.expires[rows] / 1000
    between_s = np.zeros(len(rows))
    local = row_hash(table.netns[rows], table.local_port[rows])
    remote = row_hash(table.netns[rows], table.remote_port[rows])
    keys = np.where(seen.accepted[rows], local, remote)
    for mine in rows_by_key(np.arange(len(rows)), keys):
        between_s[mine] = left_s[mine].max()
    waited = table.retrans[rows] * between_s - left_s
    return np.fmin(waited, table.since_s("last_ack_recv", rows))


def _severity(found: Lost, limits: Limits) -> str:
    few = found.listener >= 0 and found.share < limits["clients"]
    return "info" if few or len(found.rows) < limits["many"] else "warning"


def _finding(rule: str, seen: Observations, limits: Limits, found: Lost) -> Finding:
    rows, table = found.rows, seen.table
    silence = table.since_s("last_ack_recv", rows)
    who = parties.parties(seen, rows)
    left, of = _gives_up(seen, rows)
    port = words.port(table, found.listener) if found.listener >= 0 else ""
    listener = words.local(seen.sample, found.listener) if found.listener >= 0 else None
    return Finding(
        rule,
        words.key(rule, int(table.netns[rows[0]]), found.place, port, LOST),
        _severity(found, limits),
        _title(seen, found, who),
        named(
            seen, rows, [each.process for each in who], listener, None if listener else found.where
        ),
        {
            "connections": len(rows),
            "answering": found.answering,
            "keepalive_probes": int(table.retrans[rows].max()),
            "longest_s": float(silence.max()),
        }
        | ({} if left is None else {"give_up_in_s": left}),
        tuple(_evidence(seen, found, who, left, of)),
        _advice(seen, found),
        f"ss -tno state established 'dst {words.in_filter(found.where)}' | grep keepalive",
        since=seen.sample.taken_at - float(found.for_s.max()),
    )


def _title(seen: Observations, found: Lost, who: list[parties.Party]) -> str:
    number, probes = len(found.rows), int(seen.table.retrans[found.rows].max())
    many, of = words.count(number, "connection"), parties.first_name(who)
    place = f"to {found.where}"
    if found.listener >= 0:
        place = f"from {found.where} on {servers.where(seen.sample, found.listener)}"
    not_ = "does not answer" if number == 1 else "do not answer"
    up_to = "" if number == 1 else "up to "
    sent = f"{up_to}{words.count(probes, 'keepalive probe')}"
    return f"{many}{f' of {of}' if of else ''} {place} {not_}: {sent} sent in vain"


def _evidence(
    seen: Observations,
    found: Lost,
    who: list[parties.Party],
    left: float | None,
    of: int | None,
) -> Iterator[str]:
    table, rows = seen.table, found.rows
    silence, sent = table.since_s("last_ack_recv", rows), table.retrans[rows]
    number, least, most = len(rows), int(sent.min()), int(sent.max())
    probes = words.number(most) if least == most else f"{least} to {most}"
    low, high = (words.duration(float(each)) for each in (silence.min(), silence.max()))
    span = f"for {low}" if low == high else f"for between {low} and {high}"
    yield (
        f"{words.count(number, 'connection')}, idle with nothing in Send-Q, "
        f"{'has' if number == 1 else 'have'} got no answer to {probes} "
        f"probe{'' if most == 1 else 's'} in a row (timer keepalive); nothing has come {span}."
    )
    if found.answering:
        where = "of this listener" if found.listener >= 0 else "there"
        yield (
            f"{words.count(found.answering, 'other connection')} {where} had an answer "
            "meanwhile: not everything is lost."
        )
    if found.listener >= 0:
        yield (
            f"That is {words.number(number)} of "
            f"{words.count(found.clients, 'connection')} of this listener."
        )
    if who:
        yield f"{'They belong' if number > 1 else 'It belongs'} to {parties.listed(who)}."
    if left is not None:
        yield (
            f"The kernel ends the first in about {words.duration(left)}, after {of} probes "
            "(TCP_KEEPCNT); until then its program keeps it."
        )


def _gives_up(seen: Observations, rows: Index) -> tuple[float | None, int | None]:
    """Until the first ends, and after how many probes, where its options could be read
    (tcp_keepalive_timer, net/ipv4/tcp_timer.c)."""
    table = seen.table
    row = int(rows[np.lexsort((table.expires[rows], -table.retrans[rows].astype(np.int64)))[0]])
    options = seen.options(row)
    if options is None or options.user_timeout_ms:
        return None, None
    between, of = options.keepintvl_s, options.keepcnt
    if between is None or of is None:
        return None, None
    more = max(of - int(table.retrans[row]), 0)
    return float(table.expires[row]) / 1000 + more * between, of


def _advice(seen: Observations, found: Lost) -> str:
    if found.listener >= 0:
        return (
            f"Look whether {found.where} is up: a host that is switched off, reclaimed or cut off "
            "does not close. Until keepalive ends its connections they hold sessions, locks and "
            "connection limits of the server: end them there (in PostgreSQL "
            "pg_terminate_backend), and shorten the keepalive of accepted connections "
            "(TCP_KEEPIDLE, TCP_KEEPINTVL, TCP_KEEPCNT; most servers have an option for it)."
        )
    return (
        f"Look whether {found.where} is up and still knows these connections: a host that is gone, "
        "or a firewall or NAT that has dropped them. Let the pool check a connection before it "
        "is used, and keep TCP_KEEPIDLE below the idle timeout of what is on the path."
    )
