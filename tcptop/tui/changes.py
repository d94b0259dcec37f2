"""What changed between two looks, as rows of a list, some of which lead further."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from tcptop.analysis.differing import Difference, Pair, ProcessChange, diff
from tcptop.analysis.findings.words import clock_time
from tcptop.analysis.selecting import everything
from tcptop.columns import KERNEL, findings, states, units
from tcptop.columns.endpoints import addresses, endpoints, first_holders, owner_texts
from tcptop.columns.kernel import entries, kernel
from tcptop.columns.marks import LOOKS
from tcptop.columns.processes import NOBODY
from tcptop.model import tcp
from tcptop.model.address import bracketed
from tcptop.model.arrays import row_hash
from tcptop.model.finding import Finding
from tcptop.model.owner import OWNER_KINDS
from tcptop.model.snapshot import Snapshot
from tcptop.model.table import Index
from tcptop.tui.place import Place, sockets_where
from tcptop.tui.widgets.layout import Cell, Column

MOST = 50  # rows of a kind: what follows are ever smaller changes
ROOM = 9  # cells of a number


class Change(NamedTuple):
    """A row; `place` is what it opens, `page` the name of what explains it."""

    section: str
    what: str
    pair: Pair | None = None
    place: Place | None = None
    look: str = ""
    page: str | None = None


@dataclass(frozen=True, slots=True)
class Looks:
    """The two that are compared, the earlier one first."""

    old: Snapshot
    new: Snapshot


class ChangesModel:
    """The rows of all sections; a key is (section, what it is about)."""

    def __init__(self, looks: Looks, backwards: bool) -> None:
        """`backwards`: it is the earlier one that is shown, and the later one that is marked."""
        self.looks = looks
        self._rows = [*rows(looks)]
        start, end = (clock_time(each.sample.taken_at) for each in (looks.old, looks.new))
        self._columns = (
            Column("section", "Changed", 9),
            Column("what", f"from {start} to {end}" if backwards else f"since {start}", 46,
                   flex=True, least=8),
            Column("then", "Then", ROOM, right=True, priority=2),
            Column("now", "Now", ROOM, right=True, priority=1),
            Column("change", "Change", ROOM, right=True),
        )  # fmt: skip

    @property
    def columns(self) -> Sequence[Column]:
        return self._columns

    def __len__(self) -> int:
        return len(self._rows)

    def key(self, row: int) -> Hashable:
        return self._rows[row].section, self._rows[row].what

    def row_of(self, key: Hashable) -> int | None:
        return next((row for row in range(len(self)) if self.key(row) == key), None)

    def cells(self, row: int, columns: Sequence[Column]) -> Sequence[Cell]:
        change = self._rows[row]
        first = not row or self._rows[row - 1].section != change.section
        made: dict[str, Cell] = {
            "section": (change.section if first else "", "dim"),
            "what": change.what,
            **_numbers(change.pair),
        }
        return [made[column.key] for column in columns]

    def look(self, row: int) -> str:
        return self._rows[row].look

    def change(self, key: Hashable) -> Change | None:
        """What the row of a key says."""
        row = self.row_of(key)
        return None if row is None else self._rows[row]


def _numbers(pair: Pair | None) -> dict[str, Cell]:
    if pair is None:
        return dict.fromkeys(("then", "now", "change"), "")
    then, now = pair
    return {"then": units.count(then), "now": units.count(now), "change": f"{now - then:+d}"}


def rows(looks: Looks) -> Iterator[Change]:
    """What matters most first: findings, then sockets from all sides, then counters."""
    found = diff(looks.old, looks.new)
    sections = (
        _begun(found),
        _ended(found),
        _states(found),
        _processes(found, looks.new),
        _listeners(found, looks),
        _remotes(found, looks.new),
        _ends("opened", looks.new, found.sockets.opened, there=True),
        _ends("closed", looks.old, found.sockets.closed, there=False),
        _counters(found, looks.new),
    )
    for section in sections:
        changes = list(section)
        yield from changes[:MOST]
        if len(changes) > MOST:
            yield Change(changes[0].section, f"{len(changes) - MOST} more", look="dim")


def _begun(found: Difference) -> Iterator[Change]:
    for each in found.begun:
        place = Place("findings", item=findings.number(each.key))
        yield Change("begun", _titled(each), None, place, LOOKS[each.severity], each.id)


def _ended(found: Difference) -> Iterator[Change]:
    for each in found.ended:
        yield Change("ended", _titled(each), None, None, "good", each.id)


def _titled(finding: Finding) -> str:
    return f"{findings.severity(finding)}  {units.safe(finding.title)}"


def _states(found: Difference) -> Iterator[Change]:
    for state, pair in enumerate(found.by_state):
        if pair[0] != pair[1]:
            name = tcp.SS_STATES[state]
            yield Change("states", name, pair, sockets_where(states.scope(state)), page=name)


def _processes(found: Difference, now: Snapshot) -> Iterator[Change]:
    for each in found.processes:
        who, text = _who(each)
        text += _within(now, each.netns)
        if each.sockets[0] != each.sockets[1]:
            there = sockets_where(text) if each.sockets[1] else None
            yield Change("processes", who, each.sockets, there)
        if each.close_wait[0] != each.close_wait[1]:
            there = sockets_where(f"{text} and state close-wait") if each.close_wait[1] else None
            look = "warn" if each.close_wait[1] > each.close_wait[0] else ""
            yield Change("processes", f"{who} CLOSE-WAIT", each.close_wait, there, look)


def _who(change: ProcessChange) -> tuple[str, str]:
    """Its name, and the filter for its sockets."""
    if change.process is None:
        return NOBODY[change.owner], f"owner = {OWNER_KINDS[change.owner]}"
    pid = change.process.pid
    return f"{units.safe(change.process.name)}/{pid}", f"pid = {pid}"


def _listeners(found: Difference, looks: Looks) -> Iterator[Change]:
    for each in found.listeners:
        was, there = each.there
        name = _local(looks.new if there else looks.old, each.row)
        place = Place("listeners", item=each.cookie) if there else None
        if was != there:
            yield Change("listeners", f"{name} {'gone' if was else 'new'}", None, place)
        if each.queue[0] != each.queue[1]:
            yield Change("listeners", f"{name} accept queue", each.queue, place)
        if each.dropped:
            yield Change("listeners", f"{name} drops", (0, each.dropped), place, "bad")


def _local(snapshot: Snapshot, row: int) -> str:
    table = snapshot.sample.sockets.take(np.array([row]))
    (text,) = endpoints(table.local_hi, table.local_lo, table.local_port.tolist(), [False])
    return text


def _remotes(found: Difference, now: Snapshot) -> Iterator[Change]:
    for each in found.remotes:
        (name,) = addresses(*(np.array([half], np.uint64) for half in each.address))
        place = sockets_where(f"dst {bracketed(name)}{_within(now, each.netns)}")
        yield Change("remotes", name, each.sockets, place if each.sockets[1] else None)


def _ends(section: str, snapshot: Snapshot, places: Index, there: bool) -> Iterator[Change]:
    """Connections by who has them and to where, the largest groups first."""
    table = snapshot.sample.sockets
    rows = places[table.state[places] != tcp.LISTEN]
    hi, lo = table.remote_hi[rows], table.remote_lo[rows]
    same = row_hash(first_holders(snapshot, rows), snapshot.note[rows], hi, lo)
    _, first, counts = np.unique(same, return_index=True, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    first, counts = first[order], counts[order]
    owners = owner_texts(everything(snapshot), rows[first])
    remotes = addresses(hi[first], lo[first])
    spaces = table.netns[rows[first]].tolist()
    for who, remote, count, netns in zip(owners, remotes, counts.tolist(), spaces, strict=True):
        text = f"dst {bracketed(remote)}{_within(snapshot, netns)}"
        pair = (0, count) if there else (count, 0)
        yield Change(section, f"{who} to {remote}", pair, sockets_where(text) if there else None)


def _counters(found: Difference, now: Snapshot) -> Iterator[Change]:
    """Those of the kernel's list lead there."""
    selection = everything(now)
    here = kernel(selection)
    keys = KERNEL.keys(selection, KERNEL.rows(selection)).tolist()
    listed = dict(zip((each.name for each in entries(selection)), keys, strict=True))
    for each in found.counters:
        key = listed.get(each.name) if here is not None and here.netns == each.netns else None
        place = None if key is None else Place("kernel", item=key)
        yield Change("counters", f"{each.section}{each.name}", each.value, place)


def _within(snapshot: Snapshot, netns: int) -> str:
    """Its namespace, where more than one is looked at."""
    return f" and netns = {netns}" if len(snapshot.sample.namespaces) > 1 else ""
