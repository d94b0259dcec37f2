"""Counters of namespaces as rates, and the openings among them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from tcptop.model.sample import Kernel

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


def counted_opens(kernel: Iterable[Kernel], before: Mapping[int, Kernel]) -> int:
    """Connections that ActiveOpens and PassiveOpens counted since the sample before, in the
    namespaces that were looked at then."""
    return sum(_opens(each) - _opens(before[each.netns]) for each in kernel if each.netns in before)


def _opens(kernel: Kernel) -> int:
    tcp = kernel.counters.get("Tcp", {})
    return tcp.get("ActiveOpens", 0) + tcp.get("PassiveOpens", 0)
