"""Accept queues and drops by the address that is listened on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from prometheus_client.core import Metric

from tcptop.analysis.findings.words import called
from tcptop.analysis.tallies import Tallies
from tcptop.columns.listeners import backlog, fill, local_texts, sockets
from tcptop.columns.listeners import drops as drops_of
from tcptop.model.selection import Selection
from tcptop.model.snapshot import Snapshot
from tcptop.model.table import Index
from tcptop.views.metrics.families import OTHER, Labels, counter, gauge

LISTENERS = 100  # addresses with series of their own
REST: Labels = (OTHER, OTHER)


def listeners(selection: Selection, drops: Tallies[Labels]) -> Iterator[Metric]:
    """Those of one address together; `fill` is that of the fullest, as one stuck worker is lost in
    a sum."""
    places = selection.listeners
    rows = sockets(selection, places)
    snapshot, table = selection.snapshot, selection.snapshot.sample.sockets
    spaces = [snapshot.space(netns) for netns in table.netns[rows].tolist()]
    addresses = list(zip(spaces, local_texts(selection, places), strict=True))
    drops.add(table.key[rows].tolist(), addresses, drops_of(selection, places).tolist())
    seats = [drops.seat(each) for each in addresses]
    whose = _whose(snapshot, seats, rows)
    labels = ("netns", "listen", "process")
    told = snapshot.listeners
    for name, help, values, sums in (
        ("accept_queue", "Connections that wait for accept()", table.recv_q[rows], True),
        ("accept_queue_peak", "The longest accept queue since the start", told.peak[places], False),
        (
            "accept_queue_capacity",
            "Connections that the accept queue takes",
            backlog(selection, places) + 1,
            True,
        ),
        (
            "fill_ratio",
            "Accept queue of its capacity, of the fullest socket",
            fill(selection, places),
            False,
        ),
        ("syn_queue", "Half-open connections", told.syn_queue[places], False),
    ):
        found = _by_seat(seats, values.astype(np.float64).tolist(), sums)
        yield from gauge(
            f"listener_{name}",
            help,
            labels,
            (((*seat, whose[seat]), value) for seat, value in found.items()),
        )
    yield from counter(
        "listener_drops", "Handshakes dropped, of this address", labels[:2], drops.totals.items()
    )


def _by_seat(seats: Sequence[Labels], values: Sequence[float], sums: bool) -> dict[Labels, float]:
    """The sum, or the highest of each."""
    found: dict[Labels, float] = {}
    for seat, value in zip(seats, values, strict=True):
        if value == value:
            before = found.get(seat)
            found[seat] = (
                value if before is None else before + value if sums else max(before, value)
            )
    return found


def _whose(snapshot: Snapshot, seats: Sequence[Labels], rows: Index) -> dict[Labels, str]:
    """The process that listens, the first by name where several do; empty where none is known."""
    found: dict[Labels, str] = {}
    for seat, process in zip(seats, snapshot.holders.at(snapshot.holders.first(rows)), strict=True):
        name = called(process) if process else ""
        found[seat] = (
            min(name, found[seat]) if found.get(seat) and name else found.get(seat) or name
        )
    return found | ({REST: ""} if REST in found else {})
