"""Processes, ephemeral ports and remotes, column by column."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np

from tcptop.analysis.turnover import Turnover, of_processes, of_remotes
from tcptop.columns.endpoints import addresses
from tcptop.columns.ports import share
from tcptop.model import owner
from tcptop.model.sample import Process
from tcptop.model.selection import Selection
from tcptop.model.snapshot import Ports, Remotes, Snapshot
from tcptop.model.table import Index
from tcptop.views.rows import Columns, by_state, integers, measured, named
from tcptop.views.socket_rows import People, interfaces, users, workload_columns


def processes_order(selection: Selection) -> Index:
    """Most sockets first."""
    return np.argsort(-selection.processes.sockets, kind="stable")


def processes(selection: Selection, places: Index) -> Columns:
    """The fields of `processes[]`; a group that nobody can be named for has no pid."""
    snapshot, groups = selection.snapshot, selection.processes
    processes = snapshot.holders.at(groups.process[places])
    return {
        "pid": _facts(processes, "pid"),
        "owner": named(owner.OWNER_KINDS, groups.owner[places]),
        "name": _facts(processes, "name"),
        **_named(processes),
        "cmdline": _facts(processes, "cmdline"),
        "user": users(snapshot.sample, _facts(processes, "uid")),
        "cgroup": _facts(processes, "cgroup"),
        "netns": groups.netns[places].tolist(),
        "sockets": groups.sockets[places].tolist(),
        "shared": groups.shared[places].tolist(),
        "by_state": by_state(groups.by_state[places]),
        "recv_q": groups.recv_q[places].tolist(),
        "send_q": groups.send_q[places].tolist(),
        "bytes_sent_per_s": measured(groups.bytes_sent_per_s[places]),
        "bytes_received_per_s": measured(groups.bytes_received_per_s[places]),
        "retransmits_per_s": measured(groups.retransmits_per_s[places]),
        **_turnover(of_processes(snapshot, groups), places),
        "open_fds": _facts(processes, "open_fds"),
        "fd_limit": _facts(processes, "fd_limit"),
    }


def _named(processes: list[Process | None]) -> Columns:
    labels = [process and process.label for process in processes]
    return {"label": labels, **workload_columns(processes)}


def _turnover(found: Turnover, places: Index) -> Columns:
    return {name: measured(column[places]) for name, column in found._asdict().items()}


def _facts(processes: list[Process | None], name: str) -> list[Any]:
    """One fact of each; a text that /proc would not tell is empty there and unknown here."""
    facts = [None if process is None else getattr(process, name) for process in processes]
    return [None if fact == "" else fact for fact in facts]


def ports_order(selection: Selection) -> Index:
    """Fullest first: by the share of ports that connect() can no longer take, then by use."""
    places = selection.ports
    gone = np.nan_to_num(share(selection, places))
    return places[np.lexsort((-selection.snapshot.ports.used[places], -gone))]


def ports(selection: Selection, places: Index) -> Columns:
    """The fields of `ports[]`."""
    groups = selection.snapshot.ports
    return {
        "netns": groups.netns[places].tolist(),
        "local_address": addresses(groups.local_hi[places], groups.local_lo[places]),
        "remote_address": addresses(groups.remote_hi[places], groups.remote_lo[places]),
        "remote_port": groups.remote_port[places].tolist(),
        "interface": _interfaces(selection, groups, places),
        "used": groups.used[places].tolist(),
        "time_wait": groups.time_wait[places].tolist(),
        "blocked": groups.blocked[places].tolist(),
        "capacity": groups.capacity[places].tolist(),
        "headroom": groups.headroom[places].tolist(),
        "headroom_bind": groups.headroom_bind[places].tolist(),
        "opens_per_s": measured(groups.opens_per_s[places]),
        "closes_per_s": measured(groups.closes_per_s[places]),
        "exhausted_in_s": measured(groups.exhausted_in_s[places]),
        "processes": _processes_of(selection.snapshot, groups.group, places),
    }


def remotes_order(selection: Selection) -> Index:
    """Most sockets first."""
    places = selection.remotes
    return places[np.argsort(-selection.remote_groups.sockets[places], kind="stable")]


def remotes(selection: Selection, places: Index) -> Columns:
    """The fields of `remotes[]`."""
    groups = selection.remote_groups
    return {
        "netns": groups.netns[places].tolist(),
        "address": addresses(groups.remote_hi[places], groups.remote_lo[places]),
        "interface": _interfaces(selection, groups, places),
        "sockets": groups.sockets[places].tolist(),
        "by_state": by_state(groups.by_state[places]),
        "recv_q": groups.recv_q[places].tolist(),
        "send_q": groups.send_q[places].tolist(),
        "retransmits_per_s": measured(groups.retransmits_per_s[places]),
        **_turnover(of_remotes(selection.snapshot, groups), places),
        "rtt_us": integers(groups.rtt_us[places]),
        "processes": _processes_of(selection.snapshot, groups.group, places),
    }


def _interfaces(selection: Selection, groups: Ports | Remotes, places: Index) -> list[str | None]:
    sample = selection.snapshot.sample
    return interfaces(sample, groups.netns[places], groups.interface[places])


def _processes_of(snapshot: Snapshot, group: Index, places: Index) -> list[list[dict[str, Any]]]:
    """The processes of each group's sockets and how many each has, the most first."""
    held = snapshot.holders
    number = group[held.row]
    mine = np.isin(number, places)
    pairs = number[mine] * len(held.processes) + held.process[mine]
    pairs, sockets = np.unique(pairs, return_counts=True)
    people = People(held.processes)
    found: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for place in np.argsort(-sockets, kind="stable").tolist():
        number_of, index = divmod(int(pairs[place]), len(held.processes))
        found[number_of].append({**people[index], "sockets": int(sockets[place])})
    return [found[place] for place in places.tolist()]
