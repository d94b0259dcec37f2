"""Parts that panes share: excerpts of lists, holders of sockets, options and routes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache

import numpy as np

from tcptop.analysis import subject
from tcptop.analysis.apparent import inferred
from tcptop.analysis.findings.words import called
from tcptop.analysis.identity import process_keys
from tcptop.columns import FINDINGS, PROCESSES, Listing, findings, netns, sockets, units
from tcptop.columns import column as columns
from tcptop.columns.detail import Fact
from tcptop.columns.endpoints import apparent_text, short_note
from tcptop.columns.marks import KEY as MARKS
from tcptop.columns.marks import STYLES
from tcptop.model import owner, tcp
from tcptop.model.arrays import sorted_unique
from tcptop.model.cells import cell_width, safe
from tcptop.model.finding import Finding
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.route import Link, Neighbour, Route, route_key
from tcptop.model.sample import IN_RING
from tcptop.model.table import Index
from tcptop.tui.lists import live_listing
from tcptop.tui.models import NOTHING, column_of
from tcptop.tui.panes.rows import MARK, PaneRow, Scene, Target, heading, opening, told, wrapped
from tcptop.tui.widgets import layout
from tcptop.tui.widgets.layout import Cell, TableColumn

MOST = 40  # rows of a list in a pane; the list itself is one key away
STUCK = sockets.TROUBLE[tcp.ESTABLISHED]  # what is before it in that order waits for something


class Excerpt(NamedTuple):
    """A part of a list, without some of its columns.

    `first` is a column of its own before them.
    """

    listing: Listing
    title: str
    without: tuple[str, ...] = ()
    first: TableColumn | None = None
    more: str = ""  # to be known of all of it


def excerpt(
    scene: Scene, part: Excerpt, rows: Index, first: Sequence[Cell] = ()
) -> Iterator[PaneRow]:
    """The rows with the columns that fit, nothing where there are none; `rows` are places in the
    list of the snapshot, `first` their cells in the column before."""
    if not len(rows):
        return
    counted = f"{MOST} of {len(rows):,}" if len(rows) > MOST else f"{len(rows):,}"
    yield heading(part.title, f"{counted}  {part.more}".rstrip())
    rows, shown = rows[:MOST], live_listing(part.listing, scene.snapshot.idle_timeout_s)
    own = {part.first.key: first[:MOST]} if part.first is not None else {}

    @cache
    def column_cells(key: str) -> Sequence[Cell]:
        return own[key] if key in own else _cells(scene, shown.column(key), rows)

    width = scene.room.width - len(MARK)
    kept, sizes = layout.lay_out(
        _columns(part, netns.elsewhere(part.listing, scene.selection, rows)),
        width,
        lambda key: max(map(cell_width, layout.plain(column_cells(key)))),
        lambda key: NOTHING.issuperset(layout.plain(column_cells(key))),
    )
    titles = layout.titles(kept, sizes)
    yield PaneRow(("titles", part.title), ((" " * len(MARK) + titles, "dim"),))
    cells = [column_cells(column.key) for column in kept]
    styles = shown.styles(scene.selection, rows)
    keys = shown.keys(scene.selection, rows).tolist()
    for key, style, *row in zip(keys, styles, *cells, strict=True):
        line = layout.row_line(row, kept, sizes, style)
        full = (cell if isinstance(cell, str) else cell[0] for cell in row)
        copied = "  ".join(filter(None, full))
        yield opening((part.title, key), line, Target(part.listing, key), copied)


def _columns(part: Excerpt, elsewhere: bool) -> list[TableColumn]:
    """As in the list: with namespaces where rows are of others than the reader's own."""
    every = live_listing(part.listing).columns
    without = (MARKS, *part.without, *([] if elsewhere else [netns.KEY]))
    made = [column_of(each) for each in every if each.key not in without]
    return [part.first, *made] if part.first is not None else made


def _cells(scene: Scene, column: columns.Column, rows: Index) -> Sequence[Cell]:
    texts = column.texts(scene.selection, rows)
    styles = column.styles(scene.selection, rows) if column.styles else None
    return list(zip(texts, styles, strict=True)) if styles else texts


