"""Counters of namespaces as rates; openings that they counted, and those that were seen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache

import numpy as np

from tcptop.analysis.history import History
from tcptop.analysis.join import SocketJoin
from tcptop.model import tcp
from tcptop.model.arrays import isin_codes
from tcptop.model.sample import Kernel, Sample
from tcptop.model.table import SocketTable

CounterRates = Mapping[str, Mapping[str, float]]  # section -> name -> per second
# Gauges and settings among the counters of /proc/net/snmp: they have no rate.
GAUGES = frozenset({"RtoAlgorithm", "RtoMin", "RtoMax", "MaxConn", "CurrEstab"})


def rates(
    kernel: Iterable[Kernel], before: Mapping[int, Kernel], dt: float | None
) -> dict[int, CounterRates]:
    """Per second, by namespace; empty at the first sample. A counter that ran back has none."""
    if dt is None:
        return {}
    return {k.netns: _rates(k, before[k.netns], dt) for k in kernel if k.netns in before}


def _rates(kernel: Kernel, before: Kernel, dt: float) -> CounterRates:
    return {
        section: _grown(counters, old, dt) if old is not counters else _at_rest(tuple(counters))
        for section, counters in kernel.counters.items()
        if (old := before.counters.get(section)) is not None
    }


def _grown(counters: Mapping[str, int], old: Mapping[str, int], dt: float) -> Mapping[str, float]:
    """Most have not."""
    rates = dict(_at_rest(tuple(counters)))
    for name, value in counters.items() - old.items():
        if old.get(name, value + 1) > value:
            rates.pop(name, None)
        elif name in rates:
            rates[name] = (value - old[name]) / dt
    return rates


@lru_cache(64)
def _at_rest(names: tuple[str, ...]) -> Mapping[str, float]:
    """The rates of a section in which nothing has grown."""
    return dict.fromkeys((name for name in names if name not in GAUGES), 0.0)


def counted_opens(kernel: Iterable[Kernel], before: Mapping[int, Kernel]) -> int:
    """Connections that ActiveOpens and PassiveOpens counted since the sample before, in the
    namespaces that were looked at then."""
    return sum(_opens(each) - _opens(before[each.netns]) for each in kernel if each.netns in before)


def seen_opens(table: SocketTable, joined: SocketJoin) -> int:
    """Connections first seen open in this sample; half-open ones count when they are open."""
    fresh = joined.arrived | (joined.recalled("state", 0) == tcp.SYN_RECV)
    return int(np.count_nonzero(fresh & ~isin_codes(table.state, (tcp.SYN_RECV, tcp.LISTEN))))


def open_sockets(table: SocketTable) -> int:
    """Those whose end the kernel will tell, listeners apart."""
    other = table.mini() | (table.state == tcp.LISTEN)
    return len(table) - int(np.count_nonzero(other))


def lost_closes(sample: Sample, history: History, told: int) -> int:
    """Ends that were not told since the sample before. Where that is not known, as many as the
    counters miss: what was opened and is not open any more has ended."""
    lost = [each.lost for each in sample.deaths]
    known = sum(each or 0 for each in lost)
    if history.began is None or not (None in lost or any(each.deaf_s for each in sample.deaths)):
        return known
    fewer = history.open - open_sockets(sample.sockets)
    return max(known, counted_opens(sample.kernel, history.kernel) + fewer - told, 0)


def _opens(kernel: Kernel) -> int:
    counted = kernel.counters.get("Tcp", {})
    return counted.get("ActiveOpens", 0) + counted.get("PassiveOpens", 0)
