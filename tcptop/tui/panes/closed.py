"""The pane of a connection that has ended, and those of a process or a remote end in its pane."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tcptop.analysis.identity import process_keys
from tcptop.analysis.selection import ended
from tcptop.columns import CLOSED, PROCESSES, REMOTES, SOCKETS, closed
from tcptop.columns.detail import Fact
from tcptop.model.closed import Closed
from tcptop.model.sample import Process
from tcptop.model.snapshot import Ports, Remotes
from tcptop.model.table import Bools
from tcptop.tui.panes.parts import Excerpt, excerpt
from tcptop.tui.panes.rows import Pane, PaneRow, Scene, Target, grid, place_of, told, wrapped

GROUPS = (("Sending", "sending"), ("Receiving", "receiving"), ("Path", "path"))


def pane(scene: Scene, key: int) -> Pane | None:
    """None where it is forgotten: those of the last minutes are kept, as many as fit."""
    place = place_of(CLOSED, scene.selection, key)
    if place is None:
        return None
    facts = closed.facts(scene.selection, place)
    ends = {fact.name: fact.value for fact in facts if fact.group == "connection"}
    return Pane(
        f"Closed connection {ends['local']} with {ends['remote']}",
        [
            *(_line(scene, fact) for fact in facts if fact.group == "end"),
            *_leads(scene, place, facts),
            *grid(
                scene.room,
                ((title, [f for f in facts if f.group == group]) for title, group in GROUPS),
            ),
        ],
    )


def _line(scene: Scene, fact: Fact, opens: Target | None = None) -> PaneRow:
    return told(scene.room, fact.name, fact.value, fact.meaning, opens=opens)


def _leads(scene: Scene, place: int, facts: list[Fact]) -> Iterator[PaneRow]:
    one = ended(scene.snapshot).take(np.array([place]))
    goals = {"process": _process(scene, one), "remote": _remote(scene, one)}
    for fact in facts:
        if fact.group == "connection":
            goal = goals.get(fact.name)
            if fact.name == "process":
                yield from wrapped(scene.room, fact.name, f"{fact.value} {fact.meaning}", "", goal)
            else:
                yield _line(scene, fact, goal)
    (key,) = CLOSED.keys(scene.selection, np.array([place])).tolist()
    if np.isin(scene.table.key, np.uint64(key)).any():
        yield told(
            scene.room, "still there", "the kernel's record of it", "", "", Target(SOCKETS, key)
        )


def _process(scene: Scene, one: Closed) -> Target | None:
    """Where it has sockets still."""
    at = int(one.process[0])
    if at < 0:
        return None
    found, who = scene.selection.processes, one.processes[at]
    places = [_same(each, who) for each in scene.snapshot.holders.processes]
    mine = (found.process >= 0) & np.append(places, False)[found.process]
    place = np.flatnonzero(mine & (found.netns == one.netns[0]))[:1]
    keys = process_keys(scene.selection, place).tolist()
    return Target(PROCESSES, keys[0]) if keys else None


def _remote(scene: Scene, one: Closed) -> Target | None:
    groups = scene.selection.remote_groups
    same = np.ones(len(groups), bool)
    for name in ("netns", "interface", "remote_hi", "remote_lo"):
        same &= getattr(groups, name) == getattr(one, name)
    same &= (groups.remote_port < 0) | (groups.remote_port == one.remote_port)
    keys = REMOTES.keys(scene.selection, np.flatnonzero(same)[:1]).tolist()
    return Target(REMOTES, keys[0]) if keys else None


def _same(one: Process, other: Process) -> bool:
    return (one.pid, one.start_time) == (other.pid, other.start_time)


# -- in other panes


def of_process(scene: Scene, process: Process) -> Iterator[PaneRow]:
    every = ended(scene.snapshot)
    mine = [_same(each, process) for each in every.processes]
    yield from _excerpt(scene, every, np.array([*mine, False])[every.process], "process")


def towards(scene: Scene, groups: Ports | Remotes, place: int) -> Iterator[PaneRow]:
    """Those with the same remote end; of a destination from the same local address, too."""
    every = ended(scene.snapshot)
    names = ["netns", "interface", "remote_hi", "remote_lo"]
    names += ["local_hi", "local_lo"] if isinstance(groups, Ports) else []
    chosen = np.ones(len(every), bool)
    for name in names:
        chosen &= getattr(every, name) == getattr(groups, name)[place]
    port = int(groups.remote_port[place])
    yield from _excerpt(scene, every, chosen & ((port < 0) | (every.remote_port == port)), "")


def _excerpt(scene: Scene, every: Closed, chosen: Bools, without: str) -> Iterator[PaneRow]:
    rows = np.flatnonzero(chosen)
    rows = rows[np.argsort(-every.at[rows], kind="stable")]
    yield from excerpt(scene, Excerpt(CLOSED, "Closed, the newest first", (without,)), rows)
