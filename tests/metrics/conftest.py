"""Samples of a namespace, in this process, as `tcptop metrics` makes them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from prometheus_client.core import Metric

from tcptop.analysis.selection import select
from tcptop.analysis.watch import WatchLoop
from tcptop.demo.namespace import DemoNamespace
from tcptop.sources.live import LiveSource
from tcptop.sources.namespaces import entered, open_namespace
from tcptop.views.metrics.scrape import Scrape

Series = dict[tuple[str, frozenset[tuple[str, str]]], float]
Taken = Callable[[], Series]


@pytest.fixture
def inside() -> Iterator[DemoNamespace]:
    """This thread in a namespace of its own."""
    with DemoNamespace() as namespace, _entered(namespace):
        yield namespace


@contextmanager
def _entered(namespace: DemoNamespace) -> Iterator[None]:
    descriptor = open_namespace(str(namespace.pid))
    try:
        with entered(descriptor):
            yield
    finally:
        os.close(descriptor)


@pytest.fixture
def taken(inside: DemoNamespace) -> Iterator[Taken]:
    """What is served after one more sample."""
    source, scrape = LiveSource(events=False), Scrape()
    loop = WatchLoop(source)
    try:
        yield lambda: series(scrape.understood(select(loop.step())))
    finally:
        source.close()


def series(metrics: list[Metric]) -> Series:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for metric in metrics
        for sample in metric.samples
    }


def values(found: Series, name: str, **labels: str) -> list[float]:
    """Of the series of that name that have these labels."""
    wanted = set(labels.items())
    return [value for (each, had), value in found.items() if each == name and wanted <= had]
