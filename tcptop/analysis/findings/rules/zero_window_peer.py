"""zero-window-peer: the remote kernel answers, and the remote program does not read."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tcptop.analysis import stalls
from tcptop.analysis.findings import doing, ends, networks, words
from tcptop.analysis.findings.groups import ConnectionGroup, grouped
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.rule import Limits, Need, Rule, Threshold
from tcptop.analysis.peers import peer_rows
from tcptop.model.arrays import sorted_unique
from tcptop.model.finding import Finding
from tcptop.model.sample import Process
from tcptop.model.table import F64

ID = "zero-window-peer"
ALIKE = "A proxy whose other side is slow looks the same from here."


def find(seen: Observations, limits: Limits) -> Iterator[Finding]:
    rows = stalls.pending(seen.table)
    if not len(rows):
        return
    shut_s = stalls.shut_s(seen.snapshot, rows)
    stuck = shut_s >= limits["shut_s"]
    rows, shut_s = rows[stuck], shut_s[stuck]
    for group in grouped(seen, rows, by_process=False):
        for_s = shut_s[np.searchsorted(rows, group.rows)]
        yield _finding(seen, limits, group, for_s)


def _finding(seen: Observations, limits: Limits, group: ConnectionGroup, for_s: F64) -> Finding:
    table, rows, longest = seen.table, group.rows, float(for_s.max())
    waiting = int(table.send_q[rows].sum())
    worst = int(rows[for_s.argmax()])
    reader = _reader(seen, group)
    return Finding(
        ID,
        group.key(ID),
        "critical" if longest >= limits["critical_s"] else "warning",
        f"{_title(seen, group, reader)}: {words.size(waiting)} wait in Send-Q",
        group.subject(seen),
        {"connections": len(rows), "send_q": waiting, "longest_s": longest},
        tuple(_evidence(seen, group, worst, longest, reader)),
        (reader and doing.remedy(seen, [reader])) or _advice(group, reader),
        f"ss -tinpo 'dst {words.in_filter(words.remote(seen.sample, worst))}'",
        since=seen.sample.taken_at - longest,
        guesses=(ALIKE,),
    )


def _title(seen: Observations, group: ConnectionGroup, reader: Process | None) -> str:
    many, where = len(group.rows), group.destination or f"clients of {group.listener}"
    if reader:
        return f"{words.name(reader)} does not read what {group.who} sends"
    if many == 1:
        return (
            f"{words.remote(seen.sample, int(group.rows[0]))} does not read what {group.who} sends"
        )
    if group.listener and _one_address(seen, group):
        where = words.remote_address(seen.sample, int(group.rows[0]))
    verb = "do" if where.startswith("clients of ") else "does"
    connections = words.count(many, "connection")
    return f"{where} {verb} not read what {group.who} sends on {connections}"


def _one_address(seen: Observations, group: ConnectionGroup) -> bool:
    return len(sorted_unique(networks.address_keys(seen.table, group.rows))) == 1


def _reader(seen: Observations, group: ConnectionGroup) -> Process | None:
    """The process at the other end, where that is here and one for all."""
    peers = peer_rows(seen.table, group.rows)
    processes = {
        process for peer in set(peers.tolist()) if peer >= 0 for process in seen.processes(peer)
    }
    return processes.pop() if len(processes) == 1 and (peers >= 0).all() else None


def _evidence(
    seen: Observations, group: ConnectionGroup, worst: int, longest: float, reader: Process | None
) -> Iterator[str]:
    table = seen.table
    heard = float(table.since_s("last_ack_recv", group.rows).min())
    who, many = group.in_full, len(group.rows)
    seconds = words.duration(longest)
    shut = f"seconds, on one of them for at least {seconds}" if many > 1 else seconds
    yield (
        f"{who} has {words.count(many, 'connection')} {group.where} on which no byte was "
        f"acknowledged for {shut}; {words.size(int(table.send_q[worst]))} wait"
        f"{_on_it(seen, group, worst)}."
    )
    if many > 1 and group.listener:
        yield f"They are from {ends.addresses(seen.sample, group.rows)}."
    yield (
        f"The peer's window is {_window(seen, worst)} and its kernel answers the probes (last "
        f"heard from {words.duration(heard)} ago): the host is up, but its program "
        "reads nothing, or so little that the window stays shut."
    )
    if reader:
        yield f"The other end is on this host: {words.who(reader)}."
        yield from doing.evidence(seen, [reader])
    else:
        yield ALIKE


def _on_it(seen: Observations, group: ConnectionGroup, worst: int) -> str:
    """Which of several it is, by the end that differs."""
    if len(group.rows) == 1:
        return ""
    if group.destination:
        return f" on the one from {words.local(seen.sample, worst)}"
    return f" on the one to {words.remote(seen.sample, worst)}"


def _window(seen: Observations, row: int) -> str:
    """`snd_wnd` is known since 5.4; the persist timer says as much."""
    window = float(seen.table.info_of("snd_wnd", np.array([row]))[0])
    return "closed (persist timer)" if np.isnan(window) else words.count(window, "byte")


def _advice(group: ConnectionGroup, reader: Process | None) -> str:
    there = words.name(reader) if reader else "the program at the other end"
    return (
        f"Check {there}: it is stuck, or reads more slowly than it is sent to. Here: set a write "
        f"timeout in {group.who} (or TCP_USER_TIMEOUT), and drop the slowest readers. Larger "
        "buffers and sysctls do not help."
    )


RULE = Rule(
    ID,
    0,
    (
        Threshold("shut_s", stalls.SHUT_S, "seconds without a byte acknowledged"),
        Threshold("critical_s", 60, "seconds after which it is critical"),
    ),
    find,
    frozenset({Need.TCP_INFO}),
)
