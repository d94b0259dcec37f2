"""Prepared namespaces whose counters rise."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from tcptop.model.sample import Kernel
from tests.unit.prepared import NETNS, kernel


def counters(
    per_s: Mapping[str, float], sysctls: dict[str, str] | None = None, netns: int = NETNS
) -> Callable[[int], tuple[Kernel, ...]]:
    """For `watch(kernel=...)`: each TcpExt counter grows that much from sample to sample."""

    def at(number: int) -> tuple[Kernel, ...]:
        made = kernel(netns, sysctls=sysctls)
        grown = {name: 1000 + int(rate * number) for name, rate in per_s.items()}
        tcp = dict(made.counters["Tcp"]) | {
            name: grown.pop(name) for name in ("PassiveOpens",) if name in grown
        }
        udp = {name: grown.pop(name) for name in ("NoPorts",) if name in grown}
        more = {name: grown.pop(name) for name in ("InNoRoutes",) if name in grown}
        sections = {"Tcp": tcp, "TcpExt": grown, "Udp": udp, "IpExt": more}
        return (replace(made, counters=sections),)

    return at
