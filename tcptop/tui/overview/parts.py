"""What each part of the overview says: a title, and rows of which the first matter most."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import chain, zip_longest
from typing import NamedTuple

import numpy as np

from tcptop.analysis import standing
from tcptop.analysis.findings import silence
from tcptop.analysis.findings.rules import RULES
from tcptop.analysis.findings.settings import FindingSettings
from tcptop.analysis.findings.words import called, clock_time
from tcptop.analysis.recorded import STATES as RECORDED_STATES
from tcptop.analysis.recorded import host_values
from tcptop.analysis.rings import HOST
from tcptop.columns import (
    FINDINGS,
    KERNEL,
    LISTENERS,
    OVERVIEW,
    PORTS,
    PROCESSES,
    SOCKETS,
    STATES,
    Listing,
    netns,
    ordered,
    processes,
    states,
    units,
)
from tcptop.columns.overview import NUMBERS, style
from tcptop.columns.trend import CELL_S, per_cell
from tcptop.model import tcp
from tcptop.model.cells import cell_slice, cell_width, cut
from tcptop.model.finding import causes
from tcptop.model.table import F64, Index
from tcptop.tui.overview.board import Piece, Spot, padded
from tcptop.tui.panes.rows import Scene
from tcptop.tui.widgets import layout
from tcptop.tui.widgets.layout import Cell, Line, TableColumn

FULL, SOME, EMPTY = "█", "▏", "·"  # cells of a bar
LEAST_RATES = 6
LINES = 64  # that are remembered of a part, as most are as they were a sample ago
STEADY = "steady"  # instead of bars that are all of one height
SCALE, SCALED = 7, 16  # cells of the highest value behind bars, where so many are there for both
BARS = f"{CELL_S:g} s a bar, then the highest"
WARN, BAD = 0.8, 0.95  # of a limit, as in the lists

Made = Cell | Callable[[int], Cell]  # as it is, or for so many cells


class PartRow(NamedTuple):
    """A row; cells by the keys of its part's columns."""

    spot: Spot
    cells: Mapping[str, Made]


class OverviewPart(NamedTuple):
    """`spot` is that of the title, which leads to the list; `more` stands beside the title.
    `least` is how many rows belong together."""

    title: str
    spot: Spot
    columns: Sequence[TableColumn]
    rows: Sequence[PartRow]
    more: str = ""
    least: int = 1


class _Layout:
    """The columns that have room in a width, and lines that were drawn in them."""

    def __init__(self, columns: Sequence[TableColumn], width: int) -> None:
        self.kept, self.sizes = layout.lay_out(columns, width)
        self.titles = layout.titles(self.kept, self.sizes)
        self._width = width
        self._lines: dict[tuple[Cell, ...], Line] = {}

    def line(self, row: PartRow) -> Line:
        values = (row.cells.get(column.key, "") for column in self.kept)
        sized = zip(values, self.sizes, strict=True)
        cells = tuple(value(size) if callable(value) else value for value, size in sized)
        if cells not in self._lines:
            if len(self._lines) > LINES:
                self._lines.clear()
            line = layout.row_line(cells, self.kept, self.sizes, "")
            self._lines[cells] = padded(line, self._width)
        return self._lines[cells]


_laid_out = lru_cache(64)(_Layout)


def drawn(part: OverviewPart, width: int, rows: int) -> list[Piece]:
    """The title and so many rows, each in `width` cells; columns that have no room are left out."""
    laid = _laid_out(tuple(part.columns), width)
    heading = Piece(_heading(part.title, part.more, laid.titles, width), part.spot)
    return [heading, *(Piece(laid.line(row), row.spot) for row in part.rows[:rows])]


@lru_cache(64)
def _heading(title: str, more: str, titles: str, width: int) -> Line:
    """The part's title, before those of its columns, which give way to what there is to say."""
    shown = cut(title, width)
    room = width - cell_width(shown)
    after = (
        cut(f"  {_told(more, room - 2)}", room)
        if more
        else cell_slice(titles, cell_width(shown), room)
    )
    return padded(((shown, "good"), (after, "dim")), width)


def _told(more: str, room: int) -> str:
    """As many of its clauses as have room."""
    while cell_width(more) > room and ", " in more:
        more = more.rpartition(", ")[0]
    return more


# -- findings


