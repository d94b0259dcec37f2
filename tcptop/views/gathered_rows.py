"""Processes, ephemeral ports and remotes, column by column."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np

from tcptop.model import owner
from tcptop.model.sample import Process
from tcptop.model.selection import Selection
from tcptop.model.snapshot import Snapshot
from tcptop.model.table import F64, Index
from tcptop.views.rows import Columns, by_state, known, measured, named
from tcptop.views.socket_rows import addresses, users


def processes_order(selection: Selection) -> Index:
    """Most sockets first."""
    return np.argsort(-selection.processes.sockets, kind="stable")


def processes(selection: Selection, places: Index) -> Columns:
    """The fields of `processes[]`; a group that nobody can be named for has no pid."""
    snapshot, list_ = selection.snapshot, selection.processes
    people = [
        snapshot.holders.people[person] if person >= 0 else None
        for person in list_.person[places].tolist()
    ]
    return {
        "pid": _facts(people, "pid"),
        "owner": named(owner.OWNER_KINDS, list_.owner[places]),
        "name": _facts(people, "name"),
        "cmdline": _facts(people, "cmdline"),
        "user": users(snapshot.sample, _facts(people, "uid")),
        "cgroup": _facts(people, "cgroup"),
        "netns": list_.netns[places].tolist(),
        "sockets": list_.sockets[places].tolist(),
        "shared": list_.shared[places].tolist(),
        "by_state": by_state(list_.by_state[places]),
        "recv_q": list_.recv_q[places].tolist(),
        "send_q": list_.send_q[places].tolist(),
        "bytes_sent_per_s": measured(list_.bytes_sent_per_s[places]),
        "bytes_received_per_s": measured(list_.bytes_received_per_s[places]),
        "retransmits_per_s": measured(list_.retransmits_per_s[places]),
        "open_fds": _facts(people, "open_fds"),
        "fd_limit": _facts(people, "fd_limit"),
    }


def _facts(people: list[Process | None], name: str) -> list[Any]:
    """One fact of each; a text that /proc would not tell is empty there and unknown here."""
    facts = [None if process is None else getattr(process, name) for process in people]
    return [None if fact == "" else fact for fact in facts]


def ports_order(selection: Selection) -> Index:
    """Fullest first: by the share of ports that connect() may still take, then by use."""
    ports, places = selection.snapshot.ports, selection.ports
    left = ports.headroom[places] / np.maximum(ports.capacity[places], 1)
    return places[np.lexsort((-ports.used[places], left))]


def ports(selection: Selection, places: Index) -> Columns:
    """The fields of `ports[]`."""
    list_ = selection.snapshot.ports
    return {
        "netns": list_.netns[places].tolist(),
        "local_address": addresses(list_.local_hi[places], list_.local_lo[places]),
        "remote_address": addresses(list_.remote_hi[places], list_.remote_lo[places]),
        "remote_port": list_.remote_port[places].tolist(),
        "used": list_.used[places].tolist(),
        "time_wait": list_.time_wait[places].tolist(),
        "blocked": list_.blocked[places].tolist(),
        "capacity": list_.capacity[places].tolist(),
        "headroom": list_.headroom[places].tolist(),
        "headroom_bind": list_.headroom_bind[places].tolist(),
        "opens_per_s": measured(list_.opens_per_s[places]),
        "exhausted_in_s": measured(list_.exhausted_in_s[places]),
        "processes": _processes_of(selection.snapshot, list_.group, places),
    }


def remotes_order(selection: Selection) -> Index:
    """Most sockets first."""
    places = selection.remotes
    return places[np.argsort(-selection.remote_groups.sockets[places], kind="stable")]


def remotes(selection: Selection, places: Index) -> Columns:
    """The fields of `remotes[]`."""
    list_ = selection.remote_groups
    return {
        "netns": list_.netns[places].tolist(),
        "address": addresses(list_.remote_hi[places], list_.remote_lo[places]),
        "sockets": list_.sockets[places].tolist(),
        "by_state": by_state(list_.by_state[places]),
        "recv_q": list_.recv_q[places].tolist(),
        "send_q": list_.send_q[places].tolist(),
        "retransmits_per_s": measured(list_.retransmits_per_s[places]),
        "rtt_us": _whole(list_.rtt_us[places]),
        "processes": _processes_of(selection.snapshot, list_.group, places),
    }


def _whole(values: F64) -> list[Any]:
    return known(np.nan_to_num(values).astype(np.int64), ~np.isnan(values))


def _processes_of(snapshot: Snapshot, group: Index, places: Index) -> list[list[dict[str, Any]]]:
    """The processes of each group's sockets and how many each has, the most first."""
    held = snapshot.holders
    number = group[held.row]
    mine = np.isin(number, places)
    pairs = np.stack([number[mine], held.person[mine]], 1)
    pairs, sockets = np.unique(pairs, axis=0, return_counts=True)
    found: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for place in np.argsort(-sockets, kind="stable").tolist():
        process = held.people[pairs[place, 1]]
        entry = {"pid": process.pid, "name": process.name, "sockets": int(sockets[place])}
        found[int(pairs[place, 0])].append(entry)
    return [found[place] for place in places.tolist()]
