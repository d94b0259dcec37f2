"""What changed between two samples, as rows of a list, some of which lead further."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tcptop.analysis.difference import Difference, ProcessChange, ThenNow, diff
from tcptop.analysis.findings.words import called
from tcptop.analysis.selection import everything
from tcptop.columns import (
    FINDINGS,
    KERNEL,
    LISTENERS,
    PROCESSES,
    REMOTES,
    STATES,
    Listing,
    findings,
    states,
)
from tcptop.columns.endpoints import addresses, owner_texts, unowned_text, zones
from tcptop.columns.kernel import entries, kernel
from tcptop.columns.kernel_counters import CATALOGUE
from tcptop.columns.listing import within
from tcptop.columns.marks import STYLES
from tcptop.columns.netns import place
from tcptop.columns.processes import NOBODY
from tcptop.columns.sockets import local_texts
from tcptop.model import owner, tcp
from tcptop.model.address import bracketed, on_device, text
from tcptop.model.arrays import row_hash
from tcptop.model.cells import safe
from tcptop.model.dataclass import dataclass
from tcptop.model.finding import Finding
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.snapshot import Snapshot
from tcptop.model.table import Index

MOST = 50  # rows of a kind: what follows are ever smaller changes


class Change(NamedTuple):
    """A row. It leads to an `item` (list, key), or to the sockets of a filter, `scope`, or nowhere;
    `page` is the name of what explains it."""

    section: str
    what: str
    pair: ThenNow | None = None
    item: tuple[Listing, int] | None = None
    scope: str = ""
    style: str = ""
    page: str | None = None


@dataclass(frozen=True, slots=True)
class SnapshotPair:
    """The two that are compared, the earlier one first."""

    old: Snapshot
    new: Snapshot


def rows(compared: SnapshotPair) -> Iterator[Change]:
    """What matters most first: findings, then sockets from all sides, then limits and counters."""
    yield from told(diff(compared.old, compared.new), compared)


def told(found: Difference, compared: SnapshotPair) -> Iterator[Change]:
    """A difference as rows; of each kind the largest."""
    sections = (
        _begun(found),
        _changed(found),
        _ended(found),
        _states(found),
        _processes(found, compared.new),
        _listeners(found, compared),
        _remotes(found, compared),
        _ends("opened", compared.new, found.sockets.opened, there=True),
        _ends("closed", compared.old, found.sockets.closed, there=False),
        _sysctls(found, compared.new),
        _counters(found, compared.new),
    )
    for section in sections:
        changes = list(section)
        yield from changes[:MOST]
        if len(changes) > MOST:
            yield Change(changes[0].section, f"{len(changes) - MOST} more", style="dim")


def _begun(found: Difference) -> Iterator[Change]:
    for each in found.begun:
        item = FINDINGS, findings.number(each.key)
        yield Change("begun", _titled(each), None, item, "", STYLES[each.severity], each.id)


def _changed(found: Difference) -> Iterator[Change]:
    for before, each in found.changed:
        item = FINDINGS, findings.number(each.key)
        was = f" (was {findings.severity(before)})" if before.severity != each.severity else ""
        yield Change("changed", _titled(each) + was, None, item, "", "", each.id)


def _ended(found: Difference) -> Iterator[Change]:
    for each in found.ended:
        yield Change("ended", _titled(each), style="good", page=each.id)


def _titled(finding: Finding) -> str:
    return f"{findings.severity(finding)}  {safe(finding.title)}"


def _states(found: Difference) -> Iterator[Change]:
    for state, pair in enumerate(found.by_state):
        if pair[0] != pair[1]:
            name = tcp.SS_STATES[state]
            yield Change(STATES.name, name, pair, scope=states.scope(state), page=name)


def _processes(found: Difference, now: Snapshot) -> Iterator[Change]:
    for each in found.processes:
        who, text = _who(each, now, found.same_boot)
        who, text = who + place(now, each.netns), text + within(now, each.netns)
        if each.sockets[0] != each.sockets[1]:
            scope = text if each.sockets[1] else ""
            yield Change(PROCESSES.name, who, each.sockets, scope=scope)
        if each.close_wait[0] != each.close_wait[1]:
            scope = f"{text} and state close-wait" if each.close_wait[1] else ""
            style = "warn" if each.close_wait[1] > each.close_wait[0] else ""
            yield Change(PROCESSES.name, f"{who} CLOSE-WAIT", each.close_wait, None, scope, style)


def _who(change: ProcessChange, now: Snapshot, same_boot: bool) -> tuple[str, str]:
    """Its name, of the same boot with its pid, and the filter for its sockets."""
    if change.process is None:
        unknown = np.flatnonzero(now.owner == owner.UNKNOWN)
        nobody = NOBODY.get(change.owner) or unowned_text(now, unknown)
        return nobody, f"owner = {owner.OWNER_KINDS[change.owner]}"
    pid, name = change.process.pid, called(change.process)
    return f"{name}/{pid}" if same_boot else name, f"pid = {pid}"


def _listeners(found: Difference, compared: SnapshotPair) -> Iterator[Change]:
    for each in found.listeners:
        was, there = each.there
        name = _local(compared.new if there else compared.old, each.row)
        item = (LISTENERS, each.key) if there else None
        if was != there:
            yield Change(LISTENERS.name, f"{name} {'gone' if was else 'new'}", None, item)
        if each.queue[0] != each.queue[1]:
            yield Change(LISTENERS.name, f"{name} accept queue", each.queue, item)
        if each.dropped:
            yield Change(LISTENERS.name, f"{name} drops", (0, each.dropped), item, style="bad")


def _local(snapshot: Snapshot, row: int) -> str:
    (text,) = local_texts(everything(snapshot), np.array([row]))
    return text + place(snapshot, int(snapshot.sample.sockets.netns[row]))


def _remotes(found: Difference, compared: SnapshotPair) -> Iterator[Change]:
    for each in found.remotes:
        last = compared.new if each.sockets[1] else compared.old
        name, zone = text(*each.address), last.sample.zone(each.netns, each.interface)
        scope = _towards(last, name, zone, each.netns) if each.sockets[1] else ""
        where = f"{name}{zone}{place(last, each.netns)}"
        yield Change(REMOTES.name, where, each.sockets, scope=scope)


def _ends(section: str, snapshot: Snapshot, places: Index, there: bool) -> Iterator[Change]:
    """Connections by who has them and to where, the largest groups first."""
    table = snapshot.sample.sockets
    rows = places[table.state[places] != tcp.LISTEN]
    hi, lo, interface = table.remote_hi[rows], table.remote_lo[rows], table.interface[rows]
    far = (table.netns[rows], interface, hi, lo)
    same = row_hash(snapshot.holders.first(rows), snapshot.note[rows], *far)
    _, first, counts = np.unique(same, return_index=True, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    first, counts = first[order], counts[order]
    owners = owner_texts(everything(snapshot), rows[first])
    remotes = addresses(hi[first], lo[first])
    spaces = table.netns[rows[first]]
    scopes = zones(snapshot.sample, spaces, interface[first])
    columns = (owners, counts.tolist(), remotes, scopes, spaces.tolist())
    for who, count, remote, zone, netns in zip(*columns, strict=True):
        scope = _towards(snapshot, remote, zone, netns) if there else ""
        pair = (0, count) if there else (count, 0)
        where = f"{remote}{zone}{place(snapshot, netns)}"
        yield Change(section, f"{who} to {where}", pair, scope=scope)


def _towards(snapshot: Snapshot, remote: str, zone: str, netns: int) -> str:
    return f"dst {bracketed(remote)}{on_device(zone)}{within(snapshot, netns)}"


def _sysctls(found: Difference, now: Snapshot) -> Iterator[Change]:
    for each in found.sysctls:
        was, value = (safe(" ".join((text or "?").split())) for text in each.value)
        yield Change("limits", f"{each.name}{place(now, each.netns)}: {was} → {value}")


def _counters(found: Difference, now: Snapshot) -> Iterator[Change]:
    """Those that mean something come first, those that are not TCP's last; they lead to the list of
    the kernel's, where they are in it."""
    selection = everything(now)
    here = kernel(selection)
    keys = KERNEL.keys(selection, KERNEL.rows(selection)).tolist()
    listed = dict(zip((each.name for each in entries(selection)), keys, strict=True))
    meant = {each.name for each in CATALOGUE}
    of_tcp = sorted(found.counters, key=lambda c: (c.name not in meant, c.section[:3] != "Tcp"))
    for each in of_tcp:
        key = listed.get(each.name) if here is not None and here.netns == each.netns else None
        item = None if key is None else (KERNEL, key)
        name = f"{each.section}{each.name}{place(now, each.netns)}"
        yield Change("counters", name, each.value, item)
