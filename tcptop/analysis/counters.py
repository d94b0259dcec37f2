"""Counters of a namespace as rates, and how many openings tcptop saw of those they counted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from tcptop.analysis.history import History
from tcptop.model.sample import Kernel, Sample

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
        section: {
            name: (value - old[name]) / dt
            for name, value in counters.items()
            if name not in GAUGES and old.get(name, value + 1) <= value
        }
        for section, counters in kernel.counters.items()
        if (old := before.counters.get(section)) is not None
    }


def seen_ratio(sample: Sample, history: History, opens: int) -> float | None:
    """Connections seen to open / those that ActiveOpens and PassiveOpens counted since start.

    None at the first sample, and while nothing was counted. At most 1: the counters are read a
    moment after the sockets.
    """
    if history.began is None:
        return None
    counted = sum(
        _opens(kernel) - _opens(history.kernel_began[kernel.netns])
        for kernel in sample.kernel
        if kernel.netns in history.kernel_began
    )
    return min(opens / counted, 1.0) if counted > 0 else None


def _opens(kernel: Kernel) -> int:
    tcp = kernel.counters.get("Tcp", {})
    return tcp.get("ActiveOpens", 0) + tcp.get("PassiveOpens", 0)
