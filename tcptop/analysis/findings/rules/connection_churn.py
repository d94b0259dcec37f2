"""connection-churn: a new connection for each request, many times a second."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from tcptop.analysis import timeouts
from tcptop.analysis.dialing import Callee
from tcptop.analysis.findings import churn_advice, parties, relays, words
from tcptop.analysis.findings.churn import Churn, answered, churned, over, pooled
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.parties import Party
from tcptop.analysis.findings.rule import Limits, Need, Rule, Threshold
from tcptop.analysis.findings.subjects import named
from tcptop.analysis.findings.summary import SampleSummary
from tcptop.analysis.findings.windows import (
    halves,
    lengths,
    mean,
    mean_of,
    rates_or_zero,
    window,
)
from tcptop.model import tcp
from tcptop.model.arrays import isin, sorted_unique
from tcptop.model.finding import Finding, Subject
from tcptop.model.table import Bools, Index

ID = "connection-churn"
MOST = 20  # destinations
OVERFLOW = "TCPTimeWaitOverflow"
# tcp[] is of IPv4 alone (pcap-filter(7)); the flags are byte 13 behind an IPv6 header of 40.
SYNS = "tcp[13] & 18 == 2 or (ip6 proto 6 and ip6[53] & 18 == 2)"
NOW = 2  # intervals: what has stopped since is over
STEADY = 0.5  # of the threshold, in each half of the window and just now: a burst is none


def find(seen: Observations, limits: Limits) -> Iterator[Finding]:
    summaries = window(seen, limits["window_s"])
    for kernel in seen.sample.kernel if summaries else ():
        if _opening(summaries, kernel.netns, min(limits["per_s"], limits["logins_per_s"])):
            yield from _findings(seen, limits, kernel.netns, summaries)


def _opening(summaries: Sequence[SampleSummary], netns: int, per_s: float) -> bool:
    """Whether so many are opened at all; the kernel's own number, where it has one."""
    opened = answered(summaries, netns)
    if opened is None:
        return True
    older, newer = halves(summaries)
    steady = (mean_of(opened, summaries, part) for part in (older, newer, slice(-NOW, None)))
    return mean(opened, summaries) > per_s and all(each > STEADY * per_s for each in steady)


def _findings(
    seen: Observations, limits: Limits, netns: int, summaries: Sequence[SampleSummary]
) -> Iterator[Finding]:
    churn = churned(seen, netns, summaries)
    newest = summaries[halves(summaries)[1].start :]
    newer = over(seen, churn, newest)
    older = np.maximum(churn.short - newer, 0)
    spans = lengths(summaries)
    split = halves(summaries)[1].start
    needed = np.where(_logins(seen, churn), limits["logins_per_s"], limits["per_s"])
    least = STEADY * needed
    steady = (newer > least * spans[split:].sum()) & (older > least * spans[:split].sum())
    per_s = (churn.short + churn.inferred) / churn.seconds
    many = (per_s > needed) & (steady | (churn.inferred > churn.short))
    many &= ~pooled(seen, churn.ends)
    worst = np.argsort(-per_s, kind="stable")[:MOST]
    for place in worst[many[worst]].tolist():
        yield _finding(seen, limits, churn, place, float(per_s[place]))
    if churn.unseen / churn.seconds > limits["per_s"]:
        yield _unseen(netns, churn, mean(rates_or_zero(summaries, netns, OVERFLOW), summaries))


def _logins(seen: Observations, churn: Churn) -> Bools:
    """The destinations where each connection costs a login."""
    ends, ports = churn.ends, np.zeros(len(churn.ends.keys), np.int64)
    ports[ends.at] = seen.table.remote_port[ends.ours]
    ports[ends.their_at] = seen.table.local_port[ends.theirs]
    return isin(ports, churn_advice.LOGINS_AT)


