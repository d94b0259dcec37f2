"""What the host as a whole does: connections that come and go, segments, and what is dropped."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from tcptop.analysis.findings.rules import retransmission_rate
from tcptop.analysis.recorded import host_values
from tcptop.columns import units
from tcptop.columns.column import Column
from tcptop.columns.listing import Listing, plain
from tcptop.model.arrays import row_hash
from tcptop.model.named_tuple import NamedTuple
from tcptop.model.selection import Selection
from tcptop.model.table import F64, U64, Index


class HostNumber(NamedTuple):
    """One number of the host; `metric` is what it is recorded as, `counters` as nstat writes them
    what it is computed from."""

    title: str
    metric: str
    unit: Callable[[float], str]
    meaning: str
    counters: tuple[str, ...]
    page: str


def share(fraction: float) -> str:
    """Small ones matter: 0.3%."""
    if fraction != fraction:
        return units.UNKNOWN
    return f"{fraction:.1%}" if fraction < 0.995 else f"{fraction:.0%}"


NUMBERS = (
    HostNumber(
        "Opened/s", "opens_per_s", units.rate,
        "Connections opened a second, by connect() and through listeners.",
        ("TcpActiveOpens", "TcpPassiveOpens"), "connection-churn",
    ),
    HostNumber(
        "Closed/s", "closes_per_s", units.rate,
        "Connections closed or failed a second: those opened less the growth of open ones.",
        ("TcpActiveOpens", "TcpPassiveOpens"), "teardown",
    ),
    HostNumber(
        "Segments/s", "segments_sent_per_s", units.rate,
        "Segments sent a second, without retransmissions.", ("TcpOutSegs",), "retransmission-rate",
    ),
    HostNumber(
        "Retransmitted", "retransmitted_share", share,
        "Retransmissions among all segments sent, without SYNs and what the peer had already.",
        ("TcpRetransSegs", "TcpOutSegs", "TcpExtTCPSynRetrans", "TcpExtTCPDSACKRecv"),
        "retransmission-rate",
    ),
    HostNumber(
        "Drops/s", "listen_drops_per_s", units.rate,
        "Packets that listeners dropped a second, retries included.", ("TcpExtListenDrops",),
        "listener-drops",
    ),
    HostNumber(
        "Overflows/s", "listen_overflows_per_s", units.rate,
        "Of the drops, those that met a full accept queue.", ("TcpExtListenOverflows",),
        "accept-queue-overflow",
    ),
    HostNumber(
        "Sent/s", "bytes_sent_per_s", units.byte_rate,
        "Bytes a second sent by the connections that are open.", (), "queues",
    ),
    HostNumber(
        "Received/s", "bytes_received_per_s", units.byte_rate,
        "Bytes a second received by the connections that are open.", (), "queues",
    ),
)  # fmt: skip
BAD = ("listen_drops_per_s", "listen_overflows_per_s")  # above 0


def style(measure: HostNumber, known: Mapping[str, float]) -> str:
    """How its number looks: what the kernel drops is bad, and retransmissions where the finding
    about them would say so."""
    value = known[measure.metric]
    if measure.metric in BAD:
        return "bad" if value > 0 else ""
    limits = retransmission_rate.RULE.limits({})
    judged = known["segments_sent_per_s"] > limits["segments_per_s"]
    if measure.metric != "retransmitted_share" or not judged or not value > limits["share"]:
        return ""
    return "bad" if value > limits["critical_share"] else "warn"


def _values(selection: Selection, rows: Index) -> F64:
    known = host_values(selection.snapshot)
    return np.array([known[NUMBERS[row].metric] for row in rows.tolist()], np.float64)


def texts(selection: Selection, rows: Index) -> list[str]:
    """What each is now."""
    values = _values(selection, rows).tolist()
    return [NUMBERS[row].unit(value) for row, value in zip(rows.tolist(), values, strict=True)]


def _now_looks(selection: Selection, rows: Index) -> list[str]:
    known = host_values(selection.snapshot)
    return [style(NUMBERS[row], known) for row in rows.tolist()]


def _words(key: str) -> Callable[[Selection, Index], list[str]]:
    return lambda selection, rows: [getattr(NUMBERS[row], key) for row in rows.tolist()]


def keys(selection: Selection, rows: Index) -> U64:
    return row_hash(rows)


def command(selection: Selection, place: int) -> str:
    counters = NUMBERS[place].counters
    return f"nstat -az {' '.join(counters)}" if counters else ""


COLUMNS = (
    Column(
        "measure", "What", 13, "What is counted of the whole host, whatever the filter selects.",
        lambda s, rows: rows, _words("title"), largest_first=False,
    ),
    Column("now", "Now", 7, "What it is now.", _values, texts, right=True, styles=_now_looks),
    Column(
        "meaning", "What it means", 20, "In plain words.",
        lambda s, rows: np.array(_words("meaning")(s, rows), dtype=str), _words("meaning"),
        flex=True, largest_first=False, least=8,
    ),
)  # fmt: skip

OVERVIEW = Listing(
    "overview", "Overview", "Overview", COLUMNS, "measure", "",
    rows=lambda s: np.arange(len(NUMBERS)), keys=keys, styles=plain, command=command,
    page=lambda s, place: NUMBERS[place].page, whole=True,
)  # fmt: skip
