"""Connections that a server ends within moments of accepting them, by the kernel's notices: with an
error of a few bytes, or without a byte.

A server that answers and closes (HTTP/1.0, a connection that is not kept) looks the same as one
that sends an error: the protocol must be known. Who closes first does not tell: a client that
reads an error closes at once, and is the first as often as not; after a health check it always is.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tcptop.analysis import stalls
from tcptop.analysis.findings import servers
from tcptop.analysis.findings.ended import go_on, lately
from tcptop.analysis.findings.hung_up import listeners, over_soon, staying
from tcptop.analysis.findings.observations import Observations
from tcptop.model import closed as codes
from tcptop.model.arrays import isin_codes
from tcptop.model.closed import Closed
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.table import F64, Bools, Index

LATELY_S = 30.0  # within which they count
FEW_BYTES = 300.0  # of an error
SOME = 0.2  # of those that brought no more than an error
OFTEN_PER_S = 0.5  # pg_isready is told of an unknown role too, and a server that says so is up
BETWEEN_S = 2.0  # as of destination-failing
SSL_REQUEST = 8  # bytes, "F/Message Formats" of PostgreSQL's manual
PARTLY, MOSTLY = 0.2, 0.8


class Turned(NamedTuple):
    """Of the `every` connections of a listener (`row`) that came or ended in the last `seconds`,
    `checks` apart, those that its program ended at once, after at most `most_bytes`, whose notices
    are `ended`; `staying` as in HungUp. `asked`: all had sent something."""

    row: int
    every: int
    seconds: float
    ended: Closed
    staying: Index
    asked: bool
    checks: int = 0

    @property
    def number(self) -> int:
        return len(self.ended)

    @property
    def most_bytes(self) -> float:
        return float(self.ended.known("bytes_sent").max())

    @property
    def mute(self) -> bool:
        return self.most_bytes == 0

    @property
    def without_tls(self) -> bool:
        return bool(without_tls(self.ended).all())

    @property
    def first(self) -> int:
        """Those that this end closed first; of resets it is not told."""
        return int(np.count_nonzero(self.ended.first == codes.HERE))

    @property
    def reset(self) -> int:
        return int(np.count_nonzero(self.ended.reset == codes.YES))


def turned(seen: Observations, netns: int, least: int, share: float) -> Iterator[Turned]:
    """Listeners whose programs do so with `share` of what came, and with `least` or more."""
    seconds = min(LATELY_S, seen.watched_s)
    closed = lately(seen, seconds)
    if len(closed) < least:
        return
    closed = closed.take(closed.opened & (closed.netns == netns))
    at_once = over_soon(closed) & (closed.reset != codes.UNKNOWN)
    if np.count_nonzero(at_once) < least:
        return
    table, stay = seen.table, np.flatnonzero(staying(seen, netns, seconds) & seen.accepted)
    for row in listeners(seen, netns):
        there = stay[table.local_port[stay] == table.local_port[row]]
        mine = closed.local_port == table.local_port[row]
        ended = closed.take(mine & at_once)
        if len(ended) < least or not _goes_on(seen, ended.at):
            continue
        few = _turned_away(seen, row, ended)
        limit = servers.error_at_once(seen.processes(row))
        said = limit.said if limit and not limit.asked else 0
        unread = _unread(seen, netns, seconds, ended, said)
        every = int(np.count_nonzero(mine)) + _young(seen, row, seconds)
        checks = int(np.count_nonzero(_checks(ended) & ~few))
        every -= checks
        partly = unread.any() and len(ended) >= PARTLY * every
        if partly:
            few |= unread
        plain = np.zeros(len(few), bool)
        if limit and limit.asked <= 1:  # it speaks first, so that no login is refused
            plain = few & _plainly(ended, limit)
        if np.count_nonzero(few) < share * every <= np.count_nonzero(plain) * share / PARTLY:
            few, partly = plain, True
        if np.count_nonzero(few) >= max(least, (PARTLY if partly else share) * every):
            told = ended.take(few)
            asked = bool((told.known("data_segs_in") > 0).all())
            yield Turned(row, every, seconds, told, there, asked, checks)


def _turned_away(seen: Observations, row: int, ended: Closed) -> Bools:
    """This end closed first and had sent nothing, or it sent an error."""
    turned: Bools = (ended.known("data_segs_out") == 0) & (ended.first == codes.HERE)
    limit = servers.error_at_once(seen.processes(row))
    if limit:
        turned |= with_error(ended, limit, ended.first == codes.HERE, here=True)
    if limit and limit.asks_for_tls:
        turned |= without_tls(ended)
    return turned


def _plainly(ended: Closed, limit: servers.AtOnce) -> Bools:
    """This end said something and closed first, in order or with what had come unread: where its
    clients do so if all is well, that is plain, also while others get in, as at a limit that is met
    again and again."""
    unread = (ended.reset == codes.YES) & limit.resets
    plainly: Bools = ((ended.first == codes.HERE) | unread) & (ended.known("data_segs_out") > 0)
    return plainly


def _checks(ended: Closed) -> Bools:
    """Who asked for nothing, and left without having read what was said: a look whether somebody
    is there, as balancers take, tells nothing of how others are served."""
    left = (ended.reset == codes.YES) | (ended.first == codes.THERE)
    checks: Bools = left & (ended.known("data_segs_in") == 0)
    return checks


def without_tls(ended: Closed) -> Bools:
    """An SSLRequest of 8 bytes was answered with one, N, and the client went: it insists on TLS.
    Who does not goes on, on the same connection (libpq, sslmode=prefer)."""
    asked = np.isin(ended.known("bytes_received"), (SSL_REQUEST, SSL_REQUEST + 1))  # and the FIN
    refused: Bools = asked & (ended.known("bytes_sent") == 1)
    return refused


def _unread(seen: Observations, netns: int, seconds: float, ended: Closed, said: int) -> Bools:
    """Closed by this end with what had come unread, and nothing sent, or no more than the error of
    a server that asks nobody first (`said`, segments): its kernel resets those, and counts them
    (tcp_close, net/ipv4/tcp.c), of all the namespace. It is no answer, and no check. After a
    shutdown() the FIN may have been acknowledged before."""
    ended_so = (ended.reset == codes.YES) | (ended.first == codes.UNTOLD)
    unread = ended_so & (ended.first != codes.THERE)
    unread &= (ended.known("data_segs_out") <= said) & (ended.known("data_segs_in") > 0)
    grown = seen.grown(netns, "TCPAbortOnClose", seconds)
    counted = grown is not None and grown[0] >= MOSTLY * np.count_nonzero(unread)
    return unread if counted else np.zeros(len(ended), bool)


def with_error(ended: Closed, limit: servers.AtOnce, by_server: Bools, here: bool) -> Bools:
    """Those that brought no more than an error, where the server has closed some of them first, or
    where so many bytes are an error, more often than somebody checks. `here`: it is at this end."""
    ways = ("out", "in") if here else ("in", "out")
    said, asked = (ended.known(f"data_segs_{way}") for way in ways)
    sent = ended.known("bytes_sent" if here else "bytes_received")
    few = (said > 0) & (said <= limit.said) & (asked <= limit.asked)
    few &= (sent > 0) & (sent <= FEW_BYTES)
    few &= (asked == 0) | (ended.known("bytes_received" if here else "bytes_sent") >= limit.login)
    broken = (ended.reset == codes.YES) & (limit.resets & (asked > 0))
    few &= ended.opened & over_soon(ended) & (broken | (ended.reset == codes.NO))
    first = np.count_nonzero(few & (broken | by_server))
    if first >= SOME * np.count_nonzero(few):
        return few
    errors: Bools = few & (sent >= limit.error)
    often = (
        OFTEN_PER_S * float(np.ptp(ended.at[errors])) if errors.any() and limit.error else np.inf
    )
    return errors & (np.count_nonzero(errors) >= often)


def _young(seen: Observations, row: int, seconds: float) -> int:
    """Those that came meanwhile and are open, and accepted."""
    table = seen.table
    young = (table.netns == table.netns[row]) & (table.local_port == table.local_port[row])
    young &= (seen.snapshot.seen_s < seconds * 0.95) & seen.accepted & (table.inode != 0)
    return int(np.count_nonzero(young & isin_codes(table.state, stalls.TALKING)))


def _goes_on(seen: Observations, at: F64) -> bool:
    """Not one burst, and not over: the next is not overdue."""
    spread_s, ago_s = float(at.max() - at.min()), seen.sample.taken_at - float(at.max())
    return spread_s >= BETWEEN_S and go_on(ago_s, spread_s, len(at))
