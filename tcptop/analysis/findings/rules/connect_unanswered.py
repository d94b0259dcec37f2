"""connect-unanswered: connect() waits, for nobody answers its SYN."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from tcptop.analysis.findings import gateways, host_ports, neighbours, unanswered, words
from tcptop.analysis.findings.gateways import Gateway
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.rule import Limits, Rule, Threshold
from tcptop.analysis.findings.unanswered_words import advice, again, causes, evidence, is_up
from tcptop.analysis.findings.unheard import Silent
from tcptop.model.finding import Finding, Subject
from tcptop.model.route import Route
from tcptop.model.sample import Process

ID = "connect-unanswered"
MOST = 20  # destinations
UNKNOWN = "an unknown process"
NAMED = 1000  # sockets
MANY = 3  # destinations of one program, from which they are told together
LISTED = 3  # of these
CONFIRM = "nstat -az TcpActiveOpens TcpAttemptFails TcpExtTCPSynRetrans"


def find(seen: Observations, limits: Limits) -> Iterator[Finding]:
    every = [Silent(seen, case) for case in unanswered.unanswered(seen, limits, MOST)]
    for gateway, behind in gateways.behind(seen, every).items():
        yield _together(sorted(behind, key=_most), limits, gateway)
        every = [told for told in every if told not in behind]
    for group in _by_program(list(host_ports.with_others(seen, every, limits))):
        if len(group) >= MANY or _of_one_name(group) or host_ports.of_one_host(group):
            yield _together(sorted(group, key=_most), limits)
        else:
            yield from (_finding(told, limits) for told in group)


def _most(told: Silent) -> tuple[int, str]:
    return -told.attempts, told.to


def _by_program(every: list[Silent]) -> list[list[Silent]]:
    """Those of one program in one namespace; what nobody is known for stays alone."""
    groups: dict[object, list[Silent]] = {}
    for told in every:
        pids = frozenset(each.pid for each in told.processes)
        groups.setdefault((told.case.callee.netns, pids or told.to), []).append(told)
    return list(groups.values())


def _of_one_name(group: list[Silent]) -> bool:
    """The same port by IPv4 and IPv6, as a name has it that has addresses of both."""
    places = [told.case.callee for told in group]
    families = {unanswered.is_v4(to) for to in places}
    return len(families) > 1 and len({to.remote_port for to in places}) == 1


def _finding(told: Silent, limits: Limits) -> Finding:
    netns, rows, to = told.case.callee.netns, told.rows, told.to
    return Finding(
        ID,
        words.key(ID, netns, to),
        _severity(told, limits),
        _title(told),
        Subject(
            netns,
            tuple(sorted({each.pid for each in told.processes})),
            destination=to,
            cookies=tuple(told.seen.table.cookie[rows[:NAMED]].tolist()),
        ),
        _values(told),
        tuple(evidence(told)),
        advice(told),
        f"ss -tnop state syn-sent 'dport = :{told.case.callee.remote_port}'; {_confirm([told])}",
        since=told.seen.sample.taken_at - told.case.since_s,
    )


def _severity(told: Silent, limits: Limits) -> str:
    case, given, most = told.case, told.given, limits["critical"]
    if told.other_family_goes_on:
        return "info"
    some = told.at_times and told.opened >= told.attempts
    if len(case.rows) >= most and not some and not _one_of_many(told, limits):
        return "critical"
    if given is None or not given.every or given.calls.heard or told.other_family or some:
        return "warning"
    others = unanswered.others_answer(told.seen, case.callee)
    if told.attempts >= most and not unanswered.one_by_one(given) and not others:
        return "critical"
    return "info" if unanswered.spared(told.seen, case, told.processes) else "warning"


def _one_of_many(told: Silent, limits: Limits) -> bool:
    """As of a crawler: some are always down, and how many calls they get is chance."""
    to = told.case.callee
    return not told.here and neighbours.most_answer(told.seen, to, limits["window_s"])


def _title(told: Silent) -> str:
    who, to, given = _who(told.processes), told.to, told.given
    if given is None:
        many = words.count(len(told.rows), "connection attempt")
        return f"{who} no answer from {to}{_when(told)}: {many} waiting{_taken([told])}"
    within = words.duration(given.seconds)
    many = f"{words.count(told.ended, 'connection attempt')}{told.as_seen}"
    failed, left = ("to fail", "to be given up") if told.as_seen else ("failed", "given up")
    if told.by_icmp:
        return (
            f"{who} no connection to {to}: {many} {failed} in {within}, ICMP unreachables come in"
        )
    if told.rejected_here:
        return f"{who} no connection to {to}: {many} {failed} in {within}, this host rejects them"
    if given.every and not told.opened:
        many = f"{words.count(told.attempts, 'connection attempt')}{told.as_seen}"
        return f"{who} no answer from {to}: {many} in {within}, none answered"
    return f"{who} no answer from {to}{_when(told)}: {many} {left} in {within}{_taken([told])}"


def _when(told: Silent) -> str:
    if told.source:
        return f" where the call leaves from {told.source.address}"
    return " at times" if told.at_times else ""


def _taken(group: Sequence[Silent]) -> str:
    """Those that opened, and are no better off."""
    number = sum(told.unaccepted for told in group if told.opened)
    return f", and {words.number(number)} more opened that got not a byte" if number else ""


def _who(processes: list[Process]) -> str:
    names = list(dict.fromkeys(words.called(each) for each in processes))
    if len(names) > 2:
        return f"{names[0]} and {len(names) - 1} others get"
    return " and ".join(names) + " get" if len(names) == 2 else f"{(*names, UNKNOWN)[0]} gets"


def _values(told: Silent) -> dict[str, float]:
    values = {
        "sockets": len(told.rows),
        "oldest_s": told.case.longest_s,
        "retransmissions": again(told),
    }
    if told.reset.resets:
        values["answers_reset"] = told.reset.resets
    given = told.given
    if given is None:
        return values
    return {**values, "attempts": told.attempts, "given_up": told.ended}


def _together(group: Sequence[Silent], limits: Limits, gateway: Gateway | None = None) -> Finding:
    """One program and several destinations, or one gateway."""
    seen, netns = group[0].seen, group[0].case.callee.netns
    attempts = sum(host_ports.attempts(told, limits) for told in group)
    rows = np.concatenate([told.rows for told in group])
    pids = tuple(sorted({each.pid for each in _callers(group)}))
    way = gateways.shared(seen, group) if gateway is None else None
    at_times = " at times" if all(told.at_times for told in group) else ""
    whom = gateway.address if gateway else way.gateway if way else None
    through = f", all behind the gateway {whom}" if whom else ""
    host = host_ports.host(group) if host_ports.of_one_host(group) and not gateway else None
    of = ("host", host, *pids) if host else ("pids", *pids)
    parts = ("gateway", gateway.address) if gateway else of
    return Finding(
        ID,
        words.key(ID, netns, *parts),
        _worst(group, attempts, limits),
        f"{_who(_callers(group))} no answer from {_places(group)}{at_times}{through}: "
        f"{words.count(attempts, 'connection attempt')} without one{_taken(group)}",
        Subject(
            netns,
            pids,
            destination=host,
            cookies=tuple(seen.table.cookie[rows[:NAMED]].tolist()),
        ),
        {"destinations": len(group), "sockets": len(rows), "attempts": attempts},
        (*_in_common(gateway, way), *_each(group)),
        _advice(group, gateway, way),
        f"ss -tnop state syn-sent; {_confirm(group)}",
        since=seen.sample.taken_at - max(told.case.since_s for told in group),
    )


def _confirm(group: Sequence[Silent]) -> str:
    """Neighbours have a part in it where a packet leaves this host."""
    return CONFIRM if all(told.here for told in group) else f"{CONFIRM}; ip neigh"


def _callers(group: Sequence[Silent]) -> list[Process]:
    every = (each for told in group for each in told.processes)
    return list({(each.pid, each.start_time): each for each in every}.values())


def _places(group: Sequence[Silent]) -> str:
    if host_ports.of_one_host(group):
        return host_ports.said(group, MOST)
    few = len(group) < MANY
    return words.joined([told.to for told in group]) if few else f"{len(group)} destinations"


def _worst(group: Sequence[Silent], attempts: int, limits: Limits) -> str:
    """As bad as the worst, and an outage where none of many is answered by anybody."""
    each = {_severity(told, limits) for told in group}
    given = [told.given for told in group if told.given]
    every = len(given) == len(group) and all(each.every for each in given)
    many = all(_one_of_many(told, limits) for told in group)
    if every and attempts >= limits["critical"] and not unanswered.one_by_one(*given) and not many:
        pids = {process.pid for process in _callers(group)}
        if not unanswered.answered_elsewhere(group[0].seen, pids, [t.case.callee for t in group]):
            return "critical"
    return next(level for level in ("critical", "warning", "info") if level in each)


def _in_common(gateway: Gateway | None, way: Route | None) -> Iterator[str]:
    if gateway:
        yield gateways.told(gateway)
    if way:
        yield gateways.in_common(way)


def _advice(group: Sequence[Silent], gateway: Gateway | None, way: Route | None) -> str:
    """For all, where it is the same for each."""
    if gateway:
        return gateways.advice(gateway)
    if way:
        return gateways.advice_in_common(way)
    if host_ports.of_one_host(group) and len(set(map(causes, group))) == 1:
        return advice(group[0], len(group))
    said = list(dict.fromkeys(map(advice, group)))
    if len(said) == 1:
        return said[0]
    return "Check each: " + " ".join(f"{told.to}: {causes(told)}." for told in group[:LISTED])


def _each(group: Sequence[Silent]) -> Iterator[str]:
    for told in group[:LISTED]:
        said = evidence(told)
        yield next(said)
        yield from (each for each in said if told.hop.gone)
    if len(group) > LISTED:
        others = [told.to for told in group[LISTED:]]
        yield f"The others: {words.joined(others)}."
    if host_ports.of_one_host(group):
        yield from is_up(max(group, key=lambda told: told.case.since_s))


RULE = Rule(
    ID,
    0,
    (
        Threshold("retransmissions", 2, "retransmissions of a SYN"),
        Threshold("age_s", 3, "or seconds without an answer"),
        Threshold("given_up", 3, "or attempts to one destination that ended without an answer"),
        Threshold("window_s", 10, "seconds within which those count"),
        Threshold("critical", 10, "attempts to one destination at which it is critical"),
    ),
    find,
)
