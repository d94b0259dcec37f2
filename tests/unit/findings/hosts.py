"""Prepared namespaces: what their kernel counts, and what it allows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from tcptop.model.sample import Kernel
from tests.unit.prepared import NETNS, kernel


def host(
    counters: Mapping[str, int] | None = None,
    sockstat: Mapping[str, int] | None = None,
    sysctls: Mapping[str, str] | None = None,
    netns: int = NETNS,
) -> tuple[Kernel]:
    made = kernel(netns, sysctls=sysctls)
    told = {"TCP": dict(sockstat or {})}
    return (replace(made, counters={"Tcp": dict(counters or {})}, sockstat=told),)


def rising(total: Callable[[int], Mapping[str, int]]) -> Callable[[int], tuple[Kernel]]:
    """For `watch(kernel=...)`: what each sample's counters are."""
    return lambda number: host({name: 1000 + value for name, value in total(number).items()})


def steadily(**per_sample: int) -> Callable[[int], tuple[Kernel]]:
    """Counters that grow evenly."""
    return rising(lambda number: {name: value * number for name, value in per_sample.items()})
