"""Addresses, ports and owners of rows, as text and as something to sort by."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from tcptop.analysis.apparent import inferred
from tcptop.analysis.findings.words import called
from tcptop.model import address, owner, tcp
from tcptop.model.arrays import sorted_unique
from tcptop.model.sample import Sample
from tcptop.model.selection import Selection
from tcptop.model.snapshot import Ports, Remotes, Snapshot
from tcptop.model.table import I64, U32, U64, Bools, Index, SocketTable

LOCAL = ("local_hi", "local_lo", "local_port")
REMOTE = ("remote_hi", "remote_lo", "remote_port")


def addresses(hi: U64, lo: U64) -> list[str]:
    """Canonical text of many addresses."""
    return [address.text(h, low) for h, low in zip(hi.tolist(), lo.tolist(), strict=True)]


def endpoints(hi: U64, lo: U64, ports: Iterable[int | str], zones: Iterable[str]) -> list[str]:
    """`address%eth0:port` of each."""
    return list(map(address.endpoint, addresses(hi, lo), ports, zones))


def zones(sample: Sample, netns: U32, interface: U32) -> list[str]:
    """`%eth0` of each, empty where it is bound to no device."""
    if not interface.any():
        return [""] * len(interface)
    return list(map(sample.zone, netns.tolist(), interface.tolist()))


def source(selection: Selection, row: int) -> str:
    """The near end of a socket, as ss takes it: a wildcard is that one address."""
    sample = selection.snapshot.sample
    table = sample.sockets
    local = address.local_text(table, row)
    text = f"src {address.endpoint(local, int(table.local_port[row]))}"
    return text + of_device(sample, table, row, ("state", *LOCAL, *REMOTE))


def of_device(
    sample: Sample, found: Ports | Remotes | SocketTable, place: int, names: Iterable[str]
) -> str:
    """The end of a filter for a row that `names`, columns, tell: on its device, or where it has
    none, on none of those of other such rows."""
    netns, index = int(found.netns[place]), int(found.interface[place])
    if index:
        return address.on_device(sample.zone(netns, index))
    others = found.interface != 0
    for name in ("netns", *names):
        column = getattr(found, name)
        others = others & (column == column[place])
    bound = sorted_unique(found.interface[others]).tolist()
    return "".join(f" and dev != {sample.zone(netns, other)[1:]}" for other in bound)


def rank(*columns: np.ndarray[tuple[int, ...], np.dtype[np.generic]]) -> I64:
    """Places of the rows when sorted by these columns, the first one weighing most."""
    order = np.lexsort(columns[::-1])
    changed = np.zeros(len(order), np.int64)
    for column in columns:
        sorted_column = column[order]
        changed[1:] |= sorted_column[1:] != sorted_column[:-1]
    ranks = np.empty(len(order), np.int64)
    ranks[order] = np.cumsum(changed)
    return ranks


def owner_text(snapshot: Snapshot, row: int) -> str:
    """Who holds a socket, in few words: `nginx/812 +3`, `leaky.py/813`, or why nobody is named."""
    processes = snapshot.holders.of(row)
    kind = int(snapshot.owner[row])
    if not processes:
        return apparent_text(snapshot, row) or short_note(snapshot, row)
    process, _ = processes[0]
    more = f" +{len(processes) - 1}" if len(processes) > 1 else ""
    mark = "†" if kind == owner.REMEMBERED else ""
    return f"{called(process)}/{process.pid}{mark}{more}"


def apparent_text(snapshot: Snapshot, row: int) -> str:
    """`~curl/200` of a socket that was apparently its own; empty where that is not known."""
    found = inferred(snapshot)
    at = int(found.process[row])
    return f"~{called(found.processes[at])}/{found.processes[at].pid}" if at >= 0 else ""


def short_note(snapshot: Snapshot, row: int) -> str:
    """Why nobody can be named for a socket, in few words."""
    note = int(snapshot.note[row])
    if note == owner.KERNEL_KEEPS:
        return f"(closed: {tcp.SS_STATES[int(snapshot.sample.sockets.state[row])]})"
    return _SHORT_NOTES[note]


def unowned_text(snapshot: Snapshot, sockets: Index) -> str:
    """The same of several sockets of which the process is not known; beside others those in
    TIME-WAIT, which are a kind of their own, do not count."""
    open_ = snapshot.sample.sockets.state[sockets] != tcp.TIME_WAIT
    if len(sockets) and not open_.any():
        return CLOSED
    notes = snapshot.note[sockets[open_]]
    told = {_SHORT_NOTES.get(note, NOBODY) for note in sorted_unique(notes).tolist()} or {NOBODY}
    if len(told) == 1:
        return told.pop()
    return UNTOLD if told & {_SHORT_NOTES[note] for note in _UNREAD} else NOBODY


def unowned_last(selection: Selection, sockets: Index) -> Bools:
    """Sockets that no process has open, which come last where they are sorted by process."""
    late: Bools = selection.snapshot.owner[sockets] != owner.PROCESS
    return late


CLOSED = f"(closed: {tcp.SS_STATES[tcp.TIME_WAIT]})"
NOBODY = "(no process)"
UNTOLD = "(owner unknown)"  # of some it may be a process that was not read
_UNREAD = (owner.NOT_PERMITTED, owner.NOT_SEARCHED, owner.NOT_TOLD)
_SHORT_NOTES = {
    owner.NONE: "",
    owner.IN_ACCEPT_QUEUE: "(accept queue)",
    owner.CLOSED_BY_REMEMBERED: "(remembered)",
    owner.HALF_OPEN: "(half-open)",
    owner.ORPHAN: "(kernel: orphan)",
    owner.NOT_PERMITTED: "(not permitted)",
    owner.NOT_FOUND: NOBODY,
    owner.NOT_SEARCHED: "(not searched)",
    owner.NO_LISTENER: "(listener used)",
    owner.HIDDEN: NOBODY,
    owner.IN_FLIGHT: "(in flight?)",
    owner.IN_RING: "",
    owner.OUTSIDE: NOBODY,
    owner.NOT_TOLD: UNTOLD,
}


def owner_texts(selection: Selection, rows: Index) -> list[str]:
    return [owner_text(selection.snapshot, row) for row in rows.tolist()]


def owner_values(selection: Selection, rows: Index) -> I64:
    """Rank by process name and pid of the first holder; those without one come last."""
    snapshot = selection.snapshot
    names = [(called(p).lower(), p.pid) for p in snapshot.holders.processes]
    ranks = np.empty(len(names) + 1, np.int64)
    ranks[-1] = len(names)
    ranks[sorted(range(len(names)), key=names.__getitem__)] = np.arange(len(names))
    return ranks[snapshot.holders.first(rows)]


def people_of(snapshot: Snapshot, rows: Index) -> list[int]:
    """The people (places in `holders.processes`) that hold any of these rows, most rows first."""
    start = snapshot.holders.start
    number = start[rows + 1] - start[rows]
    within = np.arange(number.sum()) - np.repeat(np.cumsum(number) - number, number)
    entries = np.repeat(start[rows], number) + within
    counts = np.bincount(snapshot.holders.process[entries])
    process = np.flatnonzero(counts)
    people: list[int] = process[np.argsort(-counts[process], kind="stable")].tolist()
    return people
