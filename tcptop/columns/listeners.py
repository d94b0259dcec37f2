"""Columns of the listeners."""

from __future__ import annotations

from collections.abc import Sequence
from shlex import quote

import numpy as np

from tcptop.analysis.identity import listener_keys
from tcptop.analysis.recorded import OF_LISTENERS
from tcptop.columns import commands, units, workloads
from tcptop.columns.column import LABEL_CELLS, Column, Values, shown
from tcptop.columns.endpoints import (
    LOCAL,
    endpoints,
    of_device,
    owner_texts,
    owner_values,
    rank,
    source,
    unowned_last,
    zones,
)
from tcptop.columns.listing import Listing, Sparkline, plain
from tcptop.columns.marks import of_named
from tcptop.model import address, tcp
from tcptop.model.finding import Finding
from tcptop.model.selection import Selection
from tcptop.model.table import F64, I64, Index, SocketTable


def _table(selection: Selection) -> SocketTable:
    return selection.snapshot.sample.sockets


def sockets(selection: Selection, rows: Index) -> Index:
    """The socket rows of listeners."""
    return selection.snapshot.listeners.row[rows]


def _plain(name: str) -> Values:
    return lambda selection, rows: getattr(selection.snapshot.listeners, name)[rows]


def _queue(selection: Selection, rows: Index) -> I64:
    return _table(selection).recv_q[sockets(selection, rows)].astype(np.int64)


def backlog(selection: Selection, rows: Index) -> F64:
    told = selection.snapshot.sample.backlog_told
    return _table(selection).backlog(told, sockets(selection, rows))


def fill(selection: Selection, rows: Index) -> F64:
    told = selection.snapshot.sample.backlog_told
    return _table(selection).fill(told, sockets(selection, rows))


def drops(selection: Selection, rows: Index) -> F64:
    return _table(selection).drops(sockets(selection, rows))


def _fill_looks(selection: Selection, rows: Index) -> list[str]:
    return ["bad" if f >= 1 else "warn" if f >= 0.8 else "" for f in fill(selection, rows).tolist()]


def _drop_looks(selection: Selection, rows: Index) -> list[str]:
    rates = selection.snapshot.listeners.drops_per_s[rows].tolist()
    return ["bad" if rate > 0 else "" for rate in rates]


def kind(table: SocketTable, row: int) -> str:
    """Which addresses a listener answers: IPv4, IPv6, or both."""
    if table.family[row] == tcp.AF_INET:
        return "v4"
    if table.local_hi[row] or table.local_lo[row]:
        return "v4" if table.local_lo[row] >> np.uint64(32) == 0xFFFF else "v6"
    known = int(table.has[row]) >> tcp.SKV6ONLY & 1
    return "v6 only" if known and table.v6only[row] else "v4+v6"


def _kinds(selection: Selection, rows: Index) -> list[str]:
    table = _table(selection)
    return [kind(table, row) for row in sockets(selection, rows).tolist()]


def local_texts(selection: Selection, rows: Index) -> list[str]:
    table, places = _table(selection), sockets(selection, rows)
    port = table.local_port[places].tolist()
    scopes = zones(selection.snapshot.sample, table.netns[places], table.interface[places])
    return endpoints(table.local_hi[places], table.local_lo[places], port, scopes)


def _local(selection: Selection, rows: Index) -> I64:
    table, places = _table(selection), sockets(selection, rows)
    return rank(table.local_port[places], table.local_hi[places], table.local_lo[places])


def _people(selection: Selection, rows: Index) -> list[str]:
    return owner_texts(selection, sockets(selection, rows))


