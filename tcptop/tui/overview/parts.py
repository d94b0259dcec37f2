"""What each part of the overview says: a title, and rows of which the first matter most."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from itertools import chain, zip_longest

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
    ordered,
    processes,
    states,
    units,
)
from tcptop.columns.overview import NUMBERS, style
from tcptop.columns.trend import CELL_S, per_cell
from tcptop.model import tcp
from tcptop.model.cells import cell_width
from tcptop.model.finding import causes
from tcptop.model.table import F64, Index
from tcptop.tui.overview.board import Spot
from tcptop.tui.overview.part import (
    Made,
    OverviewPart,
    PartRow,
    listed,
    most,
    spaces,
    texts,
    title_spot,
    with_cells,
)
from tcptop.tui.panes.rows import Scene
from tcptop.tui.widgets.layout import Cell, TableColumn

FULL, SOME, EMPTY = "█", "▏", "·"  # cells of a bar
LEAST_RATES = 6
STEADY = "steady"  # instead of bars that are all of one height
SCALE, SCALED = 7, 16  # cells of the highest value behind bars, where so many are there for both
BARS = f"{CELL_S:g} s per bar, the highest at the right"
WARN, BAD = 0.8, 0.95  # of a limit, as in the lists


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
        effects = len(found) - len(roots)
        more += f", of which {effects} follow{'s from another' if effects == 1 else ' from others'}"
    columns = (
        TableColumn("severity", "", 1),
        TableColumn("since", "", 8, priority=3),
        TableColumn("title", "", 40, flex=True, least=12),
        TableColumn("who", "", 20, priority=2),
        TableColumn("where", "", 21, priority=1, tail=":"),
    )
    made = listed(scene, FINDINGS, places, ("severity", "title", "who", "where"))
    since = [scene.snapshot.findings[place].since for place in places.tolist()]
    clocks = ["" if moment is None else clock_time(moment) for moment in since]
    return OverviewPart(
        "Findings", title_spot(FINDINGS), columns, with_cells(made, since=clocks), more
    )


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
    made = listed(scene, OVERVIEW, np.arange(len(NUMBERS)), ("measure",))
    known = host_values(scene.snapshot)
    now = [(each.unit(known[each.metric]), style(each, known)) for each in NUMBERS]
    trends = _trends(scene, [each.metric for each in NUMBERS], [each.unit for each in NUMBERS])
    columns = (
        TableColumn("measure", "", 13),
        TableColumn("now", "", 6, right=True),
        TableColumn("trend", "", 6, flex=True, priority=1),
    )
    title = title_spot(KERNEL)
    rows = with_cells(made, now=now, trend=trends)
    return OverviewPart("This host", title, columns, rows, BARS, LEAST_RATES)


def state_counts(scene: Scene) -> OverviewPart:
    """The states that occur, the most sockets first; of all sockets, as what is recorded."""
    counts = scene.snapshot.totals.by_state
    occurring = sorted((state for state in states.ORDER if counts[state]), key=lambda s: -counts[s])
    metrics = [RECORDED_STATES[state - 1] for state in occurring]
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
        for state, trend in zip(occurring, trends, strict=True)
    ]
    columns = (
        TableColumn("state", "", 10),
        TableColumn("sockets", "", max(7, *(len(str(r.cells["sockets"])) for r in rows), 7),
                    right=True),
        TableColumn("trend", "", 6, flex=True, priority=1),
    )  # fmt: skip
    return OverviewPart("States", title_spot(STATES), columns, rows, BARS)


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
            if shown[at](float(drawn[~np.isnan(drawn)].max(initial=0.0))) == shown[at](0.0):
                return "", "dim"  # bars of what rounds to nothing
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
    shown = ordered(LISTENERS, scene.selection, "fill", False)[: most(scene)]
    made = listed(scene, LISTENERS, shown, ("local", "process", "fill"))
    queue, capacity = texts(scene, LISTENERS, "queue", shown), _capacity(scene, shown)
    numbers = [f"{a}/{b}" for a, b in zip(queue, capacity, strict=True)]
    fill = LISTENERS.column("fill").values(scene.selection, shown).tolist()
    some = "|" if scene.room.ascii_only else SOME
    rows = with_cells(made, bar=[_bar(part, some) for part in fill], number=numbers)
    title = title_spot(LISTENERS)
    columns = _limited(rows, numbers)
    return OverviewPart("Fullest listeners", title, columns, rows, "" if rows else "none")


def _capacity(scene: Scene, places: Index) -> list[str]:
    backlog = LISTENERS.column("backlog").values(scene.selection, places)
    return [units.count(each + 1) for each in backlog.tolist()]


def destinations(scene: Scene) -> OverviewPart:
    """Ephemeral ports in use against those that there are."""
    shown = ordered(PORTS, scene.selection, "share", False)[: most(scene)]
    made = listed(scene, PORTS, shown, ("remote", "processes", "share"))
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
    rows = with_cells(rows, bar=[_bar(part, some) for part in share], number=numbers)
    rows = _apart(rows, texts(scene, PORTS, "local", shown))
    title = title_spot(PORTS)
    columns = _limited(rows, numbers)
    return OverviewPart("Fullest destinations", title, columns, rows, "" if rows else "none")


def _apart(rows: Sequence[PartRow], sources: Sequence[str]) -> list[PartRow]:
    """Addresses that occur more than once with their source."""
    told = [str(row.cells["local"]) for row in rows]
    seen = Counter(told)
    more = zip(told, sources, strict=True)
    return with_cells(rows, local=[f"{a} from {b}" if seen[a] > 1 else a for a, b in more])


def _limited(rows: Sequence[PartRow], numbers: Sequence[str]) -> Sequence[TableColumn]:
    """A name, its bar, and the numbers behind the bar."""
    return (
        TableColumn("local", "", _widest(rows, "local"), flex=True, least=9, tail=":"),
        TableColumn("process", "", 14, flex=True, priority=4, tail="/"),
        *spaces(rows),
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
    sent = _standing(scene, "Send-Q", standing.send_queues(snapshot, among, most(scene)))
    read = _standing(scene, "Recv-Q", standing.recv_queues(snapshot, among, most(scene)))
    rows = [row for row in chain.from_iterable(zip_longest(sent, read)) if row is not None]
    times = max((len(str(row.cells["times"])) for row in rows), default=0)
    columns = (
        TableColumn("queue", "", 6),
        *([TableColumn("times", "", times, right=True)] if times else []),
        TableColumn("bytes", "", 6, right=True),
        TableColumn("for", "", 5, right=True, priority=1),
        TableColumn("remote", "", _widest(rows, "remote"), flex=True, least=9, tail=":"),
        TableColumn("process", "", 14, flex=True, priority=2, tail="/"),
        *spaces(rows),
    )
    more = "" if rows else "none" if scene.snapshot.sample.backlog_told else units.UNKNOWN
    return OverviewPart("Queues that stand still", title_spot(SOCKETS), columns, rows, more)


def _standing(scene: Scene, queue: str, found: Sequence[standing.Standing]) -> Iterator[PartRow]:
    places = np.array([each.row for each in found], np.int64)
    made = listed(scene, SOCKETS, places, ("remote", "process"), queue)
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
    shown = ordered(PROCESSES, scene.selection, "sockets", False)[: most(scene)]
    keys = ("process", "sockets", "bytes_sent_per_s", "bytes_received_per_s")
    names = [_with_pid(scene, place) for place in shown.tolist()]
    made = with_cells(listed(scene, PROCESSES, shown, keys), process=names)
    columns = (
        TableColumn("process", "", 16, flex=True, least=8, tail="/"),
        TableColumn("sockets", "Socks", 6, right=True),
        TableColumn("bytes_sent_per_s", "Sent/s", 7, right=True, priority=1),
        TableColumn("bytes_received_per_s", "Recv/s", 7, right=True, priority=2),
        *spaces(made),
    )
    return OverviewPart("Top processes", title_spot(PROCESSES), columns, made)


def _with_pid(scene: Scene, place: int) -> str:
    """`nginx/812`: of several with one name each is told."""
    found = processes.process(scene.selection, place)
    return f"{called(found)}/{found.pid}" if found else processes.name(scene.selection, place)
