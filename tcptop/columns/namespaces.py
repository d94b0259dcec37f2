"""Columns of the network namespaces."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tcptop.analysis.identity import namespace_keys
from tcptop.analysis.recorded import OF_NAMESPACES
from tcptop.columns import units
from tcptop.columns.column import Column, Texts, Values, shown
from tcptop.columns.listing import Listing, Sparkline, plain
from tcptop.model import tcp
from tcptop.model.cells import safe
from tcptop.model.finding import Finding
from tcptop.model.sample import Namespace
from tcptop.model.selection import Selection
from tcptop.model.snapshot import NamespaceTotals
from tcptop.model.table import F64, I64, Index


def _totals(selection: Selection) -> NamespaceTotals:
    return selection.snapshot.namespaces


def space(selection: Selection, place: int) -> Namespace:
    """What is known of a row's namespace."""
    inode = int(_totals(selection).netns[place])
    known = (each for each in selection.snapshot.sample.namespaces if each.inode == inode)
    return next(known, Namespace(inode, None))


def _spaces(selection: Selection, rows: Index) -> list[Namespace]:
    known = {each.inode: each for each in selection.snapshot.sample.namespaces}
    inodes = _totals(selection).netns[rows].tolist()
    return [known.get(inode, Namespace(inode, None)) for inode in inodes]


def _titles(selection: Selection, rows: Index) -> list[str]:
    sample, inodes = selection.snapshot.sample, _totals(selection).netns[rows].tolist()
    return [safe(sample.space(inode)) for inode in inodes]


def container(found: Namespace) -> str:
    """`payments-7d4f (containerd)`, or an id; empty where it is not known to be one's."""
    box = found.container
    if box is None:
        return ""
    name = box.name or (box.id or "")[:12]
    return f"{name} ({box.runtime})" if box.runtime else name


def _containers(selection: Selection, rows: Index) -> list[str]:
    return [safe(container(each)) for each in _spaces(selection, rows)]


def _processes(selection: Selection, rows: Index) -> F64:
    counts = (each.processes for each in _spaces(selection, rows))
    return np.array([np.nan if count is None else count for count in counts], np.float64)


def _plain(name: str) -> Values:
    return lambda selection, rows: getattr(_totals(selection), name)[rows]


def _state(*states: int) -> Values:
    def values(selection: Selection, rows: Index) -> I64:
        counts: I64 = _totals(selection).by_state[rows][:, list(states)].sum(axis=1)
        return counts

    return values


def _rate(selection: Selection, rows: Index, *names: str) -> F64:
    """Of counters of Tcp; NaN where they were not read twice."""
    rates, inodes = selection.snapshot.kernel_rates, _totals(selection).netns[rows].tolist()
    told = (rates.get(inode, {}).get("Tcp", {}) for inode in inodes)
    return np.array([sum(each.get(name, np.nan) for name in names) for each in told], np.float64)


def _opens(selection: Selection, rows: Index) -> F64:
    return _rate(selection, rows, "ActiveOpens", "PassiveOpens")


def _repeated(selection: Selection, rows: Index) -> F64:
    return _rate(selection, rows, "RetransSegs")


def _text(key: str, title: str, width: int, meaning: str, texts: Texts, priority: int) -> Column:
    return Column(
        key, title, width, meaning, lambda s, r: np.array(texts(s, r), dtype=str), texts,
        flex=True, priority=priority, largest_first=False, least=8, grow=2,
    )  # fmt: skip


def _number(key: str, title: str, meaning: str, values: Values, priority: int = 0) -> Column:
    return Column(
        key, title, 6, meaning, values, shown(units.count, values), right=True, priority=priority
    )


COLUMNS = (
    _text("title", "Namespace", 14,
          "Its ip-netns name; else host, container or unit of its first process, or the inode.",
          _titles, 0),
    _number("sockets", "Socks", "TCP sockets in it.", _plain("sockets")),
    _number("established", "Estab", "ESTAB: open both ways.", _state(tcp.ESTABLISHED)),
    _number("listening", "Listen", "LISTEN: listeners.", _state(tcp.LISTEN), 1),
    _number("opening", "Open", "SYN-SENT and SYN-RECV.", _state(tcp.SYN_SENT, tcp.SYN_RECV), 3),
    _number("close_wait", "ClWait", "CLOSE-WAIT: the peer has closed, we have not.",
            _state(tcp.CLOSE_WAIT)),
    _number("time_wait", "TimeW", "TIME-WAIT: closed here first.", _state(tcp.TIME_WAIT), 2),
    Column("recv_q", "Recv-Q", 6, "Bytes that nobody has read.", _plain("recv_q"),
           shown(units.size, _plain("recv_q")), right=True),
    Column("send_q", "Send-Q", 6, "Bytes not acknowledged.", _plain("send_q"),
           shown(units.size, _plain("send_q")), right=True),
    Column("opens_per_s", "Open/s", 6, "Connections opened a second, either way.", _opens,
           shown(units.rate, _opens), right=True),
    Column("retransmits_per_s", "Retr/s", 6, "Segments retransmitted a second.", _repeated,
           shown(units.rate, _repeated), right=True),
    _number("processes", "Procs", "Processes in it.", _processes, 1),
    _text("container", "Container", 16, "Of its first process, and the runtime.", _containers, 2),
    Column("inode", "Inode", 10, "As lsns shows it.", _plain("netns"),
           lambda s, r: [str(inode) for inode in _totals(s).netns[r].tolist()], right=True,
           priority=4, largest_first=False),
)  # fmt: skip


def worst(selection: Selection, rows: Index, findings: Sequence[Finding]) -> Index:
    ranks = {finding.subject.netns: rank for rank, finding in enumerate(findings)}
    inodes = _totals(selection).netns[rows].tolist()
    return np.array([ranks.get(inode, -1) for inode in inodes], np.int64)


NAMESPACES = Listing(
    "namespaces", "Namespaces", "Netns", COLUMNS, "sockets", "No network namespace is known.",
    rows=lambda s: s.namespaces, keys=namespace_keys, styles=plain,
    netns=lambda s, r: _totals(s).netns[r], scope=lambda s, place: "state all",
    command=lambda s, place: "ss -tanpoi", worst=worst, whole=True,
    recorded=OF_NAMESPACES, sparkline=Sparkline("sockets", "its sockets"),
)  # fmt: skip
