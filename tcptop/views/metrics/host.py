"""States, and what the kernel counts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from prometheus_client.core import Metric

from tcptop.analysis.recorded import OPEN, STATES
from tcptop.analysis.tallies import Highest
from tcptop.model.snapshot import Snapshot
from tcptop.views.metrics.families import Labels, counter, gauge


class CounterOfKernel(NamedTuple):
    """A metric, and what of /proc/net/snmp and netstat it is."""

    name: str
    help: str
    section: str
    counter: str
    labels: Mapping[str, str] = {}


COUNTERS = (
    CounterOfKernel(
        "connections_opened", "Connections opened, by connect() and through listeners",
        "Tcp", "ActiveOpens", {"direction": "out"},
    ),
    CounterOfKernel("connections_opened", "", "Tcp", "PassiveOpens", {"direction": "in"}),
    CounterOfKernel(
        "connects_failed", "Connections that ended before they were established",
        "Tcp", "AttemptFails",
    ),
    CounterOfKernel(
        "connections_reset", "Established connections that ended with a reset", "Tcp", "EstabResets"
    ),
    CounterOfKernel("resets_sent", "RST segments sent", "Tcp", "OutRsts"),
    CounterOfKernel("segments", "Segments, without retransmissions", "Tcp", "OutSegs",
                    {"direction": "out"}),
    CounterOfKernel("segments", "", "Tcp", "InSegs", {"direction": "in"}),
    CounterOfKernel("segments_retransmitted", "Segments retransmitted", "Tcp", "RetransSegs"),
    CounterOfKernel("segments_with_errors", "Segments received with errors", "Tcp", "InErrs"),
    CounterOfKernel(
        "listen_drops", "SYNs and handshakes dropped at listeners, overflows among them",
        "TcpExt", "ListenDrops",
    ),
    CounterOfKernel(
        "listen_overflows", "Handshakes dropped as an accept queue was full", "TcpExt",
        "ListenOverflows",
    ),
    CounterOfKernel(
        "retransmission_timeouts", "Retransmission timeouts that expired", "TcpExt", "TCPTimeouts"
    ),
    CounterOfKernel(
        "zero_windows_sent", "Times that a receive window was announced as full", "TcpExt",
        "TCPToZeroWindowAdv",
    ),
    CounterOfKernel("syncookies_sent", "SYN cookies sent", "TcpExt", "SyncookiesSent"),
)  # fmt: skip


def host(snapshot: Snapshot, closed: Highest[Labels]) -> Iterator[Metric]:
    totals = snapshot.namespaces
    spaces = [snapshot.space(netns) for netns in totals.netns.tolist()]
    states = (
        ((space, state), float(count))
        for space, counts in zip(spaces, totals.by_state[:, 1:].tolist(), strict=True)
        for state, count in zip(STATES, counts, strict=True)
    )
    yield from gauge("sockets", "TCP sockets", ("netns", "state"), states)
    yield from _kernel(snapshot)
    still = dict(zip(spaces, totals.by_state[:, list(OPEN)].sum(1).tolist(), strict=True))
    ended = (
        ((space,), closed.of((space,), opened - still[space]))
        for space, opened in _opened(snapshot)
        if space in still
    )
    help = "Connections that closed or failed: those opened less those that are open"
    yield from counter("connections_closed", help, ("netns",), ended)


def _opened(snapshot: Snapshot) -> Iterator[tuple[str, float]]:
    """By namespace, where it was told."""
    for kernel in snapshot.sample.kernel:
        tcp = kernel.counters.get("Tcp", {})
        if tcp.keys() >= {"ActiveOpens", "PassiveOpens"}:
            yield snapshot.space(kernel.netns), float(tcp["ActiveOpens"] + tcp["PassiveOpens"])


def _kernel(snapshot: Snapshot) -> Iterator[Metric]:
    by_name: dict[str, list[CounterOfKernel]] = defaultdict(list)
    for each in COUNTERS:
        by_name[each.name].append(each)
    for name, several in by_name.items():
        values = (
            (
                (snapshot.space(kernel.netns), *each.labels.values()),
                float(kernel.counters[each.section][each.counter]),
            )
            for kernel in snapshot.sample.kernel
            for each in several
            if each.counter in kernel.counters.get(each.section, {})
        )
        yield from counter(name, several[0].help, ("netns", *several[0].labels), values)
