"""A finding's numbers counted again: each number it tells must be a fact of the same sample."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

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
    known = [*facts(seen, _every_word(finding)), *CONSTANTS, *_thresholds(finding, limits)]
    known += of_paths(seen)
    sentences = [finding.title, *finding.evidence]
    wrong = [
        f"{finding.id}: {claim.text!r} in {sentence!r}"
        for sentence in sentences
        for claim in claims(sentence)
        if not _holds(claim, known, seen)
    ]
    return [*wrong, *_wrong_values(finding, known)]


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


def _holds(claim: Claim, known: Sequence[Fact], seen: Seen) -> bool:
    if claim.kind == "endpoint":
        return _there(claim.text, seen)
    if claim.kind == "pid":
        return claim.low in seen.sample.owners.processes or claim.low in seen.subject.pids
    if claim.kind == "sysctl":
        name, _, value = claim.text.partition(" = ")
        return (seen.sysctl(name) or "").split()[:1] == [value] or _plain(claim, known)
    return _plain(claim, known)


def _plain(claim: Claim, known: Sequence[Fact]) -> bool:
    kind = "count" if claim.kind == "sysctl" else claim.kind
    slack = _slack(kind, claim.high)
    low, high = claim.low - slack, claim.high + slack
    return any(fact.kind == kind and fact.low <= high and low <= fact.high for fact in known)


def _slack(kind: str, value: float) -> float:
    if kind == "seconds":
        return NEAR_S
    return NEAR * abs(value) if kind in ("rate", "percent") else 0.01


def _there(text: str, seen: Seen) -> bool:
    """Whether a place that is named is in the table, or is the subject's."""
    if text in (seen.subject.destination, seen.subject.listener, *called(seen)):
        return True
    unlisted = seen.sample.owners.unlisted
    lost = [
        lost_end(e) for pid in seen.subject.pids if pid in unlisted for e in unlisted[pid].known
    ]
    lost += [failed_end(each) for s in seen.samples for each in failed_connects(s) or ()]
    if any(text in (end, end.rpartition(":")[0]) for end in lost):
        return True
    return any(at(seen.table, text, end).any() for end in ("local", "remote"))


def _wrong_values(finding: Finding, known: Sequence[Fact]) -> Iterator[str]:
    """What a value is a number of is told by its name."""
    for name, value in finding.values.items():
        kinds, scale = _measure(name)
        near = _slack(kinds[0], value)
        facts_ = [
            (each.low * scale - near, each.high * scale + near, each.what)
            for each in known
            if each.kind in kinds
        ]
        if not any(low <= value <= high for low, high, _ in facts_):
            close = sorted(facts_, key=lambda each: min(abs(value - each[0]), abs(value - each[1])))
            yield f"{finding.id}: value {name} = {value}; near it: {close[:NEAREST]}"


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