def findings(scene: Scene, settings: FindingSettings) -> OverviewPart:
    """The causes, the worst first; what they explain is counted."""
    selection = scene.selection
    found = [scene.snapshot.findings[place] for place in selection.findings.tolist()]
    roots = {finding.key for finding in causes(found)}
    places = ordered(FINDINGS, selection, "severity", False)
    places = np.array(
        [p for p in places.tolist() if scene.snapshot.findings[p].key in roots], np.int64
    )
    more = f"{len(found)}" if found else _watched(scene, settings)
    if len(found) > len(roots):
        more += f", of which {len(found) - len(roots)} follow from others"
    columns = (
        TableColumn("severity", "", 1),
        TableColumn("since", "", 8, priority=3),
        TableColumn("title", "", 40, flex=True, least=12),
        TableColumn("who", "", 20, priority=2),
        TableColumn("where", "", 21, priority=1, tail=":"),
    )
    made = _rows(scene, FINDINGS, places, ("severity", "title", "who", "where"))
    since = [scene.snapshot.findings[place].since for place in places.tolist()]
    clocks = ["" if moment is None else clock_time(moment) for moment in since]
    return OverviewPart("Findings", _list(FINDINGS), columns, _with(made, since=clocks), more)


def _watched(scene: Scene, settings: FindingSettings) -> str:
    """What says nothing may not have looked; without numbers that tick."""
    early = len(silence.unlooked(scene.snapshot.over_s, settings))
    silent = len({id for each in scene.snapshot.silent for id in each.rules})
    said = [f"none by {len(RULES) - len(settings.ignored)} checks"]
    said += [f"{early} of them need a longer watch"] if early else []
    said += [f"{silent} could not look"] if silent else []
    return ", ".join(said)


# -- the host's numbers, and its states


def rates(scene: Scene) -> OverviewPart:
    """Connections that come and go, segments, and what is dropped."""
    made = _rows(scene, OVERVIEW, np.arange(len(NUMBERS)), ("measure",))
    known = host_values(scene.snapshot)
    now = [(each.unit(known[each.metric]), style(each, known)) for each in NUMBERS]
    trends = _trends(scene, [each.metric for each in NUMBERS], [each.unit for each in NUMBERS])
    columns = (
        TableColumn("measure", "", 13),
        TableColumn("now", "", 6, right=True),
        TableColumn("trend", "", 6, flex=True, priority=1),
    )
    title = _list(KERNEL)
    rows = _with(made, now=now, trend=trends)
    return OverviewPart("This host", title, columns, rows, BARS, LEAST_RATES)


def state_counts(scene: Scene) -> OverviewPart:
    """The states that occur, the most sockets first; of all sockets, as what is recorded."""
    counts = scene.snapshot.totals.by_state
    listed = sorted((state for state in states.ORDER if counts[state]), key=lambda s: -counts[s])
    metrics = [RECORDED_STATES[state - 1] for state in listed]
    trends = _trends(scene, metrics, [units.count] * len(metrics))
    rows = [
        PartRow(
            Spot(STATES.name, STATES.name, state),
            {
                "state": (tcp.SS_STATES[state], states.style(state, counts[state])),
                "sockets": f"{counts[state]:,}",
                "trend": trend,
            },
        )
        for state, trend in zip(listed, trends, strict=True)
    ]
    columns = (
        TableColumn("state", "", 10),
        TableColumn("sockets", "", max(7, *(len(str(r.cells["sockets"])) for r in rows), 7),
                    right=True),
        TableColumn("trend", "", 6, flex=True, priority=1),
    )  # fmt: skip
    return OverviewPart("States", _list(STATES), columns, rows, BARS)


def _trends(
    scene: Scene, metrics: Sequence[str], shown: Sequence[Callable[[float], str]]
) -> list[Made]:
    """Bars of numbers of the host, `shown` as their units are; all of them in as many cells."""
    series = scene.several("host", HOST, metrics)
    lasting = (np.count_nonzero(~np.isnan(series.values), axis=0) > 1).tolist()
    now = series.values[-1].tolist() if len(series.values) else [math.nan] * len(metrics)

    @lru_cache(1)
    def values(cells: int) -> F64:
        return per_cell(series, scene.snapshot.sample.clock, cells)

    def made(at: int) -> Made:
        def cell(cells: int) -> Cell:
            scaled = cells >= SCALED
            drawn = values(cells - SCALE * scaled)[:, at]
            return bars(drawn, now[at], lasting[at], shown[at] if scaled else None)

        return cell

    return [made(at) for at in range(len(metrics))]


def bars(
    values: F64, now: float, lasting: bool, shown: Callable[[float], str] | None = None
) -> Cell:
    """The last values, the newest at the right, and after them the highest, which is that of the
    highest bar; no bars where all have been the same up to now, as those would grow with time.
    `lasting`: more than one was ever known."""
    known, cells = values[~np.isnan(values)], len(values)
    if not lasting or not known.any():
        return "", "dim"
    if (known == now).all():
        return STEADY if shown or cells >= len(STEADY) else "", "dim"
    drawn = units.spark(values, cells).rjust(cells)
    return drawn + shown(float(known.max())).rjust(SCALE) if shown else drawn


