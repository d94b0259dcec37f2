"""The interface of a rule: a pure function from observations to findings, and its thresholds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from tcptop.analysis.findings.observations import Observations
from tcptop.model.finding import Finding

Limits = Mapping[str, float]  # threshold name -> value


class Threshold(NamedTuple):
    """A number that `--set ID.NAME=VALUE` changes; `meaning` is shown to people."""

    name: str
    default: float
    meaning: str


class Rule(NamedTuple):
    """`look_s`: how long must be watched before it can fire; 0 where one sample may be enough."""

    id: str
    look_s: float
    thresholds: tuple[Threshold, ...]
    find: Callable[[Observations, Limits], Iterable[Finding]]

    def limits(self, chosen: Limits) -> Limits:
        return {**{each.name: each.default for each in self.thresholds}, **chosen}
