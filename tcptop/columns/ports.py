"""Columns of the ephemeral ports by destination."""

from __future__ import annotations

from shlex import quote

import numpy as np

from tcptop.analysis.findings.words import called
from tcptop.analysis.identity import port_keys
from tcptop.analysis.recorded import OF_PORTS
from tcptop.columns import units
from tcptop.columns.column import Column, Values, shown
from tcptop.columns.endpoints import (
    LOCAL,
    REMOTE,
    addresses,
    endpoints,
    of_device,
    owner_values,
    people_of,
    rank,
    zones,
)
from tcptop.columns.listing import Listing, Sparkline, plain
from tcptop.columns.marks import of_groups
from tcptop.model import address, sysctls
from tcptop.model.selection import Selection
from tcptop.model.snapshot import Ports, Snapshot
from tcptop.model.table import F64, I64, Index


def _ports(selection: Selection) -> Ports:
    return selection.snapshot.ports


def _plain(name: str) -> Values:
    return lambda selection, rows: getattr(_ports(selection), name)[rows]


def _local(selection: Selection, rows: Index) -> I64:
    ports = _ports(selection)
    return rank(ports.local_hi[rows], ports.local_lo[rows])


def _remote(selection: Selection, rows: Index) -> I64:
    ports = _ports(selection)
    return rank(ports.remote_hi[rows], ports.remote_lo[rows], ports.remote_port[rows])


def local_texts(selection: Selection, rows: Index) -> list[str]:
    ports = _ports(selection)
    local = addresses(ports.local_hi[rows], ports.local_lo[rows])
    return list(map(str.__add__, local, _zones(selection, rows)))


def remote_texts(selection: Selection, rows: Index) -> list[str]:
    ports = _ports(selection)
    numbers = ports.remote_port[rows].tolist()
    scopes = _zones(selection, rows)
    return endpoints(ports.remote_hi[rows], ports.remote_lo[rows], numbers, scopes)


def _zones(selection: Selection, rows: Index) -> list[str]:
    ports = _ports(selection)
    return zones(selection.snapshot.sample, ports.netns[rows], ports.interface[rows])


def share(selection: Selection, rows: Index) -> F64:
    """What is gone of the range, 0 to 1."""
    ports = _ports(selection)
    capacity = ports.capacity[rows]
    return np.where(capacity > 0, 1 - ports.headroom[rows] / np.maximum(capacity, 1), np.nan)


def _looks(selection: Selection, rows: Index) -> list[str]:
    values = share(selection, rows).tolist()
    return ["bad" if s >= 0.95 else "warn" if s >= 0.8 else "" for s in values]


def members(snapshot: Snapshot, group: Index, number: int) -> Index:
    """The socket rows of one group."""
    return np.flatnonzero(group == number)


def process_texts(snapshot: Snapshot, group: Index, rows: Index) -> list[str]:
    """The processes of each group, the busiest by name."""
    texts = []
    for number in rows.tolist():
        processes = people_of(snapshot, members(snapshot, group, number))
        texts.append(_some([called(snapshot.holders.processes[p]) for p in processes]))
    return texts


def _some(names: list[str]) -> str:
    if not names:
        return units.UNKNOWN
    distinct = list(dict.fromkeys(names))
    more = f" +{len(distinct) - 1}" if len(distinct) > 1 else ""
    return distinct[0] + more


def first_owner(selection: Selection, group: Index, rows: Index) -> I64:
    """To sort groups by process without looking at every member: the first one's."""
    first = np.zeros(int(group.max(initial=0)) + 1, np.int64)
    members = np.flatnonzero(group >= 0)[::-1]
    first[group[members]] = members
    return owner_values(selection, first[rows])


def _processes(selection: Selection, rows: Index) -> list[str]:
    return process_texts(selection.snapshot, _ports(selection).group, rows)


def _number(key: str, title: str, width: int, meaning: str, priority: int = 0) -> Column:
    values = _plain(key)
    return Column(
        key, title, width, meaning, values, shown(units.count, values), right=True,
        priority=priority,
    )  # fmt: skip


COLUMNS = (
    Column(
        "local", "Local address", 13, "Source of the connections.", _local, local_texts,
        flex=True, largest_first=False, tail=":", least=9, grow=0,
    ),
    Column(
        "remote", "Destination", 17, "Where they go.", _remote, remote_texts, flex=True,
        largest_first=False, tail=":", least=13, grow=0,
    ),
    _number("used", "Used", 6, "Ports in use towards this destination."),
    _number("time_wait", "TimeW", 6, "Connections of these in TIME-WAIT, kept for 60 s.", 1),
    _number("blocked", "Reserved", 8, "Ports lost to every destination: listened on, or bound.", 3),
    _number("capacity", "Range", 6, "Ports that the kernel may pick from.", 2),
    _number("headroom", "Left", 6, "Connections that can still be opened; at 0 connect() fails."),
    Column(
        "share", "Used %", 6, "Share of the range in use.", share, shown(units.percent, share),
        right=True, styles=_looks,
    ),
    _number("headroom_bind", "Bind", 6, "Left for bind() to port 0 on this address.", 4),
    Column(
        "opens_per_s", "Open/s", 6, "Connections opened a second.", _plain("opens_per_s"),
        shown(units.rate, _plain("opens_per_s")), right=True, priority=1,
    ),
    Column(
        "closes_per_s", "Close/s", 7, "Connections that ended a second, where that is told.",
        _plain("closes_per_s"), shown(units.rate, _plain("closes_per_s")), right=True, priority=6,
    ),
    Column(
        "exhausted_in_s", "Out in", 6, "When the ports run out at the current rate.",
        _plain("exhausted_in_s"), shown(units.duration, _plain("exhausted_in_s")), right=True,
        priority=1, largest_first=False,
    ),
    Column(
        "processes", "Processes", 14, "Who holds them.",
        lambda s, r: first_owner(s, s.snapshot.ports.group, r), _processes, flex=True, priority=5,
        largest_first=False, least=8, grow=5,
    ),
)  # fmt: skip


def scope(selection: Selection, place: int) -> str:
    ports = _ports(selection)
    local = address.local_text(ports, place)
    remote = address.remote_text(ports, place)
    goal = address.endpoint(remote, int(ports.remote_port[place]))
    device = of_device(selection.snapshot.sample, ports, place, (*LOCAL[:2], *REMOTE))
    return f"src {address.bracketed(local)} and dst {goal}{device}"


def command(selection: Selection, place: int) -> str:
    return f"ss -tanpo {quote(scope(selection, place) + _range(selection, place))}"


def _range(selection: Selection, place: int) -> str:
    """What is an ephemeral port there."""
    netns = int(_ports(selection).netns[place])
    bounds = sysctls.port_range(selection.snapshot.sample.kernel_of(netns).sysctls)
    return f" and sport >= :{bounds[0]} and sport <= :{bounds[1]}" if bounds else ""


PORTS = Listing(
    "ports", "Ports", "Ports", COLUMNS, "share",
    "No connection holds a port of the ephemeral range.",
    rows=lambda s: s.ports, keys=port_keys, styles=plain,
    netns=lambda s, r: s.snapshot.ports.netns[r], scope=scope, command=command,
    worst=lambda s, r, findings: of_groups(s, s.snapshot.ports.group, r, findings),
    page=lambda s, place: "ports",
    recorded=OF_PORTS, sparkline=Sparkline("used", "ports in use"), whole=True,
)  # fmt: skip
