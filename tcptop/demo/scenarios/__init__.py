"""The scenarios of `tcptop demo`: one for each trouble, under the id of its finding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

from tcptop.demo.stage import DemoError, Scenario

__all__ = ["TOUR", "DemoError", "Scenario", "choose", "scenarios"]

TOUR = (  # what `tcptop demo` shows without a word
    "accept-queue-overflow",
    "close-wait-leak",
    "zero-window-peer",
    "black-hole",
    "connect-unanswered",
    "keepalive-missing",
)


def scenarios() -> Mapping[str, Scenario]:
    """Every scenario by its id."""
    from tcptop.demo.scenarios import closing, listeners, opening, owners, ports, stalled, talking

    families = (listeners, opening, closing, stalled, talking, ports, owners)
    return {each.id: each for family in families for each in family.SCENARIOS}


def choose(ids: Sequence[str]) -> list[Scenario]:
    """The named scenarios, or the tour. Raises DemoError for a name that is none, and for two
    scenarios that want one namespace set differently."""
    known = scenarios()
    for name in ids:
        if name not in known:
            raise DemoError(f"{name!r} is not a scenario; there are: {', '.join(known)}")
    chosen = [known[name] for name in dict.fromkeys(ids or TOUR)]
    for one, other in combinations(chosen, 2):
        if one.id in other.spoiled_by or other.id in one.spoiled_by:
            raise DemoError(f"{one.id} and {other.id} disturb each other: show one at a time")
    return chosen
