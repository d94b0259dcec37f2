"""The pane of a connection: what holds it up, both of its ends, and all that the kernel tells."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np

from tcptop.analysis.findings.words import called
from tcptop.analysis.listeners import match
from tcptop.analysis.peers import peer_rows
from tcptop.analysis.verdicts import verdicts
from tcptop.columns import LISTENERS, PORTS, REMOTES, SOCKETS, detail, sockets, units
from tcptop.columns.detail import STATE_MEANINGS, TIMER_MEANINGS, Fact
from tcptop.model import tcp
from tcptop.model.cells import cut, ljust, safe
from tcptop.model.route import route_key
from tcptop.model.snapshot import Snapshot
from tcptop.model.source import Requests
from tcptop.tui.panes import listener
from tcptop.tui.panes.charts import Drawing, bands, recorded
from tcptop.tui.panes.parts import found, holders, option_facts, route_facts
from tcptop.tui.panes.rows import (
    MARK,
    NAME,
    Pane,
    PaneRow,
    Scene,
    Target,
    grid,
    place_of,
    told,
    wrapped,
)

GROUPS = (
    *(("Sending", "sending"), ("Receiving", "receiving"), ("Path", "path"), ("Timers", "timers")),
    *(("Memory", "memory"), ("Owner", "owner"), ("Socket", "socket")),
)
ABOVE = ("state", "owner", "process", "local", "remote", "timer")  # said before


def pane(scene: Scene, key: int) -> Pane | None:
    """None where there is no such socket (any more); of a listening one its own pane."""
    row = place_of(SOCKETS, scene.selection, key)
    if row is None:
        return None
    if scene.table.state[row] == tcp.LISTEN:
        return listener.pane(scene, key)
    (other,) = peer_rows(scene.table, np.array([row])).tolist()
    first, *others = bands(scene.room, [*_drawings(scene, key)]) or [[]]
    local, remote = _ends(scene, row)
    return Pane(
        f"Connection {local} with {remote}",
        [
            *_wrong(scene, row),
            *_both(scene, row, other),
            *holders(scene, row),
            *_leads(scene, row, other),
            *first,
            *grid(scene.room, _facts(scene, row)),
            *(line for band in others for line in band),
        ],
    )


def requests(snapshot: Snapshot, key: int) -> Requests:
    """For the options of a socket, and for its route where it has one."""
    table = snapshot.sample.sockets
    rows = np.flatnonzero(table.key == np.uint64(key)).tolist()
    found = (route_key(table, row) for row in rows)
    routes = frozenset(each for each in found if each is not None)
    return Requests(frozenset(map(table.id, rows)), routes)


def _ends(scene: Scene, row: int) -> tuple[str, str]:
    at = np.array([row])
    local, remote = sockets.local_texts, sockets.remote_texts
    return local(scene.selection, at)[0], remote(scene.selection, at)[0]


def _wrong(scene: Scene, row: int) -> Iterator[PaneRow]:
    at = np.array([row])
    (clause,) = verdicts(scene.snapshot, at)
    findings = [*found(scene, at)]
    if clause:
        yield from wrapped(scene.room, "verdict", clause, "warn")
    elif not findings:
        yield told(scene.room, "verdict", "no problem seen so far")
    yield from findings


# -- both ends


def _both(scene: Scene, row: int, other: int) -> Iterator[PaneRow]:
    """State, queues and timer with what they mean; with the other end's instead, if that is on this
    host too."""
    mine = _state(scene, row)
    if other < 0:
        yield from (told(scene.room, *line) for line in mine)
        return
    theirs = _state(scene, other)
    yield _beside(scene, "", ("this end", ""), (_where(scene, row, other), ""))
    for (name, value, _, style), (_, beyond, _, its_look) in zip(mine, theirs, strict=True):
        yield _beside(scene, name, (value, style), (beyond, its_look))
    if (clause := verdicts(scene.snapshot, np.array([other]))[0]) is not None:
        yield from wrapped(scene.room, "other end", clause, "warn", _target(scene, other))


def _where(scene: Scene, row: int, other: int) -> str:
    inside, there = scene.table.netns[[row, other]].tolist()
    if inside == there:
        return "the other end, here too"
    return f"the other end, in netns {safe(scene.snapshot.sample.space(there))}"


def _state(scene: Scene, row: int) -> list[tuple[str, str, str, str]]:
    """(name, value, meaning, look) of each."""
    table, snapshot, at = scene.table, scene.snapshot, np.array([row])
    state, kind = int(table.state[row]), int(table.timer[row])
    recv_q, send_q = int(table.recv_q[row]), int(table.send_q[row])
    fin = "; 1 of it is its FIN" if recv_q and state == tcp.CLOSE_WAIT else ""
    timer = sockets.timer_texts(scene.selection, at)[0] or "none"
    waits = TIMER_MEANINGS[kind] if kind < len(TIMER_MEANINGS) else ""
    lasts = units.long_duration(float(snapshot.durations.state_s[row]))
    style = sockets.STATE_STYLES.get(state, "")
    return [
        ("state", tcp.SS_STATES[state], STATE_MEANINGS[state], style),
        ("for", f"{lasts} at least", "", ""),
        ("opened", *_opened(scene, row), ""),
        ("Recv-Q", f"{recv_q:,} B", f"received, not read by the process{fin}", _warn(recv_q)),
        ("Send-Q", f"{send_q:,} B", "sent or queued, not acknowledged by the peer", _warn(send_q)),
        ("timer", timer, waits, ""),
    ]


def _warn(queued: int) -> str:
    return "warn" if queued else ""


def _opened(scene: Scene, row: int) -> tuple[str, str]:
    """How long ago, at least; and how that is known."""
    age, seen = float(scene.snapshot.age_s[row]), float(scene.snapshot.seen_s[row])
    if not np.isnan(age):
        return f"{units.long_duration(age)} ago", "which tcptop saw"
    return f"over {units.long_duration(seen)} ago", "open before tcptop started"


def _beside(scene: Scene, name: str, *values: tuple[str, str]) -> PaneRow:
    width = (scene.room.width - len(MARK) - NAME) // len(values)
    spans = [(ljust(cut(text, width - 1), width), style) for text, style in values]
    line = ((" " * len(MARK) + ljust(name, NAME), "dim"), *spans)
    return PaneRow(("both", name), line)


# -- where it leads


def _leads(scene: Scene, row: int, other: int) -> Iterator[PaneRow]:
    room, snapshot = scene.room, scene.snapshot
    if other >= 0:
        processes = snapshot.holders.of(other)
        who = f"{called(processes[0][0])}/{processes[0][0].pid}" if processes else units.UNKNOWN
        yield told(room, "other end", who, "its own page", "", _target(scene, other))
    through = int(snapshot.queue[row])
    accepted = through < 0
    through = int(match(scene.table, np.array([row]))[0]) if accepted else through
    if through >= 0:
        local = sockets.local_texts(scene.selection, np.array([through]))[0]
        how = "it arrived at" if accepted else "it waits at"
        key = int(scene.table.key[through])
        yield told(room, "listener", local, how, "", Target(LISTENERS, key))
    yield from _groups(scene, row)


def _target(scene: Scene, row: int) -> Target:
    return Target(SOCKETS, int(scene.table.key[row]))


def _groups(scene: Scene, row: int) -> Iterator[PaneRow]:
    """Its destination, where it was opened from here, and its peer."""
    selection, room = scene.selection, scene.room
    ports, remotes = scene.snapshot.ports, selection.remote_groups
    place = int(ports.group[row])
    if place >= 0:
        left = f"ports in use: {ports.used[place]:,}, left: {ports.headroom[place]:,}"
        (key,) = PORTS.keys(selection, np.array([place])).tolist()
        yield told(room, "destination", left, "towards it", "", Target(PORTS, key))
    place = int(remotes.group[row])
    if place >= 0:
        (key,) = REMOTES.keys(selection, np.array([place])).tolist()
        (peer,) = REMOTES.column("remote").texts(selection, np.array([place]))
        many = f"sockets with it: {remotes.sockets[place]:,}"
        yield told(room, "remote", peer, many, "", Target(REMOTES, key))


# -- the rest


def _drawings(scene: Scene, key: int) -> Iterator[Drawing]:
    draw = partial(recorded, scene, (SOCKETS.name, key))
    yield draw("Queues, bytes", units.size, {"Recv-Q": "recv_q", "Send-Q": "send_q"})
    rates = {"sent": "bytes_sent_per_s", "received": "bytes_received_per_s"}
    yield draw("Bytes a second", units.byte_rate, rates)
    yield draw("Round trip, ms", units.milliseconds, {"rtt": "rtt_us"})
    yield draw("Segments", units.count, {"cwnd": "cwnd", "in flight": "unacked"})
    yield draw("Retransmitted a second", units.rate, {"segments": "retransmits_per_s"})
    yield draw("Window of the peer, bytes", units.size, {"snd_wnd": "snd_wnd"})


def _facts(scene: Scene, row: int) -> Iterator[tuple[str, Sequence[Fact]]]:
    every = detail.facts(scene.selection, row)
    for title, group in GROUPS[:4]:
        yield title, [fact for fact in every if fact.group == group]
    if not scene.table.info_size[row]:
        yield "tcp_info", [Fact("", "tcp_info", units.UNKNOWN, _untold(scene, row))]
    yield "Route", route_facts(scene, row)
    yield "Socket options", option_facts(scene, row, every)
    for title, group in GROUPS[4:]:
        yield title, [f for f in every if f.group == group and f.name not in ABOVE]


def _untold(scene: Scene, row: int) -> str:
    if scene.table.mini(np.array([row])).all():
        return "the kernel keeps no tcp_info in this state"
    return f"not told by {scene.snapshot.sample.source}"
