"""Answers that a reset ends half-way, at a place whose other answers are all about as long.

Of an answer only its program knows when it is whole, and some servers reset what they have answered
whole: where all others brought about as much, and these less, each another part of it, they were
not. What this host itself has reset, as it wanted no more, is none of it.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tcptop.analysis.dialing import WHERE, Callee
from tcptop.analysis.findings import failed_places, words
from tcptop.analysis.findings.ended import Whose, go_on, lately, whose
from tcptop.analysis.findings.how_ended import accepted
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.outcomes import moments
from tcptop.model import closed as codes
from tcptop.model import owner
from tcptop.model.arrays import row_hash, rows_by_key
from tcptop.model.closed import Closed
from tcptop.model.finding import Finding, Subject
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.table import F64, Index

WHOLE, PLACES = 5, 20  # answers that came; destinations
ALIKE, OTHERS = 1.1, 1.3  # the longest whole one by the shortest; of torn ones that differ
MOSTLY = 0.8  # of the resets, that brought less than the others
OWN, AS_MANY = 0.5, 0.5  # of the torn ones, resets of this host
WATCHED_S, MOMENTS, BETWEEN_S = 4.75, 3, 2.0  # as of destination-failing
AT_TIMES = 0.03  # of the answers, from which it is a warning
OF_SOCKETS = ("TCPAbortOnClose", "TCPAbortOnData")


class Torn(NamedTuple):
    """Bytes of those that were torn, and of those that came whole. `unasked`: resets that this host
    has sent meanwhile for no socket of its own."""

    callee: Callee
    seconds: float
    first_at: float
    torn: F64
    whole: F64
    unasked: float
    resets: float
    whose: Whose

    @property
    def share(self) -> float:
        return len(self.torn) / (len(self.torn) + len(self.whole))


def torn(seen: Observations, seconds: float, least: int) -> Iterator[Torn]:
    if seen.watched_s < WATCHED_S:
        return
    closed = lately(seen, seconds)
    if not len(closed):
        return
    came = closed.opened & (closed.known("bytes_received") > 0)
    closed = closed.take(came & ~accepted(seen, closed))
    broken = np.flatnonzero((closed.reset == codes.YES) & (closed.first != codes.HERE))
    keys = row_hash(*(getattr(closed, name) for name in WHERE))
    for mine in list(rows_by_key(broken, keys[broken]))[:PLACES]:
        if len(mine) < least:
            return
        whole = np.flatnonzero((keys == keys[mine[0]]) & (closed.reset == codes.NO))
        found = _torn(seen, closed, mine, whole, min(seconds, seen.watched_s))
        if found and len(found.torn) >= least:
            yield found


def _torn(
    seen: Observations, closed: Closed, broken: Index, whole: Index, seconds: float
) -> Torn | None:
    sizes = closed.known("bytes_received")
    if len(whole) < WHOLE or not _alike(sizes[whole], ALIKE):
        return None
    some = broken[sizes[broken] < np.quantile(sizes[whole], 0.1) / ALIKE]
    if len(some) < max(MOSTLY * len(broken), 1) or _alike(sizes[some], OTHERS):
        return None
    at = np.sort(closed.at[some])
    spread_s, number = float(at[-1] - at[0]), moments(at)
    on = go_on(seen.sample.taken_at - float(at[-1]), spread_s, number)
    if number < MOMENTS or spread_s < BETWEEN_S or not on:
        return None
    to = Callee(*(int(getattr(closed, name)[some[0]]) for name in WHERE))
    resets, own = (
        sum(seen.surely_grown(to.netns, name, seconds) for name in names)
        for names in (("OutRsts",), OF_SOCKETS)
    )
    if own >= OWN * len(some):
        return None
    unasked = resets - own - seen.surely_grown(to.netns, "AttemptFails", seconds)
    rows = np.concatenate([some, whole])
    people = whose(closed, rows[closed.note[rows] == owner.HELD])
    return Torn(to, seconds, float(at[0]), sizes[some], sizes[whole], unasked, resets, people)


def _alike(sizes: F64, by: float) -> bool:
    low, high = np.quantile(sizes, [0.1, 0.9])
    return bool(high <= by * low)


def finding(id: str, seen: Observations, found: Torn) -> Finding:
    to, netns = failed_places.said(seen, found.callee), found.callee.netns
    number, every = len(found.torn), len(found.torn) + len(found.whole)
    names = list(dict.fromkeys(map(words.called, found.whose.processes)))
    who = f" (by {names[0]}{' and others' if len(names) > 1 else ''})" if names else ""
    untranslated = found.unasked >= AS_MANY * number
    return Finding(
        id,
        words.key(id, netns, to, "torn"),
        "warning" if found.share >= AT_TIMES else "info",
        f"{words.number(number)} of {words.number(every)} connections to {to}{who} that ended "
        f"within {words.duration(found.seconds)} were reset in the middle of an answer",
        Subject(
            netns,
            tuple(sorted({each.pid for each in found.whose.processes})),
            destination=to,
            over=True,
        ),
        {"reset": number, "ended": every, "resets_sent": found.resets},
        tuple(_evidence(found, untranslated)),
        _advice(untranslated),
        f"timeout 10 ss -tinE 'dst {words.in_filter(to)}'; nstat -az TcpEstabResets TcpOutRsts",
        since=found.first_at,
    )


def _evidence(found: Torn, untranslated: bool) -> Iterator[str]:
    torn, whole = (_between(sizes) for sizes in (found.torn, found.whole))
    yield (
        f"These brought {torn} each before the reset came; the others there, which ended well, "
        f"{whole} each."
    )
    if untranslated:
        yield (
            f"This host itself sent {words.number(found.resets)} resets meanwhile (OutRsts), most "
            "of them not by a socket: segments come that fit no connection here, as where a NAT "
            "leaves some answers untranslated (conntrack calls them INVALID). Such a reset ends "
            "the connection at the other end."
        )


def _between(sizes: F64) -> str:
    low, high = (words.size(float(each)) for each in (sizes.min(), sizes.max()))
    return low if low == high else f"between {low} and {high}"


def _advice(untranslated: bool) -> str:
    if untranslated:
        return (
            "Find the NAT on the path, and let it drop what conntrack calls INVALID instead of "
            "passing it on (nft: ct state invalid drop; kube-proxy 1.15 and later does), or set "
            "net.netfilter.nf_conntrack_tcp_be_liberal = 1 there. Here tcpdump -nni any "
            "'tcp[13] & 4 != 0' shows to which address the resets go: not the one that was called."
        )
    return (
        "Find who makes the resets: capture at both ends (tcpdump -nni any 'tcp[13] & 4 != 0'). If "
        "the server sends them, see its log: a worker that is ended or crashes, a limit on time. "
        "If it does not, a proxy, load balancer, firewall or NAT on the path does."
    )
