"""CLOSE_WAIT sockets of one process, for the two rules about them.

The peer has closed; the connection waits for our process to do so (RFC 9293 3.6).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np

from tcptop.analysis.findings import doing, fds, words
from tcptop.analysis.findings.ends import Ends, ends, told
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.rule import Limits
from tcptop.analysis.findings.subjects import named
from tcptop.analysis.findings.summary import at, holding_key
from tcptop.model import tcp
from tcptop.model.arrays import row_hash, sorted_unique
from tcptop.model.finding import Finding
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.sample import Process
from tcptop.model.table import F64, Index

GROWTH_S = 180.0
FAST_S, LONGEST_S = 5.0, 10.0  # within which they only became more
STEADY = 0.5  # of the intervals: those that poll in step leave some only every other second
MOST = 0.5


class CloseWaits(NamedTuple):
    """CLOSE_WAIT rows of a process, and for how many seconds each has been so, at least.

    `growing`: they became more through three minutes, and never fewer. `per_s`: by so many a
    second, which is fast, where they only became more in a few seconds. `fills`: they have taken
    the descriptors of the process.
    """

    process: Process
    rows: Index
    age_s: F64
    ends: Ends
    growing: bool
    per_s: float
    fills: bool


class Said(NamedTuple):
    """What each of the two rules says in its own words; `harmless`: an idle pool that is in use."""

    title: str
    what: str
    advice: str
    values: dict[str, float]
    evidence: tuple[str, ...] = ()
    harmless: bool = False


def findings(
    seen: Observations,
    limits: Limits,
    rule: str,
    unread: bool,
    said: Callable[[Observations, CloseWaits], Said],
) -> Iterator[Finding]:
    """For each process, in each namespace, with so many that are old, or that grew, or that have
    taken its descriptors."""
    for process, rows, age in _by_process(seen, unread):
        growing, per_s = _grew(seen, process, rows), _fast(seen, process, rows, limits)
        if per_s and _are_read(seen, rows) is unread:
            per_s = 0.0  # the other rule tells it
        elif per_s and unread:
            per_s = _as_descriptors_do(seen, process, per_s)
        elif per_s:
            rows, age = _with_end_unread(seen, rows)
        fills = _fills(process, rows, limits)
        old = int(np.count_nonzero(age >= (FAST_S if fills else limits["age_s"])))
        if max(old, len(rows) * (growing or per_s > 0)) >= limits["sockets"]:
            each = CloseWaits(process, rows, age, ends(seen, rows), growing, per_s, fills)
            yield _finding(seen, limits, rule, each, said(seen, each))


def _fills(process: Process, rows: Index, limits: Limits) -> bool:
    """Hardly a descriptor is left, and most are these: young or not, they grow no more."""
    used, share = process.open_fds or 0, process.fd_share or 0.0
    return limits["fd_share"] <= share and used < len(rows) / MOST


def _finding(
    seen: Observations, limits: Limits, rule: str, each: CloseWaits, said: Said
) -> Finding:
    process, oldest = each.process, float(each.age_s.max())
    filled = fds.filling(seen, process)
    usual = "info" if said.harmless and not each.growing else "warning"
    values = {"sockets": len(each.rows), "oldest_s": oldest, "fd_share": filled.share}
    return Finding(
        rule,
        words.key(rule, int(seen.table.netns[each.rows[0]]), process.pid),
        "critical" if fds.runs_out(filled, limits) else usual,
        said.title,
        named(seen, each.rows, [process], each.ends.listener, each.ends.destination),
        values | said.values,
        (
            f"{words.who(process)} holds {words.count(len(each.rows), 'socket')} {said.what}",
            *told(seen, each.ends),
            *said.evidence,
            f"Oldest: at least {words.duration(oldest)} in this state{_growth(each)}.",
            *filled.evidence,
            *doing.evidence(seen, [process]),
        ),
        doing.remedy(seen, [process]) or said.advice,
        f"ss -tanp state close-wait | grep pid={process.pid},",
        since=seen.sample.taken_at - oldest,
    )


def _growth(each: CloseWaits) -> str:
    if each.growing:
        return "; their number has grown for three minutes"
    if each.per_s:
        return f"; they grow by {words.number(each.per_s)}/s, and never became fewer meanwhile"
    return ""


def _by_process(seen: Observations, unread: bool) -> Iterator[tuple[Process, Index, F64]]:
    """Those whose end of file was read, or those where it was not, with their ages."""
    table = seen.table
    waiting = (table.state == tcp.CLOSE_WAIT) & (table.inode != 0)  # else in an accept queue
    rows = np.flatnonzero(waiting & (table.recv_q > 0 if unread else table.recv_q == 0))
    if not len(rows):
        return
    if unread:  # what MPTCP has not read lies in another socket than its subflow
        rows = rows[table.ulp[rows] != b"mptcp"]
    age = _age(seen, rows)
    processes = seen.snapshot.holders.processes
    first = seen.snapshot.holders.first(rows)
    key = row_hash(first + 1, table.netns[rows])
    for one in sorted_unique(key[first >= 0]).tolist():
        mine = key == one
        yield processes[int(first[mine][0])], rows[mine], age[mine]


def _with_end_unread(seen: Observations, rows: Index) -> tuple[Index, F64]:
    """And those of the same process of which only the FIN is unread, which counts 1: a read() of
    exactly the last byte takes it along, so that it lies there by chance."""
    every = _every(seen, rows)
    mine = every[seen.table.recv_q[every] <= 1]
    return mine, _age(seen, mine)


def _are_read(seen: Observations, rows: Index) -> bool:
    """Whether most of the process are read, the FIN apart, and some to their very end."""
    recv_q = seen.table.recv_q[_every(seen, rows)]
    return bool((recv_q == 0).any()) and int((recv_q <= 1).sum()) >= MOST * len(recv_q)


def _as_descriptors_do(seen: Observations, process: Process, per_s: float) -> float:
    """The growth, where the process has so many more open each second.

    An idle pool that its server closes one after the other keeps as many as before, and so does a
    server that hangs while its clients leave.
    """
    return per_s if fds.growth_per_s(seen, process) >= MOST * per_s else 0.0


def _every(seen: Observations, rows: Index) -> Index:
    """All CLOSE_WAIT sockets of the process and namespace that these are of."""
    table, first = seen.table, seen.snapshot.holders.first
    every = np.flatnonzero((table.state == tcp.CLOSE_WAIT) & (table.inode != 0))
    every = every[table.netns[every] == table.netns[rows[0]]]
    mine: Index = every[first(every) == first(rows[:1])[0]]
    return mine


def _age(seen: Observations, rows: Index) -> F64:
    """The FIN refreshed last_ack_recv; later acks and answers to keepalive probes reset it.

    What the process still sends on is half-closed on purpose, and not forgotten.
    """
    heard = seen.table.since_s("last_ack_recv", rows)
    waited = np.fmax(seen.snapshot.durations.state_s[rows], heard)
    age: F64 = np.fmin(waited, seen.table.since_s("last_data_sent", rows))
    return age


def _grew(seen: Observations, process: Process, rows: Index) -> bool:
    """Whether its CLOSE_WAIT sockets never became fewer in three minutes, and are more now."""
    netns = int(seen.table.netns[rows[0]])
    if seen.back(GROWTH_S) is None or netns not in seen.summaries[0].counters:
        return False
    key = holding_key(process, netns)
    numbers = [at(m.process, m.close_wait, key) or 0.0 for m in seen.summaries]
    steady = all(after >= before for before, after in pairwise(numbers))
    return steady and numbers[0] < len(rows)


def _fast(seen: Observations, process: Process, rows: Index, limits: Limits) -> float:
    """By how many a second its CLOSE_WAIT sockets grow, steadily; 0 where they do not, or slowly.

    What is closed at once, by a server that restarts, comes in one interval.
    """
    then = seen.back(min(LONGEST_S, seen.watched_s))
    if "per_s" not in limits or seen.watched_s < FAST_S or then is None:
        return 0.0
    netns = int(seen.table.netns[rows[0]])
    key = holding_key(process, netns)
    recent = [m for m in seen.summaries if m.clock >= then.clock and netns in m.counters]
    numbers = [at(m.process, m.close_wait, key) or 0.0 for m in recent]
    if len(numbers) < 3:
        return 0.0
    grown = np.diff(np.array(numbers))
    per_s = float(grown.sum()) / (recent[-1].clock - recent[0].clock)
    steady = (grown >= 0).all() and float((grown > 0).mean()) >= STEADY
    return per_s if steady and per_s >= limits["per_s"] else 0.0
