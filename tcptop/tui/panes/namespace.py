"""The pane of a network namespace: processes, listeners, connections, counters and limits."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from tcptop.columns import (
    LISTENERS,
    NAMESPACES,
    PORTS,
    PROCESSES,
    REMOTES,
    SOCKETS,
    namespaces,
    units,
)
from tcptop.columns.detail import Fact
from tcptop.columns.kernel_rows import KernelRow, rows
from tcptop.columns.netns import KEY as NETNS
from tcptop.model import tcp
from tcptop.model.cells import safe
from tcptop.model.sample import Namespace
from tcptop.tui.panes.charts import Drawing, bands, recorded
from tcptop.tui.panes.parts import Excerpt, about, excerpt, states, worst_first
from tcptop.tui.panes.rows import Pane, PaneRow, Scene, Target, grid, place_of, told, wrapped

LIMITS = (
    *("net.ipv4.ip_local_port_range", "net.ipv4.ip_local_reserved_ports", "net.core.somaxconn"),
    *("net.ipv4.tcp_max_syn_backlog", "net.ipv4.tcp_syncookies", "net.ipv4.tcp_max_tw_buckets"),
    *("net.ipv4.tcp_tw_reuse", "net.ipv4.tcp_fin_timeout", "net.ipv4.tcp_keepalive_time"),
    *("net.ipv4.tcp_retries2", "net.ipv4.tcp_syn_retries", "net.netfilter.nf_conntrack_max"),
)


def pane(scene: Scene, key: int) -> Pane | None:
    """None where it is not known (any more)."""
    place = place_of(NAMESPACES, scene.selection, key)
    if place is None:
        return None
    found = namespaces.space(scene.selection, place)
    sockets = np.flatnonzero(scene.table.netns == found.inode)
    goal = Target(NAMESPACES, key, True)
    first, *others = bands(scene.room, [*_drawings(scene, key)]) or [[]]
    return Pane(
        f"Network namespace {safe(scene.snapshot.sample.space(found.inode))}",
        [
            *wrapped(scene.room, "sockets", states(scene, sockets), opens=goal),
            *about(scene, lambda finding: finding.subject.netns == found.inode),
            *_itself(scene, found),
            *first,
            *_lists(scene, found.inode),
            *(row for band in others for row in band),
            *grid(scene.room, _kernel(scene, found.inode)),
        ],
    )


def _itself(scene: Scene, found: Namespace) -> Iterator[PaneRow]:
    room, pids = scene.room, " ".join(map(str, found.pids))
    yield told(room, "inode", str(found.inode), "as lsns shows it")
    yield told(room, "name", safe(found.name or "none"), "that ip netns gave it")
    box = safe(namespaces.container(found))
    yield told(room, "container", box or "none known", "of its first process")
    if found.processes is None:
        yield told(room, "processes", units.UNKNOWN, "not looked for, or not permitted")
    else:
        more = " …" if found.processes > len(found.pids) else ""
        yield told(room, "processes", f"{found.processes:,}", f"{pids}{more}".strip())
    devices = ", ".join(map(safe, found.interfaces.values()))
    yield from wrapped(room, "interfaces", devices or units.UNKNOWN)


def _drawings(scene: Scene, key: int) -> Iterator[Drawing]:
    draw = partial(recorded, scene, (NAMESPACES.name, key))
    counts = {"all": "sockets", "ESTAB": "established", "TIME-WAIT": "time_wait"}
    yield draw("Sockets", units.count, counts)
    yield draw("Opened a second", units.rate, {"connections": "opens_per_s"})
    yield draw("Retransmitted a second", units.rate, {"segments": "retransmits_per_s"})
    yield draw("Queues, bytes", units.size, {"Recv-Q": "recv_q", "Send-Q": "send_q"})


def _lists(scene: Scene, inode: int) -> Iterator[PaneRow]:
    snapshot, table, choice = scene.snapshot, scene.table, scene.selection
    listening = table.netns[snapshot.listeners.row]
    for listing, title, spaces in (
        (PROCESSES, "Processes with sockets in it", choice.processes.netns),
        (LISTENERS, "Listeners", listening),
        (PORTS, "Destinations", snapshot.ports.netns),
        (REMOTES, "Remotes", choice.remote_groups.netns),
    ):
        yield from excerpt(
            scene, Excerpt(listing, title, (NETNS,)), np.flatnonzero(spaces == inode)
        )
    talking = np.flatnonzero((table.netns == inode) & (table.state != tcp.LISTEN))
    part = Excerpt(SOCKETS, "Connections", (NETNS,))
    yield from excerpt(scene, part, worst_first(scene, talking))


def _kernel(scene: Scene, inode: int) -> Iterator[tuple[str, list[Fact]]]:
    """Counters that rise now, and limits."""
    sample, rates = scene.snapshot.sample, scene.snapshot.kernel_rates.get(inode, {})
    known = rows(sample.kernel_of(inode), rates)
    rising = [each for each in known if each.kind == "counter" and each.rate > 0]
    yield "Counters that rise, a second", [_counter(each) for each in rising]
    limits = {each.limits[0]: each for each in known if each.kind == "setting"}
    yield "Limits", [_limit(limits[name]) for name in LIMITS if name in limits]


def _counter(row: KernelRow) -> Fact:
    return Fact("counter", row.name, units.rate(row.rate), row.meaning)


def _limit(row: KernelRow) -> Fact:
    return Fact("limit", row.name, row.text, row.meaning)
