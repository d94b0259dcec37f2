"""black-hole: data or probes are sent again and again, and nothing comes from the other side."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import numpy as np

from tcptop.analysis import stalls, timeouts
from tcptop.analysis.findings import (
    fell_silent,
    handshakes,
    large_segments,
    lost,
    parties,
    probed,
    servers,
    ways,
    words,
)
from tcptop.analysis.findings.lost import Lost
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.rule import Limits, Need, Rule, Threshold
from tcptop.analysis.findings.subjects import named
from tcptop.model.arrays import isin_codes
from tcptop.model.finding import Finding
from tcptop.model.route import Link
from tcptop.model.tcp import PERSIST

ID = "black-hole"
MOST = 20  # networks
LARGE = (
    "All of them wait for a full segment, and only small ones were ever acknowledged: if new "
    "connections with {there} work, the path loses large packets (tcptop explain mtu-black-hole)."
)
SHORTER = 8  # what tcp_retries2 may be set to; RFC 1122 4.2.3.5 asks for 100 s at least


def find(seen: Observations, limits: Limits) -> Iterator[Finding]:
    yield from _sent_again(seen, limits)
    yield from probed.findings(ID, seen, limits)


def _sent_again(seen: Observations, limits: Limits) -> Iterator[Finding]:
    table = seen.table
    rows = stalls.pending(table, retransmits=limits["retransmits"])
    if not len(rows):
        return
    rows = rows[isin_codes(table.state[rows], stalls.TALKING)]
    rows = rows[~handshakes.unconfirmed(seen, rows)]
    large = [each.rows for each in large_segments.lost(seen, limits["backoff"])]
    rows = rows[~np.isin(rows, np.concatenate(large))] if large else rows
    if not len(rows):
        return
    for_s = stalls.unanswered_s(
        seen.snapshot, rows, limits["backoff"], limits["probes"], limits["retransmits"]
    )
    silent = for_s > limits["unanswered_s"]
    found = lost.lost(seen, rows[silent], for_s[silent], limits["clients"])
    for each in islice(found, MOST):
        yield _finding(seen, limits, each)


def _severity(lost: Lost, limits: Limits) -> str:
    if lost.listener >= 0 and lost.share < limits["clients"]:
        return "info"
    some = lost.listener >= 0 and len(lost.rows) < min(limits["many"], lost.clients)
    return "warning" if lost.answering or some else "critical"


def _finding(seen: Observations, limits: Limits, lost: Lost) -> Finding:
    table, rows, longest = seen.table, lost.rows, float(lost.for_s.max())
    found = parties.parties(seen, rows)
    left = stalls.give_up_in_s(seen.snapshot, int(rows[lost.for_s.argmax()]))
    if large_segments.dropped_here(seen, rows).all():
        left = None  # the waits do not double, by which it is computed
    port = int(table.local_port[lost.listener]) if lost.listener >= 0 else ""
    values = {
        "connections": len(rows),
        "answering": lost.answering,
        "send_q": int(table.send_q[rows].sum()),
        "longest_s": longest,
    }
    return Finding(
        ID,
        words.key(ID, int(table.netns[rows[0]]), lost.place, port),
        _severity(lost, limits),
        _title(seen, limits, lost, found) + _at_our_end(seen, lost),
        named(seen, rows, [each.process for each in found], *_place(seen, lost)),
        values | ({} if left is None else {"give_up_in_s": left}),
        tuple(_evidence(seen, lost, found, left)),
        _advice(seen, lost),
        _confirm(seen, lost),
        since=seen.sample.taken_at - longest,
    )


def _place(seen: Observations, lost: Lost) -> tuple[str | None, str | None]:
    """Listener and destination of the subject."""
    if lost.listener >= 0 and lost.answering:
        return words.local(seen.sample, lost.listener), None
    return None, lost.where


def _confirm(seen: Observations, lost: Lost) -> str:
    listener, destination = _place(seen, lost)
    if listener is not None:
        port = words.port(seen.table, lost.listener)
        return f"ss -tinpo state established 'sport = {port}' | grep -B1 backoff"
    return f"ss -tinpo 'dst {words.in_filter(destination or '')}'"


def _title(seen: Observations, limits: Limits, lost: Lost, found: list[parties.Party]) -> str:
    number = len(lost.rows)
    who = f" of {parties.first_name(found)}" if found else ""
    if large_segments.dropped_here(seen, lost.rows).all():
        to = "clients" if lost.listener >= 0 and lost.answering else lost.where
        waiting = words.count(number, "connection")
        return f"This host itself drops what it sends to {to}: {waiting}{who} wait{_s(number)}"
    if lost.listener >= 0 and (lost.answering or _severity(lost, limits) == "info"):
        where = servers.where(seen.sample, lost.listener)
        gone, every = words.number(number), words.count(lost.clients, "client")
        return f"{gone} of {every}{who} on {where} do{_es(number)} not answer"
    many = words.count(number, "connection")
    if ways.shut(seen, lost.rows):
        return f"This host sends nothing to {lost.where}: {many}{who} wait{_s(number)}"
    if lost.answering and fell_silent.begun(seen, lost):
        return (
            f"{lost.where} has got the first bytes of {many}{who} and none after them, while "
            f"{words.count(lost.answering, 'other')} there {'is' if lost.answering == 1 else 'are'}"
            " answered"
        )
    if lost.answering:
        return (
            f"{many}{who} to {lost.where} get{_s(number)} no answer, while "
            f"{words.count(lost.answering, 'other')} there do{_es(lost.answering)}"
        )
    what = (
        f"probe{_s(number)} a closed window" if _probing(seen, lost) else f"retransmit{_s(number)}"
    )
    return f"Nothing comes back from {lost.where}: {many}{who} {what}"


def _probing(seen: Observations, lost: Lost) -> bool:
    """Whether none retransmits: the other end had no room, and its window is asked for."""
    shut = seen.table.info_of("snd_wnd", lost.rows) == 0
    return bool((shut & (seen.table.timer[lost.rows] == PERSIST)).all())


def _at_our_end(seen: Observations, lost: Lost) -> str:
    """Where the device that they leave by is to blame."""
    link = _link(seen, lost)
    return f" ({link.name} {'has no carrier' if link.up else 'is down'})" if link else ""


def _link(seen: Observations, lost: Lost) -> Link | None:
    return ways.broken_link(seen, int(lost.rows[lost.for_s.argmax()]))


def _s(number: int) -> str:
    return "s" if number == 1 else ""


def _es(number: int) -> str:
    return "es" if number == 1 else ""


def _evidence(
    seen: Observations, lost: Lost, found: list[parties.Party], left: float | None
) -> Iterator[str]:
    table, rows = seen.table, lost.rows
    worst = int(rows[lost.for_s.argmax()])
    backoff = float(np.fmax(table.info_of("backoff", rows), table.retrans[rows]).max())
    shut, times = ways.shut(seen, rows), words.count(backoff, "time")
    again = "probed a closed window" if _probing(seen, lost) else "retransmitted"
    tried = f"tried up to {times} to send" if shut else f"{again} up to {times}"
    yield (
        f"{words.count(len(rows), 'connection')} {_whither(seen, lost)} {tried}; nothing has come "
        f"back {_silence(lost)}, not even an acknowledgement."
    )
    if shut:
        yield ways.why_shut(seen, rows)
    elif large_segments.dropped_here(seen, rows).all():
        yield large_segments.DROPPED_HERE
    waiting = words.size(int(table.send_q[rows].sum()))
    yield f"{waiting} wait in Send-Q, {words.size(int(table.send_q[worst]))} on the oldest one."
    if lost.answering:
        yield (
            f"{words.count(lost.answering, 'other connection')} "
            f"{'of this listener' if lost.listener >= 0 else 'there'} had an answer in that time: "
            "not everything is lost."
        )
    yield from _rejected(seen, lost)
    link = _link(seen, lost)
    if link:
        yield ways.told(link)
    if found:
        yield f"{'They belong' if len(lost.rows) > 1 else 'It belongs'} to {parties.listed(found)}."
    if left is not None:
        yield (
            f"The kernel gives up the oldest in about {words.duration(left)} "
            f"(net.ipv4.tcp_retries2 = {_retries(seen, worst)}); until then its program gets "
            "no error."
        )


def _rejected(seen: Observations, lost: Lost) -> Iterator[str]:
    came = fell_silent.unreachables(seen, lost)
    if came:
        yield (
            f"{words.count(came, 'ICMP unreachable')} came in meanwhile (InDestUnreachs): "
            "something rejects packets of this host; tcpdump -ni any 'icmp or icmp6' shows who."
        )


def _whither(seen: Observations, lost: Lost) -> str:
    """What is said of a network holds for all there."""
    if lost.listener >= 0 and lost.answering:
        return f"of clients of {words.port(seen.table, lost.listener)}"
    return f"to {lost.where}"


def _silence(lost: Lost) -> str:
    least, most = (words.duration(float(end)) for end in (lost.for_s.min(), lost.for_s.max()))
    return f"for {most}" if least == most else f"for at least {least}, for {most} on the oldest"


def _advice(seen: Observations, lost: Lost) -> str:
    retries = _retries(seen, int(lost.rows[0]))
    sooner = timeouts.model_timeout_s(SHORTER, timeouts.RTO_MIN_S, timeouts.RTO_MAX_S)
    last = (
        f" If that cannot be done: net.ipv4.tcp_retries2 = {SHORTER} (now {retries}) gives up "
        f"after about {words.duration(sooner)}, for every connection of this namespace."
        if retries is not None and retries > SHORTER
        else ""
    )
    link = _link(seen, lost)
    if link:
        return ways.mend(link) + last
    if ways.shut(seen, lost.rows):
        to = words.remote_address(seen.sample, int(lost.rows[0]))
        return ways.open_up(seen, lost.rows, to) + last
    if large_segments.dropped_here(seen, lost.rows).all():
        return large_segments.LOOK_HERE + last
    if large_segments.suspected(seen, lost.rows):
        last = f" {LARGE.format(there=words.remote_address(seen.sample, int(lost.rows[0])))}{last}"
    if lost.listener >= 0:
        return (
            "Clients disappear without closing (a phone in a tunnel, a sleeping laptop, expired "
            "NAT state): set TCP_USER_TIMEOUT on accepted sockets or let the program ping its "
            "clients, and do not let a silent one block the others." + last
        )
    return (
        "Give requests a deadline, or set TCP_USER_TIMEOUT on the socket, and reconnect. "
        f"{_why(seen, lost)}" + last
    )


def _why(seen: Observations, lost: Lost) -> str:
    """What tcptop's own table answers is not asked of the reader."""
    if lost.answering:
        return (
            f"Others to {lost.where} get answers, so the path is not dead. "
            f"{fell_silent.why(seen, lost)}"
        )
    return f"{fell_silent.why(seen, lost)} {fell_silent.new_ones(seen, lost)}".rstrip()


def _retries(seen: Observations, row: int) -> int | None:
    return seen.sysctl(int(seen.table.netns[row]), "net.ipv4.tcp_retries2")


RULE = Rule(
    ID,
    0,
    (
        Threshold("backoff", stalls.BACKOFF, "doublings of the retransmission timeout"),
        Threshold("unanswered_s", stalls.UNANSWERED_S, "seconds in which nothing came"),
        Threshold("probes", stalls.PROBES, "unanswered probes, of a closed window or of keepalive"),
        Threshold("retransmits", 6, "retransmissions, where this host itself drops them"),
        Threshold("clients", 0.1, "share of a listener's clients that may vanish (info)"),
        Threshold("many", 3, "clients of one network, all of them lost, at which it is critical"),
    ),
    find,
    frozenset({Need.TCP_INFO}),
)
