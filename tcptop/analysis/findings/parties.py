"""Who and where: the processes behind many rows, and destinations as text."""

from __future__ import annotations

import numpy as np

from tcptop.analysis.findings import words
from tcptop.analysis.findings.observations import Observations
from tcptop.model import address, tcp
from tcptop.model.arrays import sorted_unique
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.sample import Process
from tcptop.model.table import I64, Bools, Index
from tcptop.model.unchanged import while_same

NAMED = 3  # processes in a sentence


class Party(NamedTuple):
    process: Process
    sockets: int


def parties(seen: Observations, rows: Index) -> list[Party]:
    """The processes that hold these rows or are remembered for them, the one of most first."""
    process = seen.snapshot.holders.first(rows)
    number = np.bincount(process[process >= 0])
    order = np.argsort(-number, kind="stable")
    processes = seen.snapshot.holders.processes
    return [Party(processes[p], int(number[p])) for p in order.tolist() if number[p]]


def held(seen: Observations, process: Process) -> Index:
    """The sockets that a process holds, each once."""
    holders = seen.snapshot.holders
    mine = np.array([each.pid == process.pid for each in holders.processes], bool)
    if not mine.any():
        return np.zeros(0, np.int64)
    return _held(mine, holders.process, holders.row, holders.fd)


@while_same(kept=4)
def _held(mine: Bools, process: Index, row: Index, fd: I64) -> Index:
    rows: Index = sorted_unique(row[mine[process] & (fd != -1)])
    return rows


def listed(found: list[Party]) -> str:
    """curl (pid 200): 17, python3 (pid 311): 3; a single one without its number"""
    if len(found) == 1:
        return words.who(found[0].process)
    named = [f"{words.who(each.process)}: {words.number(each.sockets)}" for each in found[:NAMED]]
    more = len(found) - NAMED
    return ", ".join(named) + (f" and {more} more" if more > 0 else "")


def first_name(found: list[Party]) -> str:
    """The name of the one with most; empty where nobody is known."""
    return words.called(found[0].process) if found else ""


def destination(seen: Observations, group: int) -> str:
    """10.0.0.9:8080"""
    ports = seen.snapshot.ports
    zone = seen.sample.zone(int(ports.netns[group]), int(ports.interface[group]))
    text = address.remote_text(ports, group)
    return address.endpoint(text, int(ports.remote_port[group]), zone)


def states(seen: Observations, rows: Index) -> str:
    """61 ESTAB, 20 CLOSE-WAIT: by number, the most first."""
    number = np.bincount(seen.table.state[rows], minlength=12)
    order = np.argsort(-number, kind="stable").tolist()
    return ", ".join(f"{words.number(number[s])} {tcp.SS_STATES[s]}" for s in order if number[s])
