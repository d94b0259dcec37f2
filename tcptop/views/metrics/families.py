"""Metrics with their values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from tcptop.model.cells import safe

OTHER = "(other)"  # those for which there are no series of their own

Labels = tuple[str, ...]
SeriesValues = Iterable[tuple[Labels, float]]


def gauge(name: str, help: str, labels: Sequence[str], values: SeriesValues) -> Iterator[Metric]:
    family = GaugeMetricFamily(f"tcptop_{name}", help, labels=labels)
    yield from _filled(family, values)


def counter(name: str, help: str, labels: Sequence[str], values: SeriesValues) -> Iterator[Metric]:
    family = CounterMetricFamily(f"tcptop_{name}", help, labels=labels)
    yield from _filled(family, values)


def _filled(
    family: GaugeMetricFamily | CounterMetricFamily, values: SeriesValues
) -> Iterator[Metric]:
    """Nothing where no value is known."""
    for labels, value in values:
        if value == value:
            family.add_metric([safe(label) for label in labels], value)
    if family.samples:
        yield family
