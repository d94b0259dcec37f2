"""Local ports on which a service cannot listen, as another socket of this host has them: that of a
connection that was called from here (an ephemeral port), or one that bind() took and no more."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tcptop.analysis.findings import words
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.stalls import TALKING
from tcptop.model.arrays import isin_codes

FEW = 3  # of many it is not known which one is meant


def said(seen: Observations, netns: int) -> Iterator[str]:
    held = [*_calls(seen, netns), *_bound(seen, netns)]
    if 0 < len(held) <= FEW:
        yield (
            f"Ports that others hold here: {words.joined(held)}. A service that should listen on "
            "such a port fails with EADDRINUSE (net.ipv4.ip_local_reserved_ports keeps a port "
            "from being given out)."
        )


def _calls(seen: Observations, netns: int) -> list[str]:
    table = seen.table
    mine = (table.netns == netns) & ~seen.accepted & ~seen.remote_here & (table.inode != 0)
    rows = np.flatnonzero(mine & isin_codes(table.state, TALKING))
    if len(rows) > FEW:
        return [""] * len(rows)
    return [
        f"{words.port(table, row)} ({_who(seen, row)} to {words.remote(seen.sample, row)})"
        for row in rows.tolist()
    ]


def _who(seen: Observations, row: int) -> str:
    processes = seen.processes(row)
    return words.called(processes[0]) if processes else "a connection"


def _bound(seen: Observations, netns: int) -> list[str]:
    bound, owners = seen.sample.bound, seen.sample.owners
    rows = np.flatnonzero((bound.netns == netns) & (bound.local_port > 0))
    if len(rows) > FEW:
        return [""] * len(rows)
    told = []
    for row in rows.tolist():
        pids = owners.pids[owners.inodes == bound.inode[row]].tolist()
        names = [words.called(owners.processes[pid]) for pid in pids if pid in owners.processes]
        who = names[0] if names else "a socket"
        told.append(f":{bound.local_port[row]} ({who}, bound and not listening)")
    return told