COLUMNS = (
    Column(
        "local", "Listening on", 17, "Address and port.", _local, local_texts, flex=True,
        largest_first=False, tail=":", least=13, grow=0,
    ),
    Column(
        "kind", "Serves", 7, "IPv4, IPv6, or both on one dual-stack socket.",
        lambda s, r: np.array(_kinds(s, r), dtype=str), _kinds, priority=4, largest_first=False,
    ),
    Column(
        "queue", "Queue", 6, "Connections that wait for accept().", _queue,
        shown(units.count, _queue), right=True,
    ),
    Column(
        "backlog", "Backlog", 8,
        "The limit given to listen(), at most net.core.somaxconn; one more than it fits.",
        backlog, shown(units.count, backlog), right=True,
    ),
    Column(
        "fill", "Fill", 5, "Queue against backlog + 1; at 100% the kernel drops new connections.",
        fill, shown(units.percent, fill), right=True, styles=_fill_looks, priority=1,
    ),
    Column(
        "peak", "Peak", 6, "Longest queue since tcptop started, polled five times a second.",
        _plain("peak"), shown(units.count, _plain("peak")), right=True, priority=1,
    ),
    Column(
        "syn_queue", "SYNs", 5, "Half-open connections (SYN-RECV).", _plain("syn_queue"),
        shown(units.count, _plain("syn_queue")), right=True, priority=2,
    ),
    Column(
        "drops", "Drops", 7, "Packets this listener dropped since it started listening.", drops,
        shown(units.count, drops), right=True,
    ),
    Column(
        "drops_per_s", "Drop/s", 6, "Packets it drops a second, retries included.",
        _plain("drops_per_s"), shown(units.rate, _plain("drops_per_s")), right=True,
        priority=1, styles=_drop_looks,
    ),
    Column(
        "siblings", "Group", 5, "SO_REUSEPORT sockets on this port, each with its own queue.",
        _plain("siblings"), shown(units.count, _plain("siblings")), right=True, priority=5,
    ),
    Column(
        "process", "Process", 10, "Who should call accept().",
        lambda s, r: owner_values(s, sockets(s, r)), _people, flex=True, largest_first=False,
        tail="/", least=10, grow=2, most=LABEL_CELLS,
    ),
    workloads.column(sockets, priority=6),
    commands.column(sockets, priority=7),
)  # fmt: skip


def scope(selection: Selection, place: int) -> str:
    """Its own socket and those that came in through it; a wildcard answers every address."""
    table, row = _table(selection), int(selection.snapshot.listeners.row[place])
    sample = selection.snapshot.sample
    return _answered(table, row) + of_device(sample, table, row, ("state", *LOCAL))


def _answered(table: SocketTable, row: int) -> str:
    port = int(table.local_port[row])
    hi, lo = int(table.local_hi[row]), int(table.local_lo[row])
    if (hi, lo) == (0, 0):  # of both families
        return f"sport = :{port}"
    if (hi, lo) == (0, address.MAPPED_PREFIX << 32):
        return f"src 0.0.0.0/0 and sport = :{port}"
    return f"src {address.endpoint(address.text(hi, lo), port)}"


def command(selection: Selection, place: int) -> str:
    return listening(selection, int(selection.snapshot.listeners.row[place]))


def listening(selection: Selection, row: int) -> str:
    """The command for the row of a LISTEN socket."""
    return f"ss -ltnpm {quote(source(selection, row))}"


def worst(selection: Selection, rows: Index, findings: Sequence[Finding]) -> Index:
    """By key, or by namespace, address and port."""
    ranks = {(f.subject.netns, f.subject.listener): rank for rank, f in enumerate(findings)}
    spaces = _table(selection).netns[sockets(selection, rows)].tolist()
    places = zip(spaces, local_texts(selection, rows), strict=True)
    by_text = [ranks.get(place, -1) for place in places]
    named = of_named(listener_keys(selection, rows), findings)
    return np.maximum(named, np.array(by_text, np.int64))


LISTENERS = Listing(
    "listeners", "Listeners", "Listen", COLUMNS, "fill", "Nobody listens on TCP here.",
    rows=lambda s: s.listeners, keys=listener_keys, styles=plain,
    netns=lambda s, r: _table(s).netns[sockets(s, r)], scope=scope, command=command,
    last=lambda s, r, key: unowned_last(s, sockets(s, r)) & (key == "process"),
    worst=worst, page=lambda s, place: "queues",
    recorded=OF_LISTENERS, sparkline=Sparkline("peak", "its accept queue"), whole=True,
)  # fmt: skip