def worst_first(scene: Scene, rows: Index) -> Index:
    """Sockets in the order in which one looks at them: those on which something waits first.

    Only as many as a list shows are sorted; equals keep their order, so that nothing takes turns.
    """
    table = scene.table
    trouble = sockets.TROUBLE[table.state[rows]]
    queued = table.recv_q[rows].astype(np.int64) + table.send_q[rows]
    sound = (trouble >= STUCK) & (queued == 0)
    rank = ((sound.astype(np.int64) << 38) - (queued << 4) + trouble) * len(rows)
    rank += np.arange(len(rows))
    if len(rows) > MOST:
        return rows[np.argpartition(rank, range(MOST))]
    return rows[np.argsort(rank)]


def found(scene: Scene, rows: Index, pids: frozenset[int] = frozenset()) -> Iterator[PaneRow]:
    """The findings about any of these sockets, or about the processes."""

    def concerned(finding: Finding) -> bool:
        mine = subject.rows(finding.subject, scene.snapshot)[rows].any()
        return bool(mine or pids.intersection(finding.subject.pids))

    return about(scene, concerned)


def about(scene: Scene, concerned: Callable[[Finding], bool]) -> Iterator[PaneRow]:
    """Some of the findings, the worst first."""
    for each in scene.snapshot.findings:
        if concerned(each):
            style, goal = STYLES[each.severity], Target(FINDINGS, findings.number(each.key))
            name, title = findings.severity(each), safe(each.title)
            yield from wrapped(scene.room, name, title, style, goal, most=2)


def states(scene: Scene, rows: Index) -> str:
    """`9 sockets: 7 ESTAB, 1 CLOSE-WAIT, 1 LISTEN`, the most first."""
    counts = np.bincount(scene.table.state[rows], minlength=len(tcp.STATES))
    order = np.argsort(-counts, kind="stable").tolist()
    parts = [f"{counts[state]:,} {tcp.SS_STATES[state]}" for state in order if counts[state]]
    number = f"{len(rows):,} socket{'' if len(rows) == 1 else 's'}"
    return f"{number}: {', '.join(parts)}" if parts else number


def own_counts(group: Index, rows: Index) -> tuple[Index, Index]:
    """The groups that these sockets belong to and how many of them, the most first."""
    of = group[rows]
    numbers, counts = np.unique(of[of >= 0], return_counts=True)
    order = np.argsort(-counts, kind="stable")
    return numbers[order], counts[order]


# -- who holds sockets


ITS = TableColumn("its", "Its", 6, right=True)
HOLDERS = 4  # holders of one socket that are named


def holders(scene: Scene, row: int) -> Iterator[PaneRow]:
    """The processes that hold one socket, or why nobody can be named."""
    snapshot = scene.snapshot
    note = int(snapshot.note[row])
    entries = range(int(snapshot.holders.start[row]), int(snapshot.holders.start[row + 1]))
    for entry in entries[:HOLDERS]:
        index, fd = int(snapshot.holders.process[entry]), int(snapshot.holders.fd[entry])
        process = snapshot.holders.processes[index]
        closed = snapshot.owner[row] == owner.REMEMBERED
        where = f"fd {fd}" if fd >= 0 else "closed by it" if closed else "when last searched"
        where = "io_uring" if fd == IN_RING else where
        name = f"{called(process)}/{process.pid}"
        goal = _target(scene, index, int(scene.table.netns[row]))
        made = told(scene.room, "process", f"{name} {where}", safe(process.cmdline), "", goal)
        yield PaneRow(("holder", name, fd), made.drawn, goal)
    if len(entries) > HOLDERS:
        yield told(scene.room, "", f"and {len(entries) - HOLDERS} others")
    if note:
        yield from wrapped(
            scene.room, "owner", f"{short_note(snapshot, row)} {owner.NOTES[note]}".strip()
        )
    if (told_by := int(inferred(snapshot).note[row])) != owner.NONE:
        said = f"{apparent_text(snapshot, row)} {owner.NOTES[told_by]}"
        yield from wrapped(scene.room, "apparently", said)


def _target(scene: Scene, process: int, netns: int) -> Target | None:
    found = scene.selection.processes
    place = np.flatnonzero((found.process == process) & (found.netns == netns))[:1]
    keys = process_keys(scene.selection, place).tolist()
    return Target(PROCESSES, keys[0]) if keys else None


