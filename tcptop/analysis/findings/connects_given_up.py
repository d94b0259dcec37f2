"""Connects that end again and again without an answer, each too young to be noticed by its age.

A program that gives up after its own timeout closes the socket, which no counter counts: only
AttemptFails that stand still while ActiveOpens rise tell of it (tcp_close, net/ipv4/tcp.c).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import reduce

from tcptop.analysis.dialing import Callee, Calls
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.rule import Limits
from tcptop.analysis.findings.summary import SampleSummary
from tcptop.model.named_tuple import NamedTuple

LEAST_S = 2.5  # of watching
LASTING = 2  # intervals in which some ended: one is a program that stops
SLOW = 0.25  # share of the ended ones that had waited for long, from which it is proof
QUICK, LASTING_QUICK = 8, 3  # the same without such proof


class GivenUp(NamedTuple):
    """Connects to one place in the last `seconds`: `calls` has their number and outcome."""

    callee: Callee
    calls: Calls
    seconds: float

    @property
    def attempts(self) -> int:
        return self.calls.ended + self.calls.waiting

    @property
    def slow(self) -> bool:
        """Whether enough of them were seen to wait for longer than an answer takes."""
        return self.calls.slow >= max(SLOW * self.calls.ended, 1)

    @property
    def every(self) -> bool:
        """Whether none was answered."""
        return not self.calls.opened


def given_up(seen: Observations, limits: Limits) -> dict[Callee, GivenUp]:
    """The places that answer nobody, or that leave many waiting while they answer others."""
    first, *rest = _window(seen, limits["window_s"])
    seconds = seen.sample.clock - first.clock
    if seconds < LEAST_S:
        return {}
    found = (_followed([first, *rest], callee, seconds) for callee in _ended(rest))
    return {
        each.callee: each
        for each in found
        if _lasts(rest, each) and _unanswered(seen, each, limits)
    }


def in_vain(seen: Observations, limits: Limits) -> dict[Callee, GivenUp]:
    """Places whose calls all ended after they had waited for longer than an answer takes, if there
    was but one."""
    first, *rest = _window(seen, limits["window_s"])
    seconds = seen.sample.clock - first.clock
    found = (_followed([first, *rest], callee, seconds) for callee in _ended(rest))
    return {each.callee: each for each in found if each.slow and each.every}


def _window(seen: Observations, seconds: float) -> Sequence[SampleSummary]:
    begin = seen.sample.clock - seconds * 1.05
    return [each for each in seen.summaries if each.clock >= begin]


def _ended(summaries: Sequence[SampleSummary]) -> Iterator[Callee]:
    every = (callee for each in summaries for callee, calls in each.calls.items() if calls.ended)
    yield from dict.fromkeys(every)


def _followed(summaries: Sequence[SampleSummary], callee: Callee, seconds: float) -> GivenUp:
    """What ended before the window is none of it."""
    first, *rest = (each.calls.get(callee, Calls()) for each in summaries)
    before = first._replace(ended=0, slow=0, longest_s=0.0)
    return GivenUp(callee, reduce(Calls.then, rest, before), seconds)


def _lasts(summaries: Sequence[SampleSummary], found: GivenUp) -> bool:
    """Not a program that was ended with its connects under way."""
    ended = (each.calls.get(found.callee, Calls()).ended for each in summaries)
    return sum(number > 0 for number in ended) >= (LASTING if found.slow else LASTING_QUICK)


def _unanswered(seen: Observations, found: GivenUp, limits: Limits) -> bool:
    """Whether they ended without an answer. A refused one is in SYN_SENT for a round trip too, and
    one whose connection was over at once."""
    calls = found.calls
    if not found.every:
        return calls.slow >= max(limits["given_up"], SLOW * calls.opened)
    if calls.ended < limits["given_up"]:
        return False
    if found.slow:
        return True
    failed, arrived, tried = (
        seen.grown(found.callee.netns, name, found.seconds)
        for name in ("AttemptFails", "InSegs", "ActiveOpens")
    )
    if failed is None or arrived is None or tried is None:
        return False
    quiet = arrived[0] < tried[0] / 2
    return failed[0] < calls.ended / 2 and (quiet or calls.ended >= QUICK)