# -- what is full


def listeners(scene: Scene) -> OverviewPart:
    """Accept queues against their limits."""
    shown = ordered(LISTENERS, scene.selection, "fill", False)[: _most(scene)]
    made = _rows(scene, LISTENERS, shown, ("local", "process", "fill"))
    queue, capacity = _texts(scene, LISTENERS, "queue", shown), _capacity(scene, shown)
    numbers = [f"{a}/{b}" for a, b in zip(queue, capacity, strict=True)]
    fill = LISTENERS.column("fill").values(scene.selection, shown).tolist()
    some = "|" if scene.room.ascii_only else SOME
    rows = _with(made, bar=[_bar(part, some) for part in fill], number=numbers)
    title = _list(LISTENERS)
    columns = _limited(rows, numbers)
    return OverviewPart("Fullest listeners", title, columns, rows, "" if rows else "none")


def _capacity(scene: Scene, places: Index) -> list[str]:
    backlog = LISTENERS.column("backlog").values(scene.selection, places)
    return [units.count(each + 1) for each in backlog.tolist()]


def destinations(scene: Scene) -> OverviewPart:
    """Ephemeral ports in use against those that there are."""
    shown = ordered(PORTS, scene.selection, "share", False)[: _most(scene)]
    made = _rows(scene, PORTS, shown, ("remote", "processes", "share"))
    rows = [
        PartRow(row.spot, {**row.cells, "local": row.cells["remote"], "fill": row.cells["share"],
                           "process": row.cells["processes"]})
        for row in made
    ]  # fmt: skip
    ports = scene.snapshot.ports
    gone = (ports.capacity[shown] - ports.headroom[shown]).tolist()
    numbers = [f"{a:,}/{b:,}" for a, b in zip(gone, ports.capacity[shown].tolist(), strict=True)]
    share = PORTS.column("share").values(scene.selection, shown).tolist()
    some = "|" if scene.room.ascii_only else SOME
    rows = _with(rows, bar=[_bar(part, some) for part in share], number=numbers)
    rows = _apart(rows, _texts(scene, PORTS, "local", shown))
    title = _list(PORTS)
    columns = _limited(rows, numbers)
    return OverviewPart("Fullest destinations", title, columns, rows, "" if rows else "none")


def _apart(rows: Sequence[PartRow], sources: Sequence[str]) -> list[PartRow]:
    """Addresses that occur more than once with their source."""
    told = [str(row.cells["local"]) for row in rows]
    seen = Counter(told)
    more = zip(told, sources, strict=True)
    return _with(rows, local=[f"{a} from {b}" if seen[a] > 1 else a for a, b in more])


def _limited(rows: Sequence[PartRow], numbers: Sequence[str]) -> Sequence[TableColumn]:
    """A name, its bar, and the numbers behind the bar."""
    return (
        TableColumn("local", "", _widest(rows, "local"), flex=True, least=9, tail=":"),
        TableColumn("process", "", 14, flex=True, priority=4, tail="/"),
        *_spaces(rows),
        TableColumn("bar", "", 8, flex=True, priority=1),
        TableColumn("number", "", max(map(len, numbers), default=0), right=True, priority=2),
        TableColumn("fill", "", 4, right=True),
    )


def _widest(rows: Sequence[PartRow], column: str) -> int:
    """What addresses need: they are cut only where nothing is left to give way."""
    return max([14, *(cell_width(str(row.cells[column])) for row in rows)])


def _bar(fill: float, some: str) -> Made:
    """What is not empty has at least `some`, and only what is full looks full."""
    look = "bad" if fill >= BAD else "warn" if fill >= WARN else ""

    def made(cells: int) -> Cell:
        if fill != fill:
            return ""
        full = min(int(fill * cells), cells)
        drawn = FULL * full + (some if 0 < fill < 1 and not full else "")
        return drawn + EMPTY * (cells - len(drawn)), look

    return made


# -- what stands still, and who has most


