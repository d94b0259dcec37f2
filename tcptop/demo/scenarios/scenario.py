"""Scenario: a trouble that is made for real, and how to end it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tcptop.demo.stage import Stage

Recover = Callable[[], None]


class DemoError(Exception):
    """One line: what could not be shown, and why."""


@dataclass(frozen=True)
class Scenario:
    """`start` makes the trouble, in the namespace that is looked at, and returns what ends it.

    `story` is a sentence for people. `limits` are thresholds ("ID.NAME") that the demo lowers,
    for a condition that needs minutes otherwise. `spoiled_by` are ids that cannot run beside it.
    """

    id: str
    story: str
    start: Callable[[Stage], Recover]
    limits: Mapping[str, float] = field(default_factory=dict)
    spoiled_by: frozenset[str] = frozenset()
