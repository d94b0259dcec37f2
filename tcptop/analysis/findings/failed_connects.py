"""Connects that fail at once: where they go, who refuses them and who calls, as far as known."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tcptop.analysis.dialing import Callee
from tcptop.analysis.findings import (
    comings,
    failed_places,
    parties,
    refused_within,
    unanswered,
    words,
)
from tcptop.analysis.findings.failed_places import FailedPlaces
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.reset_rates import MOSTLY, RST, Rates, counted, finding
from tcptop.analysis.findings.whereto import Where, asked
from tcptop.model import tcp
from tcptop.model.finding import Finding

SPARED = (
    "About as many connections to the same port by the other family (IPv4 or IPv6) are answered "
    "meanwhile: programs that try both addresses of a name continue with that one."
)
RARELY = 0.2  # of the failed connects
REFUSED, UNREACHABLE, MIXED = "refused", "unreachable", "mixed"


def told(seen: Observations, netns: int, rates: Rates) -> Finding:
    found = failed_places.lately(seen, netns)
    here = [unanswered.is_here(seen, to) for to, _ in found.named]
    if rates.refused_here and all(here):
        return refused_within.told(seen, netns, rates, found)
    how = _how(rates, found)
    if found.scanned:
        return _scan(seen, netns, rates, found, how)
    if not found.named:
        return _anywhere(seen, netns, rates, how)
    return _there(seen, netns, rates, found, how)


def _how(rates: Rates, found: FailedPlaces) -> str:
    """What ended them. AttemptFails counts resets, ICMP errors and what was not answered in time
    (tcp_done, net/ipv4/tcp.c); not what the program itself closed."""
    if rates.unreachable:
        return UNREACHABLE
    if found.answered >= MOSTLY:
        return REFUSED
    other = rates.of("InDestUnreachs") + rates.of("TCPAbortOnTimeout")
    if other <= RARELY * rates.failed and not found.answered < MOSTLY:
        return REFUSED
    return MIXED


def _fail(rates: Rates, how: str) -> str:
    """The beginning of a title."""
    number = words.number(rates.failed)
    if how == UNREACHABLE:
        return f"{number} connects/s fail with ICMP unreachable"
    if how == REFUSED:
        return f"{number} connects/s fail, most of them refused"
    return f"{number} connects/s fail: refused, rejected by ICMP or unanswered"


def _anywhere(seen: Observations, netns: int, rates: Rates, how: str) -> Finding:
    """Nothing tells where to."""
    found = asked(seen, netns) if how != REFUSED else Where()
    said = (*counted(rates), *_icmp(rates), *found.evidence, *_asking(seen, netns))
    look = f"Find out where they go: tcpdump -c 20 -nni any '{RST} or icmp or icmp6'."
    advice = f"{look} {_advice(how, '', seen, None)}"
    title = f"{_fail(rates, how)}{found.said}"
    return finding(netns, rates, "warning", title, found._replace(evidence=said), advice)


def _there(seen: Observations, netns: int, rates: Rates, found: FailedPlaces, how: str) -> Finding:
    places = [to for to, _ in found.named]
    names = words.joined([failed_places.said(seen, to) for to in places])
    who = failed_places.callers(found)
    number, verb = words.number(rates.failed), "refuses" if len(places) == 1 else "refuse"
    title = (
        f"{number} connects/s fail: {names} {verb} them"
        if how == REFUSED
        else f"{_fail(rates, how)}: to {names}"
    )
    if who:
        title += f" (by {parties.first_name(who)})"
    others = [to for to in places if to.remote_port and len(failed_places.answering(seen, to))]
    spared = _go_on(seen, found)
    said = (
        *counted(rates),
        *_icmp(rates),
        *failed_places.noticed(seen, found),
        *(_answers(seen, to) for to in others),
        *([SPARED] if spared else []),
        *failed_places.whose(seen, found),
    )
    at = Where("", said, failed_places.pids(who), destination=failed_places.only(seen, places))
    picky = others[0] if others else None
    advice = _advice(how, failed_places.said(seen, places[0]), seen, picky)
    if how != UNREACHABLE and comings.by_turns(seen, places[0], found.seconds):
        advice = comings.advice(failed_places.said(seen, places[0]))
    return finding(netns, rates, "info" if spared else "warning", title, at, advice)


def _go_on(seen: Observations, found: FailedPlaces) -> bool:
    """Whether programs that are refused by one family get through by the other."""
    return all(
        2 * unanswered.by_other_family(seen, to) >= many and to.remote_port
        for to, many in found.named
    )


def _scan(seen: Observations, netns: int, rates: Rates, found: FailedPlaces, how: str) -> Finding:
    host = failed_places.said(seen, found.places[0][0]._replace(remote_port=0))
    ports = f"{words.number(found.scanned)} ports of {host}"
    said = (
        *counted(rates),
        *_icmp(rates),
        f"In the last {words.duration(found.seconds)} {words.number(found.number)} of them were "
        f"noticed, and most went to {ports}, one after the other: something on this host scans for "
        "open ports, or uses a port that changes.",
    )
    title = f"{_fail(rates, how)}: apparently a port scan of {host}"
    advice = (
        "Nothing, if the scan is intended. Otherwise find out what connects: "
        f"strace -f -e trace=connect -p PID, or tcpconnect (bcc); tcpdump -c 20 -nni any '{RST}' "
        "shows the packets."
    )
    return finding(netns, rates, "info", title, Where(evidence=said), advice)


def _answers(seen: Observations, to: Callee) -> str:
    many = len(failed_places.answering(seen, to))
    return (
        f"{words.count(many, 'connection')} to {unanswered.called(seen, to)} "
        f"{'is' if many == 1 else 'are'} open and got an answer meanwhile: not everything is "
        "refused there."
    )


def _icmp(rates: Rates) -> Iterator[str]:
    for name, what in (
        ("InDestUnreachs", "ICMP unreachables/s came in"),
        ("TCPAbortOnTimeout", "connections/s were given up without an answer"),
    ):
        if rates.of(name) > 0:
            yield f"{words.number(rates.of(name))} {what} ({name})."


def _advice(how: str, to: str, seen: Observations, picky: Callee | None) -> str:
    if how == UNREACHABLE:
        return "Check the route, and look for a firewall that rejects, from here to there."
    if picky is not None:
        return (
            f"{unanswered.called(seen, picky)} accepts other connections: look for a limit that is "
            "reached (a firewall that counts connections per address, a proxy, the service "
            "itself), or for one of several servers behind that address that is down."
        )
    where = f"On the host of {to}" if to else "On the destination host"
    return (
        f"{where} check that something listens on that port and address: the service may be "
        "down, or listen only on 127.0.0.1 or another port. A firewall that rejects with a reset "
        "looks the same from here, as does a connection limit. During a "
        "restart let the old process accept until the new one listens, and let clients wait longer "
        "after each failure."
    )


def _asking(seen: Observations, netns: int) -> list[str]:
    """Connects that are still unanswered."""
    rows = np.flatnonzero((seen.table.state == tcp.SYN_SENT) & (seen.table.netns == netns))
    who = parties.listed(parties.parties(seen, rows)) if len(rows) else ""
    said = f"{words.count(len(rows), 'connect')} in SYN-SENT now{': ' + who if who else ''}."
    return [said] if len(rows) else []
