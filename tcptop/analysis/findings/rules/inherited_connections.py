"""inherited-connections: children hold connections open that their server has closed."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tcptop.analysis import stalls
from tcptop.analysis.findings import doing, parties, servers, words
from tcptop.analysis.findings.groups import by_place
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.rule import Limits, Need, Rule, Threshold
from tcptop.analysis.findings.subjects import named
from tcptop.analysis.listeners import match
from tcptop.model import tcp
from tcptop.model.arrays import isin_codes, sorted_unique
from tcptop.model.finding import Finding
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.sample import Process
from tcptop.model.table import Bools, Index

ID = "inherited-connections"
STDIO = 2  # inetd and its like hand a connection to a program as its descriptors 0 to 2
ASKED = 32  # processes of one listener
NAMED = 3  # names in the title
MANY = 3  # of one process that has the server's name: one alone is what it was forked for


class _Inherited(NamedTuple):
    """Connections of one listener, its processes, and the others that hold them."""

    rows: Index
    listener: int
    servers: list[Process]
    heirs: list[parties.Party]


def find(seen: Observations, limits: Limits) -> Iterator[Finding]:
    rows = _left(seen, limits["idle_s"])
    for group in by_place(seen, rows) if len(rows) >= limits["connections"] else ():
        listener = int(match(seen.table, group.rows[:1])[0])
        found = _inherited(seen, listener, group.rows) if listener >= 0 else None
        if found and len(found.rows) >= limits["connections"]:
            yield _finding(seen, found)


def _left(seen: Observations, idle_s: float) -> Index:
    """Accepted connections that are at rest, answered, and not held by a process that serves."""
    table, holders = seen.table, seen.snapshot.holders
    serves = _serves(seen)
    others = holders.row[~serves[holders.process] & holders.held]
    rows = sorted_unique(others[seen.accepted[others]])
    if not len(rows):
        return rows
    rows = rows[isin_codes(table.state[rows], stalls.TALKING) & (table.inode[rows] != 0)]
    sent, received = (table.since_s(f"last_data_{way}", rows) for way in ("sent", "recv"))
    at_rest = (sent >= idle_s) & (received >= sent) & (table.info_of("data_segs_out", rows) > 0)
    left: Index = rows[at_rest]
    if len(left):
        served = np.zeros(len(table), bool)
        served[holders.row[serves[holders.process] & holders.held]] = True
        left = left[~served[left]]
    return left


def _serves(seen: Observations) -> Bools:
    """Which processes listen: a child may have inherited that too, but its name is another one."""
    holders = seen.snapshot.holders
    serves = np.zeros(len(holders.processes), bool)
    for row in np.flatnonzero(seen.table.state == tcp.LISTEN).tolist():
        places = holders.process[holders.start[row] : holders.start[row + 1]].tolist()
        listening = sorted((holders.processes[at] for at in places), key=lambda p: p.start_time)
        for at in places:
            serves[at] |= _related(holders.processes[at], listening[0])
    return serves


def _related(one: Process, other: Process) -> bool:
    """By their names: sshd and sshd-session."""
    return one.name.startswith(other.name) or other.name.startswith(one.name)


def _inherited(seen: Observations, listener: int, rows: Index) -> _Inherited | None:
    """Those whose holders are known to wait for something else."""
    listening = seen.processes(listener)
    heirs = [
        each.process
        for each in parties.parties(seen, rows)
        if each.sockets >= MANY or not any(_related(each.process, one) for one in listening)
    ]
    unused = {each.pid for each in heirs[:ASKED] if _waits_elsewhere(seen, each)}
    mine = [row for row in rows.tolist() if _only_by(seen, row, unused)]
    if not mine or not listening:
        return None
    held_by = parties.parties(seen, np.array(mine))
    pids = {each.process.pid for each in held_by}  # who may have inherited the listener too
    serving = [each for each in listening if each.pid not in pids] or listening
    return _Inherited(np.array(mine), listener, serving, held_by)


def _only_by(seen: Observations, row: int, pids: set[int]) -> bool:
    held = [(process.pid, fd) for process, fd in seen.snapshot.holders.of(row) if fd >= 0]
    return all(pid in pids and fd > STDIO for pid, fd in held)


def _waits_elsewhere(seen: Observations, process: Process) -> bool:
    facts = seen.facts(process)
    return facts is not None and doing.waits_elsewhere(facts)


def _finding(seen: Observations, found: _Inherited) -> Finding:
    rows, where = found.rows, words.local(seen.sample, found.listener)
    idle_s = seen.table.since_s("last_data_sent", rows)
    server, many = words.called(found.servers[0]), words.count(len(rows), "connection")
    filter_ = words.served(seen.sample, found.listener)
    return Finding(
        ID,
        words.key(ID, int(seen.table.netns[rows[0]]), where),
        "warning",
        f"{_heirs(found)} {'hold' if len(found.heirs) > 1 else 'holds'} {many} of "
        f"{servers.title(seen, found.listener, found.servers)} that nobody uses",
        named(seen, rows, (each.process for each in found.heirs), where),
        {"connections": len(rows), "processes": len(found.heirs), "longest_s": float(idle_s.max())},
        tuple(_evidence(seen, found, where, float(idle_s.max()))),
        f"A connection ends when the last process that has it closes it. {server} starts "
        "programs that inherit its connections: let it open sockets with close-on-exec "
        "(SOCK_CLOEXEC, accept4()) and start programs with close_fds, or call shutdown() before "
        "close(), which ends a connection whoever else has it. Until then: ending "
        f"{_heirs(found)} closes them.",
        f"ss -tnp state established '{filter_}'",
        since=seen.sample.taken_at - float(idle_s.max()),
    )


def _heirs(found: _Inherited) -> str:
    """backup; 12 processes of sleep; 12 processes (sleep, backup)"""
    names = list(dict.fromkeys(words.called(each.process) for each in found.heirs))
    if len(found.heirs) == 1:
        return names[0]
    many = words.count(len(found.heirs), "process", "processes")
    return f"{many} of {names[0]}" if len(names) == 1 else f"{many} ({', '.join(names[:NAMED])})"


def _evidence(seen: Observations, found: _Inherited, where: str, longest_s: float) -> Iterator[str]:
    many = words.count(len(found.rows), "connection")
    yield (
        f"{many} to {where}, where {servers.named(found.servers)} "
        f"{'listens' if len(found.servers) == 1 else 'listen'}, "
        f"{'is' if len(found.rows) == 1 else 'are'} held by "
        f"{servers.named([each.process for each in found.heirs])} alone: "
        f"{words.called(found.servers[0])} has closed {'it' if len(found.rows) == 1 else 'them'}."
    )
    yield (
        "The last data on each was sent from this side; since then nothing came or went, on the "
        f"longest for {words.duration(longest_s)}. A client that waits for the end of the "
        "connection waits for as long as that process runs."
    )
    yield from doing.evidence(seen, [each.process for each in found.heirs])


RULE = Rule(
    ID,
    1,
    (
        Threshold("connections", 3, "connections of one listener that others hold"),
        Threshold("idle_s", 5, "seconds that nothing has been sent or received on each"),
    ),
    find,
    frozenset({Need.OWNERS, Need.TCP_INFO}),
)