def responsible(scene: Scene, rows: Index) -> Iterator[PaneRow]:
    """The processes that hold any of these sockets, those with the most of them first."""
    snapshot, found = scene.snapshot, scene.selection.processes
    mine = np.zeros(len(scene.table), bool)
    mine[rows] = True
    held = snapshot.holders.process[mine[snapshot.holders.row]]
    counts = np.bincount(held, minlength=len(snapshot.holders.processes))
    spaces = sorted_unique(scene.table.netns[rows])
    places = np.flatnonzero((found.process >= 0) & np.isin(found.netns, spaces))
    own = counts[found.process[places]]
    order = np.argsort(-own, kind="stable")
    order = order[own[order] > 0]
    part = Excerpt(PROCESSES, "Processes", (), ITS, "its sockets here, then all that it has")
    yield from excerpt(scene, part, places[order], [str(n) for n in own[order].tolist()])


# -- options and route


# As in ip-neighbour(8).
NEIGHBOUR_MEANINGS = {
    "REACHABLE": "it was heard of lately",
    "STALE": "known; it is asked again when something is sent",
    "DELAY": "something was sent; it is asked if nothing comes back",
    "PROBE": "it is being asked",
    "INCOMPLETE": "asked for the first time; no answer yet",
    "FAILED": "nobody on the link answers: nothing can be sent",
    "PERMANENT": "set by hand, never asked",
    "NOARP": "the link needs no such thing",
    "NONE": "it was never asked for",
}


def option_facts(scene: Scene, row: int, every: Sequence[Fact]) -> list[Fact]:
    """Those of all facts that are options, or why there are none."""
    known = [fact for fact in every if fact.group == "options"]
    if known or not scene.table.inode[row]:  # nobody has a descriptor to read them from
        return known
    return [Fact("options", "options", units.UNKNOWN, _unread(scene))]


def route_facts(scene: Scene, row: int) -> list[Fact]:
    """Where the segments of a connection leave the host."""
    where = route_key(scene.table, row)
    if where is None:
        return []
    route = scene.snapshot.sample.routes.get(where)
    if route is None:
        return [_fact("route", units.UNKNOWN, _unread(scene))]
    if route.why_not:
        return [_fact("route", units.UNKNOWN, route.why_not)]
    return [*_route(route, scene.snapshot.sample.clock)]


def _unread(scene: Scene) -> str:
    if scene.snapshot.sample.via is not None:
        return "not read through another command"
    return "not read yet; known with the next sample"


def _fact(name: str, value: str, meaning: str = "") -> Fact:
    return Fact("route", name, safe(value), safe(meaning))


def _route(route: Route, clock: float) -> Iterator[Fact]:
    if route.this_host:
        yield _fact("route", "local", "the peer is this host: no network is between")
    else:
        table = f"table {route.table}" if route.table else ""
        yield _fact("route", route.prefix or route.kind or units.UNKNOWN, table)
        yield _fact(
            "gateway", route.gateway or "none", "" if route.gateway else "the peer is on the link"
        )
    if route.hops > 1:
        yield _fact("next hops", str(route.hops), "one of them was chosen (multipath)")
    if route.mtu is not None:
        yield _fact("route MTU", f"{route.mtu:,} B", _learned(route.mtu_learned_s))
    if route.link is not None:
        yield from _link(route.link)
    if route.neighbour is not None:
        yield from _neighbour(route.neighbour)
    yield from _source(route)
    yield _fact(
        "read", f"{units.long_duration(max(0.0, clock - route.read_at))} ago", "by rtnetlink"
    )


def _learned(seconds: float | None) -> str:
    if seconds is None:
        return "set on the route"
    return f"learned from the path; expires in {units.long_duration(seconds)}"


def _link(link: Link) -> Iterator[Fact]:
    yield _fact("device", link.name, " ".join(filter(None, (link.kind, link.state))))
    if link.mtu is not None:
        yield _fact("device MTU", f"{link.mtu:,} B", "largest packet that the device takes")


def _neighbour(neighbour: Neighbour) -> Iterator[Fact]:
    mac = f"; {neighbour.mac}" if neighbour.mac else ""
    yield _fact("neighbour", neighbour.address, f"the next hop on the link{mac}")
    yield _fact("neighbour state", neighbour.state, NEIGHBOUR_MEANINGS.get(neighbour.state, ""))


def _source(route: Route) -> Iterator[Fact]:
    """Whether the local address is still the host's own."""
    if route.local_link == "":
        yield _fact("local address", "gone", "no device has it any more: answers cannot arrive")
    elif route.local_link and route.link and route.local_link != route.link.name:
        yield _fact("local address", f"on {route.local_link}", "another device than the route's")


def queued(unread: float, unacknowledged: float) -> str:
    """Bytes in both directions."""
    return f"Recv-Q {units.long_size(unread)}  Send-Q {units.long_size(unacknowledged)}"
