"""Who holds sockets, as rows that lead to the panes of the processes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tcptop.analysis.identity import process_keys
from tcptop.columns import PROCESSES, units
from tcptop.columns.endpoints import SHORT_NOTES
from tcptop.model import owner
from tcptop.model.table import Index
from tcptop.tui.panes.lists import Excerpt, excerpt
from tcptop.tui.panes.row import PaneRow, Scene, Target, told, wrapped
from tcptop.tui.widgets.layout import TableColumn

ITS = TableColumn("its", "Its", 6, right=True)
MOST = 4  # holders of one socket that are named


def holders(scene: Scene, row: int) -> Iterator[PaneRow]:
    """The processes that hold one socket, or why nobody can be named."""
    snapshot = scene.snapshot
    note = int(snapshot.note[row])
    entries = range(int(snapshot.holders.start[row]), int(snapshot.holders.start[row + 1]))
    for entry in entries[:MOST]:
        index, fd = int(snapshot.holders.process[entry]), int(snapshot.holders.fd[entry])
        process = snapshot.holders.processes[index]
        where = f"fd {fd}" if fd >= 0 else "closed by it"
        name = f"{units.safe(process.name)}/{process.pid}"
        goal = _target(scene, index, int(scene.table.netns[row]))
        made = told(scene.room, "process", f"{name} {where}", units.safe(process.cmdline), "", goal)
        yield PaneRow(("holder", name, fd), made.drawn, goal)
    if len(entries) > MOST:
        yield told(scene.room, "", f"and {len(entries) - MOST} others")
    if note:
        yield from wrapped(scene.room, "owner", f"{SHORT_NOTES[note]} {owner.NOTES[note]}".strip())


def _target(scene: Scene, process: int, netns: int) -> Target | None:
    found = scene.selection.processes
    place = np.flatnonzero((found.process == process) & (found.netns == netns))[:1]
    keys = process_keys(scene.selection, place).tolist()
    return Target(PROCESSES, keys[0]) if keys else None


def responsible(scene: Scene, rows: Index) -> Iterator[PaneRow]:
    """The processes that hold any of these sockets, those with the most of them first."""
    snapshot, found = scene.snapshot, scene.selection.processes
    mine = np.zeros(len(scene.table), bool)
    mine[rows] = True
    held = snapshot.holders.process[mine[snapshot.holders.row]]
    counts = np.bincount(held, minlength=len(snapshot.holders.processes))
    spaces = np.unique(scene.table.netns[rows])
    places = np.flatnonzero((found.process >= 0) & np.isin(found.netns, spaces))
    own = counts[found.process[places]]
    order = np.argsort(-own, kind="stable")
    order = order[own[order] > 0]
    part = Excerpt(PROCESSES, "Processes", (), ITS, "its sockets here, then all that it has")
    yield from excerpt(scene, part, places[order], [str(n) for n in own[order].tolist()])
