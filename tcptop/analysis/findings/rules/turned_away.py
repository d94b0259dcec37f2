"""turned-away: a server accepts connections and closes them: it is full, or refuses them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from tcptop.analysis.findings import cuts_in_silence, died, parties, servers, words
from tcptop.analysis.findings.ended import remotes
from tcptop.analysis.findings.hung_up import SOON_S, HungUp, by_destination, by_listeners, unheard
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.rule import Limits, Need, Rule, Threshold
from tcptop.analysis.findings.subjects import named
from tcptop.analysis.findings.summary import SampleSummary
from tcptop.analysis.findings.turned import LATELY_S, Turned, turned
from tcptop.analysis.findings.windows import lengths, window
from tcptop.model.finding import Finding
from tcptop.model.sample import Process
from tcptop.model.table import Index

ID = "turned-away"
MOSTLY = 0.5  # of those that came
HELD = 10  # connections that stay: fewer, and it is hardly full
NO_POOL = "A pool does not help while the server has no connection free"


def find(seen: Observations, limits: Limits) -> Iterator[Finding]:
    summaries = window(seen, limits["window_s"])
    for kernel in seen.sample.kernel if summaries else ():
        netns, here = kernel.netns, False
        for each in by_listeners(seen, netns, summaries, limits["per_s"]):
            if servers.clients_close(seen.processes(each.row)):
                here = True
                yield _by_server(seen, summaries, each)
        for each in () if here else unheard(seen, netns, summaries, limits["per_s"]):
            here = True
            yield _by_server(seen, summaries, each)
        for died_ in died.died(seen, netns):
            here = True
            yield _by_death(seen, died_)
        for turned_ in () if here else turned(seen, netns, int(limits["least"]), limits["share"]):
            here = True
            yield _by_share(seen, turned_)
        least, seconds = int(limits["least"]), min(LATELY_S, seen.watched_s)
        yield from cuts_in_silence.findings(ID, seen, netns, seconds, least)
        called = None if here else by_destination(seen, netns, summaries, limits["per_s"])
        port = int(seen.table.remote_port[called.row]) if called else 0
        if called and port in servers.CLIENTS_CLOSE_AT:
            yield _by_destination(seen, summaries, called)


def _severity(hung_up: HungUp) -> str:
    return "warning" if hung_up.mute or len(hung_up.staying) >= HELD else "info"


def _by_server(seen: Observations, summaries: Sequence[SampleSummary], hung_up: HungUp) -> Finding:
    row, seconds = hung_up.row, words.duration(float(lengths(summaries).sum()))
    processes, rate = seen.processes(row), words.number(hung_up.per_s)
    listener, netns = words.local(seen.sample, row), int(seen.table.netns[row])
    first = (
        f"{rate} connections/s to {listener} were closed by this end within the last {seconds}, "
        f"before any data had come from the client{_sent(hung_up)}."
        if hung_up.unheard
        else f"{rate} connections/s to {listener} were closed within the last {seconds} and wait "
        "in TIME-WAIT on this side: this end closed first."
    )
    return Finding(
        ID,
        words.key(ID, netns, listener),
        _severity(hung_up),
        f"{servers.title(seen, row, processes)} closes {rate} connections/s soon after it accepts "
        "them",
        named(seen, hung_up.staying, processes, listener),
        _values(hung_up),
        (first, _stay(hung_up.staying), _usually(processes, hung_up)),
        _advice(processes, hung_up),
        f"ss -Htan state time-wait '{words.served(seen.sample, row)}' | wc -l",
    )


def _by_share(seen: Observations, found: Turned) -> Finding:
    """However few they are: nobody else gets in."""
    row, processes = found.row, seen.processes(found.row)
    listener, netns = words.local(seen.sample, row), int(seen.table.netns[row])
    verb, how = ("closed", " without sending a byte") if found.mute else ("turned away", "")
    return Finding(
        ID,
        words.key(ID, netns, listener),
        "warning" if found.number >= MOSTLY * found.every else "info",
        f"{servers.title(seen, row, processes)} has {verb} {_number(found)} that came within "
        f"{words.duration(found.seconds)}{how}",
        named(seen, found.staying, processes, listener),
        {
            "per_s": found.number / found.seconds,
            "staying": len(found.staying),
            "turned_away": found.number,
            "came": found.every,
        },
        (
            _each(found),
            *_looks(found),
            *([] if found.mute and not len(found.staying) else [_stay(found.staying)]),
            f"It is {servers.programs(processes)}.",
        ),
        _about_share(processes, found),
        "nstat -az TcpExtTCPAbortOnClose TcpPassiveOpens"
        if found.reset
        else f"ss -Htan state time-wait '{words.served(seen.sample, row)}' | wc -l",
        since=float(found.ended.at.min()),
    )


def _looks(found: Turned) -> Iterator[str]:
    if found.checks:
        left = words.count(found.checks, "other has", "others have")
        yield f"Checks apart: {left} left at once: nothing sent, the answer unread."


def _by_death(seen: Observations, found: died.Died) -> Finding:
    row, processes = found.row, seen.processes(found.row)
    listener, netns = words.local(seen.sample, row), int(seen.table.netns[row])
    number, within = len(found.ended), words.duration(found.seconds)
    pids = [str(each.pid) for each in found.processes[: servers.NAMED]]
    more = len(found.processes) - len(pids)
    gone = words.joined([*pids, *([f"{more} more"] if more else [])])
    how = (
        f"all its connections at once, {words.count(found.times, 'time')} in {within}"
        if found.times
        else f"{words.number(number)} of {words.count(found.every, 'connection')} within {within} "
        "with their request unanswered"
    )
    return Finding(
        ID,
        words.key(ID, netns, listener, "died"),
        "warning",
        f"{servers.title(seen, row, processes)} ended {how}: its processes ended",
        named(seen, np.array([row]), processes, listener),
        {"ended": number, "came": found.every, "processes": len(found.processes)},
        (
            f"{words.number(number)} connections, from {remotes(found.ended)}, were closed by this "
            "end or reset, and the processes that held them are no more: "
            f"{words.called(found.processes[0])}, pid {gone}.",
            f"Now {servers.programs(processes)} {'listen' if len(processes) > 1 else 'listens'}.",
        ),
        "See its log, and the kernel's (dmesg, journalctl -k), for why its processes end: a crash, "
        "the out-of-memory killer or a memory limit, or a time limit of their master that kills "
        "them in the middle of a request (gunicorn: WORKER TIMEOUT, uwsgi: harakiri, php-fpm: "
        "request_terminate_timeout; PostgreSQL ends all sessions when one of them crashes).",
        f"ps -o pid,lstart,cmd -C {processes[0].name if processes else 'NAME'}; dmesg | tail",
        since=float(found.ended.at.min()),
    )


def _number(found: Turned) -> str:
    if found.number == found.every:
        return f"all {words.count(found.number, 'connection')}"
    return f"{words.number(found.number)} of {words.count(found.every, 'connection')}"


def _each(found: Turned) -> str:
    sent = (
        "without a byte sent to it"
        if found.mute
        else f"with {words.count(found.most_bytes, 'byte')} sent to it at most"
    )
    asked = "had sent something, and was" if found.asked else "was"
    first = f"{words.number(found.first)} of them were closed by this end first"
    ends = f"; {first}" if found.first else ""
    ends = f"; {words.number(found.reset)} of them ended in a reset" if found.reset else ends
    if found.reset and found.mute:
        ends += ", as this end closed with what had come unread (TCPAbortOnClose)"
    return (
        f"Each of these {words.number(found.number)} {asked} over within {words.exactly(SOON_S)}, "
        f"{sent}{ends}. They came from {remotes(found.ended)}."
    )


def _about_share(processes: Sequence[Process], found: Turned) -> str:
    limit = servers.turns_away(processes)
    if found.without_tls:
        return (
            "Each asked for TLS (8 bytes), was answered with one byte, and went: "
            f"{words.called(processes[0])} apparently has no TLS, and these clients insist on it "
            "(sslmode=require). Turn TLS on here (PostgreSQL: ssl = on, with a certificate), or "
            "let them do without where the network is safe."
        )
    if limit and found.mute and found.reset:
        return f"{limit} See its log."
    if limit and len(found.staying):
        return f"{limit} It also closes clients at once that may not log in: see its log."
    full = "be at a limit of its own, "
    first, later = (full, "") if len(found.staying) else ("", full)
    return (
        f"See its log: it may {first}expect another protocol than its clients speak (TLS, the "
        f"PROXY protocol), not serve these addresses, {later}or lack what it needs to serve them "
        "(a proxy without a back end that is up)."
    )


def _sent(hung_up: HungUp) -> str:
    return ", and nothing was sent to it either" if hung_up.mute else ""


def _usually(processes: Sequence[Process], hung_up: HungUp) -> str:
    who = servers.programs(processes)
    if hung_up.unheard:
        return f"A server that has room reads what its clients ask for first. It is {who}."
    return f"Normally the clients of this program close first. It is {who}."


def _advice(processes: Sequence[Process], hung_up: HungUp) -> str:
    limit = servers.turns_away(processes)
    if not hung_up.unheard:
        return f"{limit} It also closes clients at once that may not log in: see its log."
    return limit or (
        "See its log: it is at its limit of connections, may not serve these addresses, or lacks "
        "what it needs to serve them (a proxy without a back end that is up: show stat of "
        "haproxy). A service that only sends a greeting does the same and is well."
    )


def _by_destination(
    seen: Observations, summaries: Sequence[SampleSummary], hung_up: HungUp
) -> Finding:
    row, seconds = hung_up.row, words.duration(float(lengths(summaries).sum()))
    to, netns = words.remote(seen.sample, row), int(seen.table.netns[row])
    who = parties.parties(seen, hung_up.staying)
    rate = words.number(hung_up.per_s)
    limit = servers.CLIENTS_CLOSE_AT[int(seen.table.remote_port[row])]
    return Finding(
        ID,
        words.key(ID, netns, to),
        _severity(hung_up),
        f"{to} apparently closes {rate} connections/s soon after they are opened",
        named(seen, hung_up.staying, destination=to),
        _values(hung_up),
        (
            f"{rate} connections/s were opened and closed within the last {seconds}{_how(hung_up)} "
            f"Nearly all connections from here go to {to}.",
            _stay(hung_up.staying),
            *([f"Those belong to {parties.listed(who)}."] if who else []),
        ),
        f"See the error that the program gets, and the server's log: the server is at its "
        f"connection limit ({limit}), or refuses the login. {NO_POOL}: find what holds the "
        "connections, and limit the pools of all clients to what the server allows.",
        f"nstat -az TcpActiveOpens TcpEstabResets; ss -tanp 'dst {words.in_filter(to)}'",
    )


def _how(hung_up: HungUp) -> str:
    if hung_up.reset:
        resets = words.number(hung_up.reset)
        return (
            f", and {resets} of these ended in a reset: the kernel reported their end, and this "
            "end had not closed first."
        )
    return (
        ", without a reset and without TIME-WAIT on this side: the other end closed first "
        "(ActiveOpens less those that are left)."
    )


def _stay(staying: Index) -> str:
    number = len(staying)
    if not number:
        return "No other connection there has been open for as long."
    stay = words.count(number, "other connection stays", "other connections stay")
    return f"{stay} open there all that time."


def _values(hung_up: HungUp) -> dict[str, float]:
    return {"per_s": hung_up.per_s, "staying": len(hung_up.staying)}


RULE = Rule(
    ID,
    5,
    (
        Threshold("per_s", 10, "connections a second that the server closes first"),
        Threshold("window_s", 5, "seconds that are averaged"),
        Threshold("least", 5, "or connections, of which nearly all are closed at once"),
        Threshold("share", 0.9, "share of those that came"),
    ),
    find,
    frozenset({Need.COUNTERS, Need.OWNERS}),
)
