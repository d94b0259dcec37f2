"""The pane of a listener: its queue against the backlog, what is lost, and who waits in it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from tcptop.analysis.listeners import group_keys
from tcptop.columns import LISTENERS, SOCKETS, detail, listeners, units
from tcptop.columns.detail import Fact
from tcptop.tui.chart import Limit
from tcptop.tui.panes.charts import Drawing, bands, recorded
from tcptop.tui.panes.parts import Excerpt, excerpt, found, holders, option_facts
from tcptop.tui.panes.rows import Pane, PaneRow, Scene, Target, grid, place_of, told, whole
from tcptop.tui.widgets.layout import TableColumn

WAITS = TableColumn("waits", "Waits", 7, right=True)


def pane(scene: Scene, key: int) -> Pane | None:
    """None where nobody listens there (any more)."""
    place = place_of(LISTENERS, scene.selection, key)
    if place is None:
        return None
    row = int(scene.snapshot.listeners.row[place])
    first, *others = bands(scene.room, [*_drawings(scene, key, place)]) or [[]]
    (local,) = listeners.local_texts(scene.selection, np.array([place]))
    return Pane(
        f"Listener {local}",
        [
            _queue(scene, key, place),
            *found(scene, np.array([row])),
            *_losses(scene, place),
            *holders(scene, row),
            *first,
            *_waiting(scene, row),
            *_siblings(scene, place),
            *(line for band in others for line in band),
            *grid(scene.room, _facts(scene, row)),
        ],
    )


def _queue(scene: Scene, key: int, place: int) -> PaneRow:
    """The queue against what fits: one more than the backlog (sk_acceptq_is_full)."""
    at, style = np.array([place]), ""
    queue = int(scene.table.recv_q[scene.snapshot.listeners.row[place]])
    peak = int(scene.snapshot.listeners.peak[place])
    backlog = float(listeners.backlog(scene.selection, at)[0])
    if np.isnan(backlog):
        meaning = "the backlog is not known from /proc/net/tcp"
        value = f"{queue} wait for accept(), peak {peak}"
    else:
        fill = queue / (backlog + 1)
        style = "bad" if fill >= 1 else "warn" if fill >= 0.8 else ""
        value = f"{queue} of {backlog + 1:.0f} wait for accept() ({fill:.0%}), peak {peak}"
        row = int(scene.snapshot.listeners.row[place])
        meaning = f"backlog {backlog:.0f}"
        if scene.snapshot.sample.backlog_clamped(row):
            meaning += ", all that net.core.somaxconn allows"
    return told(scene.room, "accept queue", value, meaning, style, Target(LISTENERS, key, True))


def _losses(scene: Scene, place: int) -> Iterator[PaneRow]:
    found, at = scene.snapshot.listeners, np.array([place])
    rate, drops = float(found.drops_per_s[place]), float(listeners.drops(scene.selection, at)[0])
    meaning = "SYNs and ACKs it dropped; a client tries again after 1 s, 3 s, 7 s..."
    value = f"{units.rate(rate)}/s, {units.count(drops)} in all"
    yield from whole(scene.room, "drops", value, meaning, "bad" if rate > 0 else "")
    half_open = str(int(found.syn_queue[place]))
    yield told(scene.room, "SYN queue", half_open, "half-open: their final ACK has not come")


def _drawings(scene: Scene, key: int, place: int) -> Iterator[Drawing]:
    draw = partial(recorded, scene, (LISTENERS.name, key))
    backlog = float(listeners.backlog(scene.selection, np.array([place]))[0])
    limit = Limit("backlog", backlog)
    queue = {"queue": "queue", "peak": "peak"}
    yield draw("Accept queue", units.count, queue, limit)
    yield draw("Drops a second", units.rate, {"packets": "drops_per_s"})
    yield draw("SYN queue", units.count, {"half-open": "syn_queue"})


def _waiting(scene: Scene, row: int) -> Iterator[PaneRow]:
    """Who waits in its queues, the longest first; the kernel does not tell which member of a
    SO_REUSEPORT group a connection waits at."""
    snapshot, table = scene.snapshot, scene.table
    group = _group(scene, row)
    rows = np.flatnonzero(np.isin(snapshot.queue, group))
    waited = np.fmax(table.since_s("last_data_recv", rows), snapshot.seen_s[rows])
    order = np.argsort(-waited, kind="stable")
    more = "at least so long; those of the whole group" if len(group) > 1 else "at least so long"
    part = Excerpt(SOCKETS, "Waiting", ("local", "process", "timer", "send_q"), WAITS, more)
    yield from excerpt(scene, part, rows[order], [units.duration(s) for s in waited[order]])


def _group(scene: Scene, row: int) -> list[int]:
    """The LISTEN rows on the same address and port, itself included."""
    rows = scene.snapshot.listeners.row
    keys = group_keys(scene.table, rows)
    found: list[int] = rows[keys == keys[rows == row]].tolist()
    return found


def _siblings(scene: Scene, place: int) -> Iterator[PaneRow]:
    found = scene.snapshot.listeners
    if found.siblings[place] < 2:
        return
    group = np.isin(found.row, _group(scene, int(found.row[place])))
    part = Excerpt(LISTENERS, "SO_REUSEPORT group", ("local", "kind"), more="a queue each")
    yield from excerpt(scene, part, np.flatnonzero(group))


def _facts(scene: Scene, row: int) -> Iterator[tuple[str, list[Fact]]]:
    every = detail.facts(scene.selection, row)
    yield "Socket options", option_facts(scene, row, every)
    for title, group in (("Socket", "socket"), ("Owner", "owner"), ("Memory", "memory")):
        yield title, [fact for fact in every if fact.group == group and fact.name != "process"]
