"""A finding's numbers counted again: each number it tells must be a fact of the same sample."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from tcptop.analysis.findings.fd_takers import IDLE_S
from tcptop.analysis.findings.hung_up import SOON_S
from tcptop.analysis.findings.rules import RULES
from tcptop.analysis.unopened import failed_connects
from tcptop.model.finding import Finding
from tcptop.model.snapshot import Snapshot
from tests.kernel.recount.claims import Claim, claims
from tests.kernel.recount.facts import Fact, Seen, called, exactly, facts, failed_end, lost_end
from tests.kernel.recount.paths import of_paths
from tests.kernel.recount.places import at

# What sentences say of TCP in general: seconds of TIME_WAIT, of a delayed ack.
CONSTANTS = (
    exactly("seconds", 60, "TIME_WAIT"),
    exactly("seconds", 0.04, "delayed ack"),
    exactly("seconds", SOON_S, "within which what is turned away is over"),
    exactly("seconds", IDLE_S, "from which connections that take descriptors count as idle"),
)
NEAR = 0.02  # a share of a rate or a share: two windows are never quite the same
NEAR_S = 0.3
NEAREST = 3  # facts that a complaint names


def recount(finding: Finding, looks: Sequence[Snapshot], limits: Sequence[float] = ()) -> list[str]:
    """What it claims and nothing bears out; `looks` are those of the watch, oldest first.

    `limits` are thresholds that were set, which texts may name.
    """
    samples = [snapshot.sample for snapshot in looks[: _told_at(finding, looks) + 1]]
    seen = Seen(samples, finding.subject)
    values = [_Value(finding.id, item) for item in finding.values.items()]
    open_: list[_Told | _Value] = [*_open_claims(finding, seen), *values]
    known: list[Fact] = []
    for fact in _facts(finding, seen, limits):  # no more of them than it takes
        if not open_:
            return []
        known.append(fact)
        open_ = [each for each in open_ if not each.holds(fact)]
    return [each.complaint(known) for each in open_]


def _facts(finding: Finding, seen: Seen, limits: Sequence[float]) -> Iterator[Fact]:
    yield from CONSTANTS
    yield from _thresholds(finding, limits)
    yield from facts(seen, _every_word(finding))
    yield from of_paths(seen)


def _told_at(finding: Finding, looks: Sequence[Snapshot]) -> int:
    """The look that it was made at: what has gone for a moment is shown for a little longer."""
    at = len(looks) - 1
    while at and _same(finding, looks[at - 1]):
        at -= 1
    return at


def _same(finding: Finding, look: Snapshot) -> bool:
    """An effect is told without the guesses that it had while it was none."""
    told = (finding.key, dict(finding.values))
    same = (f for f in look.findings if (f.key, dict(f.values)) == told)
    mine = set(finding.evidence)
    return any(mine <= set(f.evidence) or mine >= set(f.evidence) for f in same)


def _every_word(finding: Finding) -> str:
    return " ".join([finding.title, *finding.evidence, finding.advice, finding.confirm])


def _thresholds(finding: Finding, limits: Sequence[float]) -> Iterator[Fact]:
    rule = next((each for each in RULES if each.id == finding.id), None)
    defaults = [each.default for each in rule.thresholds] if rule else []
    for value in (*defaults, *limits):
        for kind in ("count", "seconds"):
            yield exactly(kind, value, "threshold")


class _Told(NamedTuple):
    """A number in a sentence."""

    id: str
    sentence: str
    claim: Claim

    def holds(self, fact: Fact) -> bool:
        kind = "count" if self.claim.kind == "sysctl" else self.claim.kind
        slack = _slack(kind, self.claim.high)
        low, high = self.claim.low - slack, self.claim.high + slack
        return fact.kind == kind and fact.low <= high and low <= fact.high

    def complaint(self, _: Sequence[Fact]) -> str:
        return f"{self.id}: {self.claim.text!r} in {self.sentence!r}"


class _Value(NamedTuple):
    """What a value is a number of is told by its name."""

    id: str
    item: tuple[str, float]

    def holds(self, fact: Fact) -> bool:
        kinds, scale = _measure(self.item[0])
        near = _slack(kinds[0], self.item[1])
        low, high = fact.low * scale - near, fact.high * scale + near
        return fact.kind in kinds and low <= self.item[1] <= high

    def complaint(self, known: Sequence[Fact]) -> str:
        (name, value), (kinds, scale) = self.item, _measure(self.item[0])
        alike = [(f.low * scale, f.high * scale, f.what) for f in known if f.kind in kinds]
        alike.sort(key=lambda each: min(abs(value - each[0]), abs(value - each[1])))
        return f"{self.id}: value {name} = {value}; near it: {alike[:NEAREST]}"


def _open_claims(finding: Finding, seen: Seen) -> Iterator[_Told]:
    """Those that the sample itself does not bear out."""
    for sentence in (finding.title, *finding.evidence):
        for claim in claims(sentence):
            if not _named(claim, seen):
                yield _Told(finding.id, sentence, claim)


def _named(claim: Claim, seen: Seen) -> bool:
    if claim.kind == "endpoint":
        return _there(claim.text, seen)
    if claim.kind == "pid":
        return claim.low in seen.sample.owners.processes or claim.low in seen.subject.pids
    if claim.kind == "sysctl":
        name, _, value = claim.text.partition(" = ")
        return (seen.sysctl(name) or "").split()[:1] == [value]
    return False


def _slack(kind: str, value: float) -> float:
    if kind == "seconds":
        return NEAR_S if abs(value) < 9.95 else 0.55  # from there on they are rounded to whole ones
    return NEAR * abs(value) if kind in ("rate", "percent") else 0.01


def _there(text: str, seen: Seen) -> bool:
    """Whether a place that is named is in the table, or is the subject's."""
    if text in (seen.subject.destination, seen.subject.listener, *called(seen)):
        return True
    if text.startswith(":") and any(place.endswith(text) for place in called(seen)):
        return True
    if any(text in (key.local, way.prefix) for s in seen.samples for key, way in s.routes.items()):
        return True
    unlisted = seen.sample.owners.unlisted
    lost = [
        lost_end(e) for pid in seen.subject.pids if pid in unlisted for e in unlisted[pid].known
    ]
    lost += [failed_end(each) for s in seen.samples for each in failed_connects(s) or ()]
    if any(text in (end, end.rpartition(":")[0]) for end in lost):
        return True
    return any(at(seen.table, text, end).any() for end in ("local", "remote"))


def _measure(name: str) -> tuple[tuple[str, ...], float]:
    """Kinds of fact, and how many of the value's units theirs is."""
    for ending, kind, scale in (
        ("per_s", "rate", 1.0),
        ("_ms", "seconds", 1000.0),
        ("_s", "seconds", 1.0),
        ("share", "percent", 0.01),
    ):
        if name.endswith(ending):
            return (kind,), scale
    return ("count", "bytes"), 1.0
