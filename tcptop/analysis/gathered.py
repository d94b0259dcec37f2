"""Processes as people list them: those that have ended by name, and what was closed apart from what
nobody can be named for."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np

from tcptop.analysis.groups import known_sums
from tcptop.model import owner, tcp
from tcptop.model.arrays import distinct
from tcptop.model.selection import Selection
from tcptop.model.snapshot import Holders, Processes
from tcptop.model.table import Index

COUNTS = ("sockets", "shared", "by_state", "recv_q", "send_q", "members")
RATES = ("bytes_sent_per_s", "bytes_received_per_s", "retransmits_per_s")


def gathered(found: Selection) -> Selection:
    """With one row for all ended processes of a name, and one for TIME-WAIT without a process."""
    people = _closed_apart(_by_name(found.processes, found.snapshot.holders))
    return replace(found, processes=people)


def _by_name(found: Processes, holders: Holders) -> Processes:
    ended = np.flatnonzero((found.owner == owner.REMEMBERED) & (found.process >= 0))
    if len(ended) < 2:
        return found
    first: dict[tuple[str, int], int] = {}
    group = np.arange(len(found))
    for row, process in zip(ended.tolist(), holders.at(found.process[ended]), strict=True):
        called = (process.label or process.name) if process else ""
        group[row] = first.setdefault((called, int(found.netns[row])), row)
    kept, _, number, _ = distinct(group)
    return _summed(found, kept, number)


def _summed(found: Processes, kept: Index, number: Index) -> Processes:
    """The rows `kept`, with the counts of all rows of their number."""
    made = {each.name: getattr(found, each.name)[kept] for each in fields(Processes)}
    for name in COUNTS:
        made[name] = np.zeros_like(made[name])
        np.add.at(made[name], number, getattr(found, name))
    for name in RATES:
        made[name] = known_sums(number, len(kept), getattr(found, name))
    return Processes(**made)


def _closed_apart(found: Processes) -> Processes:
    closed = found.by_state[:, tcp.TIME_WAIT]
    unknown = (found.process < 0) & (found.owner == owner.UNKNOWN)
    mixed = np.flatnonzero(unknown & (closed > 0) & (closed < found.sockets))
    if not len(mixed):
        return found
    rows = np.concatenate([np.arange(len(found)), mixed])
    made = {each.name: getattr(found, each.name)[rows] for each in fields(Processes)}
    new, waits = np.arange(len(found), len(rows)), closed[mixed]
    made["sockets"][new], made["sockets"][mixed] = waits, found.sockets[mixed] - waits
    made["by_state"][new] = 0
    made["by_state"][new, tcp.TIME_WAIT], made["by_state"][mixed, tcp.TIME_WAIT] = waits, 0
    for name in ("shared", "recv_q", "send_q"):
        made[name][new] = 0
    for name in RATES:
        made[name][new] = np.nan
    return replace(found, **made)
