"""requests-unanswered: requests arrive at the other end, and no answer comes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tcptop.analysis.findings import busy, doing, gave_up_words, words
from tcptop.analysis.findings.awaiting import (
    PLACE,
    calls_awaiting,
    destinations,
    ended_unwatched_s,
    heard_s,
)
from tcptop.analysis.findings.denied import Denied, denied
from tcptop.analysis.findings.gave_up import gave_up
from tcptop.analysis.findings.groups import ConnectionGroup, by_place
from tcptop.analysis.findings.lulls import Repeated, repeated
from tcptop.analysis.findings.never_answered import never_answered, never_greeted
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.rule import Limits, Need, Rule, Threshold
from tcptop.analysis.peers import peer_rows
from tcptop.model import tcp
from tcptop.model.arrays import isin_codes, sorted_unique
from tcptop.model.finding import Finding
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.sample import Process
from tcptop.model.table import F64, Index

ID = "requests-unanswered"
ALIKE = "A long poll, a blocking command (BLPOP) and a subscription look the same from here."
OLD = 0.5  # of them have waited for so long
WATCHED_S = 4.75  # five samples, before a few count
LONG_S = 20.0  # after which a server that owes each request an answer is late
NEARLY_ALL = 0.75  # of the connections there
OFTEN = 8  # segments of answers: more than a login and one answer have
# By port, who answers each request as soon as it is done, and pushes nothing later: no long polls.
PROMPT = {
    1433: "SQL Server",
    1521: "Oracle",
    3306: "MySQL",
    5432: "PostgreSQL",
    6432: "PgBouncer",
    11211: "memcached",
}
MYSQL = "SHOW PROCESSLIST (a metadata lock, long queries), SHOW ENGINE INNODB STATUS"
WAITS = {
    "MySQL": MYSQL,
    "PgBouncer": "SHOW POOLS (cl_waiting, maxwait), and sessions that are idle in transaction and "
    "hold its server connections (pg_stat_activity)",
    "PostgreSQL": "pg_stat_activity (wait_event, pg_blocking_pids, idle in transaction; SyncRep "
    "is a synchronous standby that does not confirm)",
}


class _Silence(NamedTuple):
    """Connections to one destination that wait, for how long, and what comes on all those there.

    `theirs` are all that the same processes have to it, `others` those that wait for nothing.
    `heard_s` is since when data came on any of them; infinite where none ever has. `ended_s` is
    since when others have ended of which it is not known whether data came. `denied`: no request
    there was answered lately, and some have left.
    """

    group: ConnectionGroup
    waited_s: F64
    old: int
    others: int
    theirs: int
    heard_s: float
    ended_s: F64
    denied: Denied | None

    @property
    def ended_meanwhile(self) -> F64:
        """Those that the server has closed while most of these waited, whatever it sent."""
        return self.ended_s[self.ended_s < np.median(self.waited_s)]

    @property
    def longest_s(self) -> float:
        return float(self.waited_s.max())

    @property
    def fresh(self) -> int:
        return len(self.waited_s) - self.old

    def prompt(self, seen: Observations) -> str:
        """Who should have answered by now: a server that does so at once, and answers these
        programs on few of their connections; else empty."""
        late = self.longest_s >= LONG_S and self.old >= NEARLY_ALL * self.theirs
        late |= self.denied is not None
        port = int(seen.table.remote_port[self.group.rows[0]])
        return PROMPT.get(port, "") if late else ""


def find(seen: Observations, limits: Limits) -> Iterator[Finding]:
    never = {each.subject.destination: each for each in never_answered(seen, ID, limits["few"])}
    told = {*never}
    for silence in _silences(seen, limits):
        finding = _finding(seen, limits, silence)
        told.add(silence.group.destination)
        if finding.severity == "info":
            yield never.pop(silence.group.destination, finding)
        else:
            never.pop(silence.group.destination, None)
            yield finding
    yield from never.values()
    yield from never_greeted(seen, ID, limits["few"])
    for again in repeated(seen, limits["connections"], limits["pause_s"]):
        rows, keys = destinations(seen)
        group = next(iter(by_place(seen, rows[keys == np.uint64(again.key)])), None)
        if group and group.destination not in told:
            yield _again(seen, limits, group, again)
    for each in gave_up(seen, limits["few"]):
        yield gave_up_words.finding(seen, ID, each)


def _silences(seen: Observations, limits: Limits) -> Iterator[_Silence]:
    rows, waited_s = calls_awaiting(seen)
    least = limits["few"] if seen.watched_s >= WATCHED_S else limits["connections"]
    for group in by_place(seen, rows) if len(rows) >= least else ():
        if len(group.rows) < least:
            return
        for_s = waited_s[np.searchsorted(rows, group.rows)]
        found = _silence(seen, group, for_s, int(np.count_nonzero(for_s >= limits["waited_s"])))
        if _many(found, limits) or _all_of_few(found) or _most_of_a_pool(seen, found):
            yield found


def _many(found: _Silence, limits: Limits) -> bool:
    many = len(found.waited_s) >= limits["connections"]
    return many and found.old >= OLD * limits["connections"]


def _all_of_few(found: _Silence) -> bool:
    """A small pool whose every connection waits."""
    return found.others == 0 and found.old == len(found.waited_s)


def _most_of_a_pool(seen: Observations, found: _Silence) -> bool:
    """At a server that answers each request when it is done, where these were answered often
    before: a lock, a disk that stands still and others do not need, or reports that take long."""
    answers = seen.table.tcp_info("data_segs_in")[found.group.rows]
    all_late = found.old == len(found.waited_s) and bool((answers >= OFTEN).all())
    return all_late and found.prompt(seen) != ""


def _silence(seen: Observations, group: ConnectionGroup, for_s: F64, old: int) -> _Silence:
    rows, keys = destinations(seen)
    every: Index = rows[keys == keys[np.searchsorted(rows, group.rows[0])]]
    who, mine = (seen.snapshot.holders.first(those) for those in (every, group.rows))
    theirs = int(np.isin(who, mine).sum())
    others = len(every) - len(group.rows)
    ended_s = ended_unwatched_s(seen, int(group.rows[0]))
    heard = heard_s(seen, every), ended_s, denied(seen, every)
    return _Silence(group, for_s, old, others, theirs, *heard)


def _finding(seen: Observations, limits: Limits, silence: _Silence) -> Finding:
    group, servers = silence.group, _servers(seen, silence.group)
    stopped = silence.heard_s >= limits["waited_s"] and silence.fresh >= OLD * limits["connections"]
    stopped = stopped and not len(silence.ended_meanwhile)
    prompt = silence.prompt(seen)
    # A few may be reports that take long, while others go on.
    late = prompt if not silence.others or len(group.rows) >= limits["connections"] else ""
    return Finding(
        ID,
        words.key(ID, group.netns, group.destination),
        "warning" if stopped or late or silence.denied else "info",
        _title(silence, stopped, late),
        group.subject(seen),
        {"connections": len(group.rows), "longest_s": silence.longest_s, "others": silence.others},
        tuple(_evidence(seen, limits, silence, servers)),
        doing.remedy(seen, servers)
        or busy.advice(seen, servers)
        or _advice(group, servers, prompt) + _lost(seen, silence, servers),
        f"ss -tinp state established 'dst {words.in_filter(group.destination or '')}'",
        since=seen.sample.taken_at - silence.longest_s,
        guesses=() if prompt or silence.denied else (ALIKE,),
    )


def _title(silence: _Silence, stopped: bool, prompt: str) -> str:
    group, oldest = silence.group, words.duration(silence.longest_s)
    many = words.count(len(group.rows), "connection")
    if stopped:
        return (
            f"{group.destination} has stopped answering: {many} of {group.who} wait, the oldest "
            f"for {oldest}"
        )
    if prompt or silence.denied:
        return (
            f"{group.destination} does not answer {many} of {group.who}: the oldest waits for "
            f"{oldest}"
        )
    return (
        f"{many} of {group.who} to {group.destination} sent something and have no answer yet, the "
        f"oldest for {oldest}"
    )


def _evidence(
    seen: Observations, limits: Limits, silence: _Silence, servers: list[Process]
) -> Iterator[str]:
    group, waited = silence.group, words.duration(limits["waited_s"])
    many = words.count(len(group.rows), "connection")
    yield (
        f"{group.in_full} has {many} {group.where} on which everything sent is acknowledged and "
        f"nothing has come back: the other kernel has it. "
        f"{words.count(silence.old, 'has', 'have')} waited for {waited} or longer, the oldest for "
        f"{words.duration(silence.longest_s)}."
    )
    yield _left(silence.denied) if silence.denied else _heard(seen, limits, silence)
    ended_s = silence.ended_meanwhile
    if len(ended_s):
        yield (
            f"{words.count(len(ended_s), 'connection')} there ended at both ends while most of "
            f"these waited (TIME-WAIT), the last {words.duration(float(ended_s.min()))} ago: the "
            "program there does something. What these brought was not seen."
        )
    prompt = silence.prompt(seen)
    if prompt:
        yield (
            f"The port is usually that of {prompt}, which answers each request when it is done: "
            "these take long, or wait for something."
        )
    elif not silence.denied:
        yield ALIKE
    if _unprobed(seen, silence, servers):
        yield (
            f"No keepalive timer runs on any of these {words.number(len(group.rows))}: should the "
            "other end have restarted since, or something on the path have forgotten them, they "
            "wait without end, and nothing tells their program."
        )
    yield from _here(seen, servers)


def _unprobed(seen: Observations, silence: _Silence, servers: list[Process]) -> bool:
    """Newer ones are answered there while these wait, and nothing asks whether it knows them."""
    armed = seen.table.timer[silence.group.rows] == tcp.KEEPALIVE
    others = silence.others > 0 or silence.heard_s < silence.longest_s
    newer = others or len(silence.ended_meanwhile) > 0
    return silence.longest_s >= LONG_S and newer and not servers and not armed.any()


def _lost(seen: Observations, silence: _Silence, servers: list[Process]) -> str:
    if not _unprobed(seen, silence, servers):
        return ""
    local = words.in_filter(words.local(seen.sample, int(silence.group.rows[0])))
    return (
        " Check that the other host still has these connections (one of them: "
        f"ss -tn 'dst {local}' there): if it has not, it has restarted, perhaps. End them here "
        "then, and set keepalive or a read timeout."
    )


def _left(denied: Denied) -> str:
    waited, least = denied.waited_s, words.exactly(float(denied.waited_s[0]))
    return (
        f"In the last {words.duration(denied.seconds)} no connection to it got anything but what "
        f"comes as one opens (a greeting, a login), and {words.number(len(waited))} were closed "
        f"here with their request unanswered, after {least} or longer."
    )


def _heard(seen: Observations, limits: Limits, silence: _Silence) -> str:
    """What came on others; of those that have ended without a notice it is not known."""
    heard = words.duration(silence.heard_s) if np.isfinite(silence.heard_s) else ""
    if silence.heard_s < limits["waited_s"]:
        return f"Answers do come: the last data on any connection to it came {heard} ago."
    open_ = " that is open" if _ended(seen, silence.group) else ""
    if heard:
        return f"No data has come on any connection to it{open_} for {heard}."
    return "No data has ever come on any connection to it that is open."


def _ended(seen: Observations, group: ConnectionGroup) -> bool:
    """Whether others there have ended of late, by TIME-WAIT and the like."""
    table, row = seen.table, int(group.rows[0])
    there = isin_codes(table.state, (tcp.TIME_WAIT, tcp.FIN_WAIT2))
    for name in PLACE:
        there &= getattr(table, name) == getattr(table, name)[row]
    return bool(there.any())


def _here(seen: Observations, servers: list[Process]) -> Iterator[str]:
    if servers:
        listed = ", ".join(words.who(each) for each in servers[: doing.MOST])
        yield f"The other end is on this host: {listed}."
        yield from doing.evidence(seen, servers)


def _servers(seen: Observations, group: ConnectionGroup) -> list[Process]:
    """Who holds the other ends, where they are on this host."""
    peers = peer_rows(seen.table, group.rows)
    holders = sorted_unique(seen.snapshot.holders.first(peers[peers >= 0]))
    return [seen.snapshot.holders.processes[at] for at in holders.tolist() if at >= 0]


def _there(group: ConnectionGroup, servers: list[Process]) -> str:
    return words.name(servers[0]) if len(servers) == 1 else f"the program at {group.destination}"


def _advice(group: ConnectionGroup, servers: list[Process], prompt: str) -> str:
    if prompt:
        return (
            f"Look at {_there(group, servers)} for what the requests wait for: "
            f"{WAITS.get(prompt, 'long queries, locks, a limit')}. Here: set a deadline for "
            "requests, and a limit on those in flight, so that they do not pile up."
        )
    return (
        f"If an answer is due at once, check {_there(group, servers)} or what it waits for, before "
        "the network: a queue before a limit (maxconn, the size of a pool), a slow back end, a "
        "lock, a busy core, a blocked event loop. Here: set a deadline for requests and a limit on "
        "those in flight, so that they do not pile up."
    )


def _again(seen: Observations, limits: Limits, group: ConnectionGroup, again: Repeated) -> Finding:
    """A program that stands still, and then goes on: all its clients wait meanwhile."""
    servers, times = _servers(seen, group), words.count(again.times, "time")
    longest, within = words.duration(again.longest_s), words.duration(again.within_s)
    return Finding(
        ID,
        words.key(ID, group.netns, group.destination, "again"),
        "warning" if again.new >= OLD * limits["connections"] else "info",
        f"{group.destination} stops answering again and again: {times} in {within}, for up to "
        f"{longest}, while up to {words.count(again.waiting, 'connection')} of {group.who} waited",
        group.subject(seen),
        {"times": again.times, "connections": again.waiting, "longest_s": again.longest_s},
        tuple(_again_evidence(seen, group, again, servers)),
        doing.remedy(seen, servers)
        or f"Check {_there(group, servers)}: an event loop that is blocked (a synchronous call, a "
        "long computation), garbage collection, a lock, a CPU quota (nr_throttled in the cpu.stat "
        "of its cgroup). The network is well: the other kernel acknowledges meanwhile. Here: set "
        "a deadline for requests and a limit on those in flight.",
        f"ss -tinp state established 'dst {words.in_filter(group.destination or '')}'",
        since=seen.sample.taken_at - again.within_s,
    )


def _again_evidence(
    seen: Observations, group: ConnectionGroup, again: Repeated, servers: list[Process]
) -> Iterator[str]:
    least, most = words.duration(again.least_s), words.duration(again.longest_s)
    for_s = f"for {most}" if least == most else f"for {least} to {most}"
    yield (
        f"{words.count(again.times, 'time')} in {words.duration(again.within_s)} no data came on "
        f"any connection to {group.destination} {for_s}, while up to {words.number(again.waiting)} "
        "of them waited for an answer; everything sent on those was acknowledged."
    )
    yield (
        f"In between it answers: one connection sent {words.number(again.asked)} segments between "
        "the first of these pauses and the last."
    )
    if again.new:
        yield f"{words.number(again.new)} of those that waited were new and never answered before."
    yield "Blocking commands (BLPOP) for which jobs come in batches look similar from here."
    yield from _here(seen, servers)


RULE = Rule(
    ID,
    0,
    (
        Threshold("connections", 10, "connections to one destination that wait"),
        Threshold("few", 5, "or so many, where there are no others, watched for 5 s"),
        Threshold("waited_s", 10, "seconds that half as many of them have waited, or all of few"),
        Threshold("pause_s", 2, "or seconds without data from there, twice in a minute"),
    ),
    find,
    frozenset({Need.TCP_INFO}),
)
