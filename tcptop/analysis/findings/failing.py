"""Connects that fail at once: where they go, who refuses them and who calls, as far as known."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tcptop.analysis.dialing import Callee
from tcptop.analysis.findings import listening, parties, refusals, refusers, unanswered, words
from tcptop.analysis.findings.breaking import MOSTLY, RST, Rates, finding
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.refusals import Partial
from tcptop.analysis.findings.refusers import Refusers
from tcptop.analysis.findings.whereto import Where, asked
from tcptop.model import tcp
from tcptop.model.finding import Finding
from tcptop.model.table import Index

NAMED = 3  # listeners
SPARED = (
    "About as many connections to the same port by the other family (IPv4 or IPv6) are answered "
    "meanwhile: programs that try both addresses of a name continue with that one."
)
RARELY = 0.2  # of the failed connects
REFUSED, UNREACHABLE, MIXED = "refused", "unreachable", "mixed"


def told(seen: Observations, netns: int, rates: Rates) -> Finding:
    found = refusers.refusers(seen, netns)
    here = [unanswered.is_here(seen, to) for to, _ in found.named]
    if rates.refused_here and all(here):
        return _refused_here(seen, netns, rates, found)
    how = _how(rates, found)
    if found.scanned:
        return _scan(seen, netns, rates, found, how)
    if not found.named:
        return _anywhere(seen, netns, rates, how)
    return _there(seen, netns, rates, found, how)


def _how(rates: Rates, found: Refusers) -> str:
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
    said = (*_failed(rates), *_icmp(rates), *found.evidence, *_asking(seen, netns))
    look = f"Find out where they go: tcpdump -c 20 -nni any '{RST} or icmp or icmp6'."
    advice = f"{look} {_advice(how, '', seen, None)}"
    title = f"{_fail(rates, how)}{found.said}"
    return finding(netns, rates, "warning", title, found._replace(evidence=said), advice)


def _there(seen: Observations, netns: int, rates: Rates, found: Refusers, how: str) -> Finding:
    places = [to for to, _ in found.named]
    names = words.joined([refusers.said(seen, to) for to in places])
    who = refusers.callers(seen, places)
    number, verb = words.number(rates.failed), "refuses" if len(places) == 1 else "refuse"
    title = (
        f"{number} connects/s fail: {names} {verb} them"
        if how == REFUSED
        else f"{_fail(rates, how)}: to {names}"
    )
    if who:
        title += f" (apparently by {parties.first_name(who)})"
    others = [to for to in places if to.remote_port and len(refusers.answering(seen, to))]
    spared = _go_on(seen, found)
    said = (
        *_failed(rates),
        *_icmp(rates),
        *_noticed(seen, found),
        *(_answers(seen, to) for to in others),
        *([SPARED] if spared else []),
        *_whose(who),
    )
    at = Where("", said, _pids(who), destination=_only(seen, places))
    picky = others[0] if others else None
    advice = _advice(how, refusers.said(seen, places[0]), seen, picky)
    return finding(netns, rates, "info" if spared else "warning", title, at, advice)


def _go_on(seen: Observations, found: Refusers) -> bool:
    """Whether programs that are refused by one family get through by the other."""
    return all(
        2 * unanswered.by_other_family(seen, to) >= many and to.remote_port
        for to, many in found.named
    )


def _only(seen: Observations, places: list[Callee]) -> str | None:
    one = len(places) == 1 and places[0].remote_port
    return unanswered.called(seen, places[0]) if one else None


def _scan(seen: Observations, netns: int, rates: Rates, found: Refusers, how: str) -> Finding:
    host = refusers.said(seen, found.places[0][0]._replace(remote_port=0))
    ports = f"{words.number(found.scanned)} ports of {host}"
    said = (
        *_failed(rates),
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


def _noticed(seen: Observations, found: Refusers) -> Iterator[str]:
    yield (
        f"The kernel reported {words.count(found.number, 'socket')} that ended before they were "
        f"open in the last {words.duration(found.seconds)}: {refusers.listed(seen, found)}."
    )
    if any(to.remote_port == 0 for to, _ in found.named):
        yield "If connect() itself waits for the answer, the port is no longer known then."


def _answers(seen: Observations, to: Callee) -> str:
    many = len(refusers.answering(seen, to))
    return (
        f"{words.count(many, 'connection')} to {unanswered.called(seen, to)} "
        f"{'is' if many == 1 else 'are'} open and got an answer meanwhile: not everything is "
        "refused there."
    )


def _whose(who: list[parties.Party]) -> Iterator[str]:
    """A failed connect leaves no row, so that its process is not told."""
    if who:
        yield f"Other connections to the same addresses belong to {parties.listed(who)}."
    else:
        yield (
            "The process is unknown, as a connect that fails at once leaves no row; tcpconnect "
            "(bcc) or strace -f -e trace=connect -p PID shows it."
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


def _refused_here(seen: Observations, netns: int, rates: Rates, found: Refusers) -> Finding:
    partly = refusals.partials(seen, netns)
    title = f"This host itself refuses {words.number(rates.failed)} connects/s"
    # Clients that try one address of localhost after the other: as many are answered at once.
    if partly and partly[0].answered_per_s >= rates.failed / 2:
        return _partly_refused(seen, netns, rates, title, partly[0])
    places = [to for to, _ in found.named if to.remote_port]
    if places:
        return _nobody_listens(seen, netns, rates, title, found)
    said = [*_failed(rates), "A refused connect leaves no row, so its port is not known here."]
    if partly:
        names = ", ".join(refusals.listed(seen, each.listeners) for each in partly[:NAMED])
        said.append(f"Listeners that localhost reaches by only one of its addresses: {names}.")
    advice = (
        "Start the service of that port, let it listen on the address that is used, or stop the "
        f"client. To see the port: tcpdump -c 20 -nni any '{RST}'."
    )
    return finding(netns, rates, "warning", title, Where(evidence=tuple(said)), advice)


def _nobody_listens(
    seen: Observations, netns: int, rates: Rates, title: str, found: Refusers
) -> Finding:
    """By the notices and by its own table."""
    places = [to for to, _ in found.named if to.remote_port]
    who = refusers.callers(seen, places)
    elsewhere = [(to, _elsewhere(seen, to)) for to in places]
    said = (
        *_failed(rates),
        *_noticed(seen, found),
        *(
            f"On that port only {refusals.listed(seen, rows)} listens, not on "
            f"{unanswered.called(seen, to)}."
            for to, rows in elsewhere
            if len(rows)
        ),
        *_whose(who),
    )
    names = " or ".join(unanswered.called(seen, to) for to in places)
    title = f"{title}: nothing listens on {names}"
    moved = next((rows for _, rows in elsewhere if len(rows)), None)
    if moved is None:
        advice = f"Start the service of {names}, or stop its client."
    else:
        there = words.local(seen.sample, int(moved[0]))
        title += f", {there} does"
        advice = (
            f"Let the service also listen on the address that is used, or let its clients use "
            f"{there}."
        )
    at = Where("", said, _pids(who), destination=_only(seen, places))
    return finding(netns, rates, "warning", title, at, advice)


def _elsewhere(seen: Observations, to: Callee) -> Index:
    """Listeners of that port on other addresses."""
    rows = listening.on_port(seen.table, to.netns, to.remote_port)
    other: Index = rows[~listening.takes(seen.table, rows, to.remote_hi, to.remote_lo)]
    return other


def _partly_refused(
    seen: Observations, netns: int, rates: Rates, title: str, partial: Partial
) -> Finding:
    callers = parties.parties(seen, partial.callers)
    shut = " or ".join(partial.refused)
    there = words.local(seen.sample, int(partial.listeners[0]))
    said = [
        *_failed(rates),
        f"Listening on that port: only {refusals.listed(seen, partial.listeners)}. At the same "
        "time about as many connects to it are answered, so clients seem to try one address of "
        "localhost after the other.",
        *([f"They are of {parties.listed(callers)}."] if callers else []),
    ]
    advice = (
        f"Let the service listen on {shut} too, or let its clients call it by the address "
        f"{there} instead of the name localhost."
    )
    found = Where("", tuple(said), _pids(callers), None, partial.refused[0])
    title = f"{title}: nothing listens on {shut}, {there} does"
    return finding(netns, rates, "warning", title, found, advice)


def _failed(rates: Rates) -> Iterator[str]:
    yield (
        f"{words.number(rates.of('ActiveOpens'))} connects/s were tried (ActiveOpens), "
        f"{words.number(rates.of('AttemptFails'))}/s failed (AttemptFails)."
    )
    if rates.failed > 2 * rates.of("AttemptFails"):
        yield (
            f"{words.number(rates.failed)}/s ended without an answer while ICMP unreachables came: "
            "their programs read that error and closed them, which AttemptFails does not count."
        )
    half_open = rates.of("EmbryonicRsts")
    if half_open > 0:
        yield f"{words.number(half_open)}/s of those were half-open here (EmbryonicRsts): no harm."
    by = ", so it refuses them itself" if rates.refused_here else ""
    yield f"This host sent {words.number(rates.of('OutRsts'))} resets/s (OutRsts){by}."


def _asking(seen: Observations, netns: int) -> list[str]:
    """Connects that are still unanswered."""
    rows = np.flatnonzero((seen.table.state == tcp.SYN_SENT) & (seen.table.netns == netns))
    who = parties.listed(parties.parties(seen, rows)) if len(rows) else ""
    said = f"{words.count(len(rows), 'connect')} in SYN-SENT now{': ' + who if who else ''}."
    return [said] if len(rows) else []


def _pids(found: list[parties.Party]) -> tuple[int, ...]:
    return tuple(sorted({each.process.pid for each in found}))