def queues(scene: Scene) -> OverviewPart:
    """The largest of each kind that nothing leaves, in turns."""
    snapshot, among = scene.snapshot, scene.selection.selected
    sent = _standing(scene, "Send-Q", standing.send_queues(snapshot, among, _most(scene)))
    read = _standing(scene, "Recv-Q", standing.recv_queues(snapshot, among, _most(scene)))
    rows = [row for row in chain.from_iterable(zip_longest(sent, read)) if row is not None]
    times = max((len(str(row.cells["times"])) for row in rows), default=0)
    columns = (
        TableColumn("queue", "", 6),
        *([TableColumn("times", "", times, right=True)] if times else []),
        TableColumn("bytes", "", 6, right=True),
        TableColumn("for", "", 5, right=True, priority=1),
        TableColumn("remote", "", _widest(rows, "remote"), flex=True, least=9, tail=":"),
        TableColumn("process", "", 14, flex=True, priority=2, tail="/"),
        *_spaces(rows),
    )
    more = "" if rows else "none" if scene.snapshot.sample.backlog_told else units.UNKNOWN
    return OverviewPart("Queues that stand still", _list(SOCKETS), columns, rows, more)


def _standing(scene: Scene, queue: str, found: Sequence[standing.Standing]) -> Iterator[PartRow]:
    places = np.array([each.row for each in found], np.int64)
    made = _rows(scene, SOCKETS, places, ("remote", "process"), queue)
    for row, each in zip(made, found, strict=True):
        told: dict[str, Made] = {
            "queue": queue,
            "times": f"×{each.number:,}" if each.number > 1 else "",
            "bytes": (units.size(each.octets), "warn"),
            "for": units.coarse_age(each.waits_s),
        }
        if not each.one_port:
            told["remote"] = str(row.cells["remote"]).rpartition(":")[0]
        yield PartRow(row.spot, {**row.cells, **told})


def top_processes(scene: Scene) -> OverviewPart:
    """Those with the most sockets."""
    shown = ordered(PROCESSES, scene.selection, "sockets", False)[: _most(scene)]
    keys = ("process", "sockets", "bytes_sent_per_s", "bytes_received_per_s")
    names = [_with_pid(scene, place) for place in shown.tolist()]
    made = _with(_rows(scene, PROCESSES, shown, keys), process=names)
    columns = (
        TableColumn("process", "", 16, flex=True, least=8, tail="/"),
        TableColumn("sockets", "Socks", 6, right=True),
        TableColumn("bytes_sent_per_s", "Sent/s", 7, right=True, priority=1),
        TableColumn("bytes_received_per_s", "Recv/s", 7, right=True, priority=2),
        *_spaces(made),
    )
    return OverviewPart("Top processes", _list(PROCESSES), columns, made)


def _with_pid(scene: Scene, place: int) -> str:
    """`nginx/812`: of several with one name each is told."""
    found = processes.process(scene.selection, place)
    return f"{called(found)}/{found.pid}" if found else processes.name(scene.selection, place)


# -- rows of lists


def _most(scene: Scene) -> int:
    """Rows of a part that may have room."""
    return max(3, scene.room.height // 3)


def _list(listing: Listing) -> Spot:
    return Spot(listing.name, listing.name)


def _rows(
    scene: Scene, listing: Listing, places: Index, columns: Sequence[str], part: str = ""
) -> list[PartRow]:
    """Rows of a list with the cells of some of its columns, and of namespaces where they are of
    others than the reader's own."""
    if not len(places):
        return []
    if netns.elsewhere(listing, scene.selection, places):
        listing, columns = netns.told(listing), (*columns, netns.KEY)
    keys = listing.keys(scene.selection, places).tolist()
    cells = [_cells(scene, listing, key, places) for key in columns]
    rows = zip(keys, *cells, strict=True)
    return [
        PartRow(
            Spot(part or listing.name, listing.name, key), dict(zip(columns, values, strict=True))
        )
        for key, *values in rows
    ]


def _cells(scene: Scene, listing: Listing, key: str, places: Index) -> Sequence[Cell]:
    column = listing.column(key)
    texts = column.texts(scene.selection, places)
    styles = column.styles(scene.selection, places) if column.styles else None
    return list(zip(texts, styles, strict=True)) if styles else texts


def _spaces(rows: Sequence[PartRow]) -> list[TableColumn]:
    """The column of namespaces, where it is told."""
    told = any(netns.KEY in row.cells for row in rows)
    return [TableColumn(netns.KEY, "", 8, flex=True, priority=3, least=4, tail="/")] if told else []


def _texts(scene: Scene, listing: Listing, key: str, places: Index) -> Sequence[str]:
    return listing.column(key).texts(scene.selection, places)


def _with(rows: Sequence[PartRow], **columns: Sequence[Made]) -> list[PartRow]:
    """The rows with more cells."""
    return [
        PartRow(row.spot, {**row.cells, **{key: made[at] for key, made in columns.items()}})
        for at, row in enumerate(rows)
    ]
