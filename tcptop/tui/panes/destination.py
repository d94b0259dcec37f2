"""The panes of a destination, with the ports left towards it, and of a remote end."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from tcptop.analysis import levels
from tcptop.analysis.rings import Series
from tcptop.columns import PORTS, REMOTES, SOCKETS, ports, remotes, units
from tcptop.model.snapshot import Ports
from tcptop.tui.chart import SPANS, Limit
from tcptop.tui.panes import closed
from tcptop.tui.panes.charts import Drawing, bands, recorded
from tcptop.tui.panes.parts import (
    ITS,
    Excerpt,
    excerpt,
    found,
    own_counts,
    queued,
    responsible,
    states,
    worst_first,
)
from tcptop.tui.panes.rows import Pane, PaneRow, Scene, Target, place_of, told, whole, wrapped

LONGEST_S = 1800.0


def pane(scene: Scene, key: int) -> Pane | None:
    """Of a destination; None where nothing is open towards it (any more)."""
    place = place_of(PORTS, scene.selection, key)
    if place is None:
        return None
    at, rows = np.array([place]), np.flatnonzero(scene.snapshot.ports.group == place)
    first, *others = bands(scene.room, [*_drawings(scene, key, place)]) or [[]]
    local, goal = ports.local_texts(scene.selection, at), ports.remote_texts(scene.selection, at)
    part = Excerpt(SOCKETS, "Connections", ("remote",))
    return Pane(
        f"Destination {goal[0]} from {local[0]}",
        [
            *wrapped(scene.room, "sockets", states(scene, rows), opens=Target(PORTS, key, True)),
            *found(scene, rows),
            *_use(scene, place, len(rows)),
            *first,
            *responsible(scene, rows),
            *(row for band in others for row in band),
            *excerpt(scene, part, worst_first(scene, rows)),
            *closed.towards(scene, scene.snapshot.ports, place),
        ],
    )


def _use(scene: Scene, place: int, connections: int) -> Iterator[PaneRow]:
    room, use = scene.room, scene.snapshot.ports
    (share,) = ports.share(scene.selection, np.array([place])).tolist()
    style = "bad" if share >= 0.95 else "warn" if share >= 0.8 else ""
    left = f"{use.headroom[place]:,} of {use.capacity[place]:,} ({units.percent(share)} used)"
    yield told(room, "ports left", left, "at 0 connect() fails", style)
    yield told(room, "in use", f"{use.used[place]:,}", "ports that cannot be taken for it now")
    waits = f"{use.time_wait[place]:,} ({use.time_wait[place] / connections:.0%} of its sockets)"
    yield told(room, "TIME-WAIT", waits, "closed here first, kept for 60 s")
    blocked = f"{use.blocked[place]:,} lost to every destination"
    yield told(room, "elsewhere", blocked, "listened on, or bound by a program")
    bind = f"{use.headroom_bind[place]:,} left"
    yield told(room, "for bind()", bind, "to port 0 of this address, before connect()")
    yield told(
        room, "opened", f"{units.rate(float(use.opens_per_s[place]))}/s", _forecast(use, place)
    )
    yield from _limit(scene, place)


def _forecast(use: Ports, place: int) -> str:
    seconds = float(use.exhausted_in_s[place])
    if not np.isfinite(seconds):
        return "stable at the current rate"
    return f"they run out in {units.long_duration(seconds)} at the current rate"


def _limit(scene: Scene, place: int) -> Iterator[PaneRow]:
    """TIME_WAITs of the whole namespace against what it keeps."""
    netns = int(scene.snapshot.ports.netns[place])
    level = levels.time_waits(scene.snapshot.sample.kernel_of(netns))
    if level.used is not None and level.limit:
        value = f"{level.used:,} of {level.limit:,}"
        meaning = "TIME-WAITs to all destinations; net.ipv4.tcp_max_tw_buckets"
        yield from whole(scene.room, "namespace", value, meaning)


def _drawings(scene: Scene, key: int, place: int) -> Iterator[Drawing]:
    draw, use = partial(recorded, scene, (PORTS.name, key)), scene.snapshot.ports
    limit = Limit("range", float(use.capacity[place]))
    used = {"in use": "used", "TIME-WAIT": "time_wait"}
    ports = draw("Ports", units.count, used, limit)
    yield ports._replace(forecast=_ahead(scene, place), span_s=_span_s(scene, place))
    yield draw("Opened a second", units.rate, {"connections": "opens_per_s"})
    yield draw("Ports left", units.count, {"left": "headroom"})


def _ahead(scene: Scene, place: int) -> Series | None:
    """From what is used now to the moment at which nothing is left."""
    use, now = scene.snapshot.ports, scene.snapshot.sample.clock
    seconds, used = float(use.exhausted_in_s[place]), float(use.used[place])
    if not np.isfinite(seconds):
        return None
    full = used + float(use.headroom[place])
    return Series(np.array([now, now + seconds]), np.array([used, full]))


def _span_s(scene: Scene, place: int) -> float | None:
    """So much of the past that the moment at which nothing is left is in the chart, too: the
    future is a quarter of it. What is farther off than what is remembered is left out."""
    seconds = float(scene.snapshot.ports.exhausted_in_s[place])
    return next((span for span in SPANS if 3 * seconds <= span <= LONGEST_S), None)


# -- a remote end


def remote(scene: Scene, key: int) -> Pane | None:
    """Of a remote end; None where there is no socket towards it (any more)."""
    place = place_of(REMOTES, scene.selection, key)
    if place is None:
        return None
    groups = scene.selection.remote_groups
    rows = np.flatnonzero(groups.group == place)
    first, *others = bands(scene.room, [*_remote_drawings(scene, key)]) or [[]]
    (peer,) = remotes.remote_texts(scene.selection, np.array([place]))
    goals, counts = own_counts(scene.snapshot.ports.group, rows)
    its = [str(count) for count in counts.tolist()]
    part = Excerpt(PORTS, "Ports towards it", ("processes",), ITS)
    goal = Target(REMOTES, key, True)
    return Pane(
        f"Remote {peer}",
        [
            *wrapped(scene.room, "sockets", states(scene, rows), opens=goal),
            *found(scene, rows),
            *_remote_numbers(scene, place),
            *first,
            *responsible(scene, rows),
            *excerpt(scene, part, goals, its),
            *excerpt(scene, Excerpt(SOCKETS, "Connections"), worst_first(scene, rows)),
            *closed.towards(scene, groups, place),
            *(row for band in others for row in band),
        ],
    )


def _remote_numbers(scene: Scene, place: int) -> Iterator[PaneRow]:
    groups, room = scene.selection.remote_groups, scene.room
    queues = queued(groups.recv_q[place], groups.send_q[place])
    yield from whole(room, "queues", queues, "not read here; not acknowledged there")
    rtt = units.milliseconds(float(groups.rtt_us[place]))
    yield told(room, "round trip", f"{rtt} ms", "median of its connections")
    again = units.rate(float(groups.retransmits_per_s[place]))
    yield told(room, "retransmits", f"{again}/s", "segments")


def _remote_drawings(scene: Scene, key: int) -> Iterator[Drawing]:
    draw = partial(recorded, scene, (REMOTES.name, key))
    yield draw("Sockets", units.count, {"all": "sockets"})
    yield draw("Round trip, ms", units.milliseconds, {"median": "rtt_us"})
    yield draw("Queues, bytes", units.size, {"Recv-Q": "recv_q", "Send-Q": "send_q"})
    yield draw("Retransmitted a second", units.rate, {"segments": "retransmits_per_s"})
