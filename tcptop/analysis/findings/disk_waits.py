"""Servers that have read requests and wait, in the kernel, for a disk or a network file system."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from tcptop.analysis.findings import doing, words
from tcptop.analysis.findings.awaiting import awaiting
from tcptop.analysis.findings.groups import ConnectionGroup, by_place
from tcptop.analysis.findings.observations import Observations
from tcptop.model.finding import Finding
from tcptop.model.sample import Process
from tcptop.model.table import F64

CLIENTS = 3  # that wait
WAITED_S = 10.0
ASKED = 8  # processes: those of the clients that have waited longest
ADVICE = (
    "Look at the disk or the mount that it waits for: dmesg (hung tasks, I/O errors), "
    "/proc/pressure/io, df and mount (a network file system whose server is gone, fsfreeze), "
    "cat /proc/{pid}/task/*/stack as root. Such a sleep ends when that answers; kill does not end "
    "it. Clients need a deadline of their own."
)


def disk_waits(seen: Observations, id: str) -> Iterator[Finding]:
    rows, waited_s = awaiting(seen, called=False, least_s=WAITED_S)
    for group in by_place(seen, rows) if len(rows) >= CLIENTS else ():
        if len(group.rows) < CLIENTS:
            return
        for_s = waited_s[np.searchsorted(rows, group.rows)]
        stuck = [each for each in _asked(seen, group, for_s) if doing.waits_for_disk(seen, each)]
        if stuck:
            yield _finding(seen, id, group, for_s, stuck)


def _asked(seen: Observations, group: ConnectionGroup, for_s: F64) -> Sequence[Process]:
    oldest = group.rows[np.argsort(-for_s, kind="stable")].tolist()
    held = (each for row in oldest for each in seen.processes(row))
    return [*{each.pid: each for each in held}.values()][:ASKED]


def _finding(
    seen: Observations, id: str, group: ConnectionGroup, for_s: F64, stuck: Sequence[Process]
) -> Finding:
    number, oldest = len(group.rows), words.duration(float(for_s.max()))
    return Finding(
        id,
        words.key(id, group.netns, group.listener, "disk"),
        "warning",
        f"{words.count(number, 'client')} of {group.who} on {group.listener} wait for an answer, "
        f"the oldest for {oldest}: it waits for a disk or a network file system",
        group.subject(seen),
        {"connections": number, "longest_s": float(for_s.max())},
        (
            f"{group.in_full} has read the data of {words.count(number, 'connection')} "
            f"{group.where} and has sent nothing back for {words.duration(WAITED_S)} or longer, on "
            f"the oldest for {oldest}.",
            *doing.evidence(seen, stuck),
        ),
        ADVICE.format(pid=stuck[0].pid),
        f"ps -L -o pid,tid,stat,wchan:32,comm -p {stuck[0].pid}; ss -tinp state established "
        f"'sport = {group.listener}'",
        since=seen.sample.taken_at - float(for_s.max()),
    )
