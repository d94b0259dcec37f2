"""When findings began and ended, as a recording is read from its beginning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tcptop.model.finding import Finding, causes
from tcptop.model.named_tuple import NamedTuple

RANKS = {"info": 1, "warning": 2, "critical": 3}


class FindingMark(NamedTuple):
    """At the sample of that number a finding begins, or is not there any more."""

    number: int
    begins: bool
    finding: Finding


class FindingMarks:
    """What other findings explain has no marks of its own. One thread adds, others read."""

    def __init__(self) -> None:
        self.marks: list[FindingMark] = []
        self.numbers: list[int] = []  # of the samples that were looked at
        self.worst: list[int] = []  # the rank of the worst at each of them, 0 for none
        self._now: Mapping[str, Finding] = {}

    def add(self, number: int, findings: Sequence[Finding]) -> None:
        """Those of the next sample."""
        before, now = self._now, {each.key: each for each in causes(findings)}
        ended = [FindingMark(number, False, each) for key, each in before.items() if key not in now]
        begun = [FindingMark(number, True, each) for key, each in now.items() if key not in before]
        self.marks += [*ended, *begun]
        self._now = now
        self.worst.append(max((RANKS[each.severity] for each in now.values()), default=0))
        self.numbers.append(number)

    @property
    def until(self) -> int:
        """The number of the last sample that was looked at; -1 before the first."""
        return self.numbers[-1] if self.numbers else -1

    def beside(self, number: int, steps: int) -> Sequence[FindingMark]:
        """Those of the nearest sample before it, or after it, that has some."""
        marks = [*self.marks]
        if steps < 0:
            nearest = max((each.number for each in marks if each.number < number), default=None)
        else:
            nearest = min((each.number for each in marks if each.number > number), default=None)
        return [each for each in marks if each.number == nearest]