def _finding(seen: Observations, limits: Limits, churn: Churn, place: int, per_s: float) -> Finding:
    ends, table = churn.ends, seen.table
    ours, theirs = ends.ours[ends.at == place], ends.theirs[ends.their_at == place]
    called = len(ours) >= len(theirs)  # else the server's end, here too, closes first
    rows = ours if called else theirs
    side, end = (words.remote, "dst") if called else (words.local, "src")
    to, netns = side(seen.sample, int(rows[0])), int(table.netns[rows[0]])
    callee = _callee(seen, int(rows[0]), "remote" if called else "local")
    held = _holders(seen, ours, churn.seconds)
    who = held or relays.relaying(seen, netns, callee.remote_port, per_s)
    waiting = int(np.count_nonzero(table.state[np.concatenate([ours, theirs])] == tcp.TIME_WAIT))
    by = f", apparently by {parties.first_name(who)}" if who else ""
    sustained, said = _sustained(seen, ours)
    inferred = churn.inferred[place] > 0
    light = per_s < limits["share"] * sustained.get("sustained_per_s", 0)
    few = per_s <= limits["per_s"]
    return Finding(
        ID,
        words.key(ID, netns, to),
        "info" if few or (light and not inferred) else "warning",
        f"{words.number(per_s)} short connections/s to {to}{by}",
        named(seen, rows, (each.process for each in who), destination=to),
        {"per_s": per_s, "inferred_per_s": float(churn.inferred[place]) / churn.seconds}
        | {"time_wait": waiting}
        | sustained,
        (
            f"{words.number(per_s)} connections/s to {to} were opened and closed within the "
            f"last {words.duration(churn.seconds)}; {words.number(waiting)} wait in TIME-WAIT.",
            *_how(churn, place),
            *said,
            _whose(parties.listed(held), who),
        ),
        churn_advice.advice(
            seen, callee, churn.seconds, who, bool(inferred and not churn.reused[place])
        ),
        f"nstat -az TcpActiveOpens TcpExtTW; ss -Htan state time-wait "
        f"'{end} {words.in_filter(to)}' | wc -l",
    )


def _callee(seen: Observations, row: int, side: str) -> Callee:
    names = ("netns", "interface", f"{side}_hi", f"{side}_lo", f"{side}_port")
    return Callee(*(int(getattr(seen.table, name)[row]) for name in names))


def _holders(seen: Observations, rows: Index, seconds: float) -> list[Party]:
    """Of those that may be of the churn, where such are seen with a process: who holds others for
    long need not be who opens them anew."""
    short = (seen.table.state[rows] == tcp.TIME_WAIT) | (seen.snapshot.seen_s[rows] < seconds)
    return parties.parties(seen, rows[short]) or parties.parties(seen, rows)


def _how(churn: Churn, place: int) -> list[str]:
    """Say so where it was not seen."""
    if churn.inferred[place] <= 0:
        return ["All of them were seen, in TIME-WAIT or while they were open."]
    why = (
        "their ports are in use again, which ends TIME-WAIT"
        if churn.reused[place]
        else "the other end closes first"
    )
    return [
        f"{words.number(churn.inferred[place] / churn.seconds)}/s of them are inferred: "
        f"ActiveOpens counts them, {why}, and most of those that tcptop saw went there."
    ]


def _whose(listed: str, who: list[Party]) -> str:
    if listed:
        return f"Those that were seen with a process belong to {listed}."
    if not who:
        return "No process is known: none of them was seen with one."
    names = ", ".join(words.who(each.process) for each in who[: parties.NAMED])
    more = f" and {len(who) - parties.NAMED} more" if len(who) > parties.NAMED else ""
    return (
        f"None was seen with a process. Apparently by {names}{more}: about as many requests "
        "arrive there on connections that it accepted, so it seems to pass them on."
    )


def _sustained(seen: Observations, rows: Index) -> tuple[dict[str, float], list[str]]:
    """What the range of local ports sustains, where this end closes first."""
    groups = sorted_unique(seen.snapshot.ports.group[rows])
    if not len(groups):
        return {}, []
    capacity = int(seen.snapshot.ports.capacity[groups].sum())
    per_s = timeouts.sustained_connections_per_s(capacity)
    said = (
        f"{words.number(capacity)} local ports sustain {words.number(per_s)} connections/s to it "
        "where this end closes first: each port is held for 60 s."
    )
    return {"sustained_per_s": per_s}, [said]


def _unseen(netns: int, churn: Churn, overflow: float) -> Finding:
    """`overflow`: connections a second that TIME_WAIT has no room for."""
    per_s = churn.unseen / churn.seconds
    why = (
        f"{words.number(overflow)}/s find the TIME-WAIT table full ({OVERFLOW})"
        if 2 * overflow > per_s
        else "the other end closes first"
    )
    return Finding(
        ID,
        words.key(ID, netns, "unseen"),
        "warning",
        f"{words.number(per_s)} connections/s open and close too fast to see where they go",
        Subject(netns),
        {"per_s": per_s},
        (
            f"ActiveOpens counts {words.number(per_s)} connections/s more than were seen; they "
            f"last milliseconds and {why}, so no trace of them is left here.",
        ),
        churn_advice.USUAL + churn_advice.NO_SYSCTL,
        f"nstat -az TcpActiveOpens; tcpdump -c 20 -ni any '{SYNS}'",
    )


RULE = Rule(
    ID,
    10,
    (
        Threshold("per_s", 50, "short connections a second to one destination"),
        Threshold("logins_per_s", 10, "the same to a database, where each logs in: a notice"),
        Threshold("window_s", 10, "seconds for which they keep coming"),
        Threshold("share", 0.15, "share of what the ports sustain, from which it is a warning"),
    ),
    find,
    frozenset({Need.SYSCTLS}),
)
