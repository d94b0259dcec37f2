"""TLS handshakes that the client breaks off: it sends its hello, gets the server's certificate, and
says no more than an alert. An unknown CA, a certificate that has expired, another name.

Whoever goes on sends at least its Finished and a request after the hello, and gets session tickets
or an answer: three segments, and more than one flight.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tcptop.analysis.dialing import WHERE, Callee
from tcptop.analysis.findings import failed_places, words
from tcptop.analysis.findings.ended import Whose, go_on, lately, whose
from tcptop.analysis.findings.how_ended import accepted
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.outcomes import moments, periodic
from tcptop.analysis.findings.unanswered import there
from tcptop.model import closed as codes
from tcptop.model import tcp
from tcptop.model.arrays import isin_ports, row_hash, rows_by_key
from tcptop.model.closed import Closed
from tcptop.model.finding import Finding, Subject
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.table import Bools, Index

PORTS = (443, 465, 636, 853, 993, 995, 5671, 6443, 6514, 8443, 8883)  # TLS from the first byte
HELLO, FLIGHT = 100, 600  # bytes, at least, of a ClientHello; of a certificate with its company
SOON_S, ALIKE = 1.5, 2.0  # of a life; bytes, of which a FIN is one
WATCHED_S, MOMENTS, BETWEEN_S = 4.75, 3, 2.0  # as of destination-failing


class BrokenOff(NamedTuple):
    callee: Callee
    seconds: float
    first_at: float
    number: int
    sent: float  # bytes of each
    came: float
    whose: Whose


def broken_off(seen: Observations, seconds: float, least: int) -> Iterator[BrokenOff]:
    if seen.watched_s < WATCHED_S:
        return
    closed = lately(seen, seconds)
    closed = closed.take(closed.opened & isin_ports(closed.remote_port, PORTS))
    closed = closed.take(~accepted(seen, closed))
    if len(closed) < least:
        return
    off = _off(closed)
    keys = row_hash(*(getattr(closed, name) for name in WHERE))
    for mine in rows_by_key(np.arange(len(closed)), keys):
        callee = Callee(*(int(getattr(closed, name)[mine[0]]) for name in WHERE))
        if len(mine) >= least and off[mine].all() and _lasts(seen, closed, mine, callee):
            yield _found(closed, mine, callee, min(seconds, seen.watched_s))


def _off(closed: Closed) -> Bools:
    sent, came = closed.known("bytes_sent"), closed.known("bytes_received")
    off = (closed.known("data_segs_out") == 2) & (sent >= HELLO) & (came >= FLIGHT)
    off &= closed.first != codes.THERE
    off &= closed.known("last_data_sent") <= SOON_S * 1000
    longer = np.fmin(closed.life_s, closed.short_s) > SOON_S  # not known of the first ones
    soon: Bools = off & ~longer
    return soon


def _lasts(seen: Observations, closed: Closed, mine: Index, callee: Callee) -> bool:
    """All alike, again and again, and none is open there that goes on; a check asks at equal
    intervals, and may want no more."""
    at = np.sort(closed.at[mine])
    spread_s, number = float(np.ptp(at)), moments(at)
    rows = there(seen, callee)
    goes_on = (seen.table.state[rows] == tcp.ESTABLISHED) & (
        seen.table.info_of("data_segs_out", rows) > 2
    )
    if goes_on.any() or periodic(at):
        return False
    alike = all(
        float(np.ptp(closed.known(name)[mine])) <= ALIKE
        for name in ("bytes_sent", "bytes_received")
    )
    on = go_on(seen.sample.taken_at - float(at[-1]), spread_s, number)
    return alike and number >= MOMENTS and spread_s >= BETWEEN_S and on


def _found(closed: Closed, mine: Index, callee: Callee, seconds: float) -> BrokenOff:
    sent, came = (float(closed.known(f"bytes_{way}")[mine].max()) for way in ("sent", "received"))
    first_at = float(closed.at[mine].min())
    return BrokenOff(callee, seconds, first_at, len(mine), sent, came, whose(closed, mine))


def finding(id: str, seen: Observations, found: BrokenOff) -> Finding:
    to, netns = failed_places.said(seen, found.callee), found.callee.netns
    held = found.whose.processes if found.whose.held else []
    names = list(dict.fromkeys(map(words.called, held)))
    who = f" (by {names[0]}{' and others' if len(names) > 1 else ''})" if names else ""
    number, within = words.number(found.number), words.duration(found.seconds)
    return Finding(
        id,
        words.key(id, netns, to, "broken off"),
        "info",
        f"All {number} connections to {to}{who} that ended within {within} were broken off here "
        "after the server's first answer",
        Subject(netns, tuple(sorted({each.pid for each in held})), destination=to, over=True),
        {"broken_off": found.number},
        (
            f"Each sent two segments, {words.number(found.sent)} bytes at most, got "
            f"{words.number(found.came)} bytes at most, and was over: as of TLS, whose client says "
            "hello, looks at the certificate, and refuses it with an alert.",
            "The network and the server work as far as that.",
        ),
        "See the log of the program that calls: an unknown CA, a certificate that has expired or "
        "is for another name, no version or cipher in common (openssl s_client -connect "
        f"{to} -servername NAME). A check that wants no more than a handshake looks the same.",
        f"timeout 10 ss -tinE 'dst {words.in_filter(to)}'",
        since=found.first_at,
    )
