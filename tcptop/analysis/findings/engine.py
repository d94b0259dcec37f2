"""The engine: rules over a sample -> findings with a beginning and an end, effects under causes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from tcptop.analysis.findings.active import Active
from tcptop.analysis.findings.contained import located
from tcptop.analysis.findings.folding import folded
from tcptop.analysis.findings.folds.destinations import host
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.rule import Rule
from tcptop.analysis.findings.rules import RULES
from tcptop.model import mistake
from tcptop.model.finding import Finding, worst_first
from tcptop.model.netns import from_outside, reaching, text_from_outside

HOLD_S = 3.0  # what is gone for a moment is still shown: flapping tires the reader
RAISED: tuple[type[Exception], ...] = (MemoryError,)  # what ends the look; in tests, all errors
MEMORY_S = 60.0  # what comes back within that time never really ended: it keeps its beginning


def run(
    seen: Observations, before: Mapping[str, Active]
) -> tuple[tuple[Finding, ...], dict[str, Active]]:
    """The findings of this sample, worst first, and what the next one has to know of them.

    An error in a rule is told (Observations.failed) and takes nothing else from the screen.
    """
    clock, taken_at = seen.sample.clock, seen.sample.taken_at
    ahead = taken_at - seen.sample.host.uptime_s
    active = _remembered(before, clock, ahead)
    for finding in _found(seen):
        known = active.get(finding.key)
        began = _began(finding, known, taken_at)
        offset = known.offset if known and known.began == began else ahead
        active[finding.key] = Active(replace(finding, since=began), began, clock, offset)
    shown = list(_shown(active.values(), clock))
    return tuple(sorted(_folded(shown, seen), key=worst_first)), active


def _shown(active: Collection[Active], clock: float) -> Iterator[Finding]:
    """What this sample shows, and what is gone for a moment; not what has become part of another:
    connections that were told by their port are told by their network once all there are lost."""
    found = [each.finding for each in active if each.found == clock]
    yield from found
    for each in active:
        held = each.found < clock <= each.found + HOLD_S
        if held and not any(_within(each.finding, other) for other in found):
            yield each.finding


def _within(part: Finding, whole: Finding) -> bool:
    """Whether one rule says of all these sockets what it says of others too."""
    mine, theirs = part.subject, whole.subject
    if part.id != whole.id or mine.netns != theirs.netns:
        return False
    if mine.pids == theirs.pids != () and theirs.destination == host(mine.destination or ":"):
        return True
    return bool(mine.cookies) and set(mine.cookies) <= set(theirs.cookies)


def _found(seen: Observations) -> Iterable[Finding]:
    for rule in RULES:
        if rule.id not in seen.settings.ignored:
            try:
                yield from _by(rule, seen)
            except RAISED:
                raise
            except Exception as error:
                seen.failed.setdefault(mistake.told(error), []).append(rule.id)


def _by(rule: Rule, seen: Observations) -> list[Finding]:
    """All that it finds, or nothing."""
    limits = rule.limits(seen.settings.limits.get(rule.id, {}))
    return [located(seen, _for_shell(seen, each)) for each in rule.find(seen, limits)]


def _folded(shown: Sequence[Finding], seen: Observations) -> Iterable[Finding]:
    """As they are where that fails."""
    try:
        return folded(shown, seen)
    except RAISED:
        raise
    except Exception as error:
        seen.failed.setdefault(mistake.told(error), [])
        return shown


def _for_shell(seen: Observations, finding: Finding) -> Finding:
    """With commands that reach the namespace of the finding from where they are typed."""
    home, netns = seen.settings.home, finding.subject.netns
    inside = reaching(seen.sample, netns) if home not in (None, netns) else None
    if inside is None:
        return finding
    confirm = from_outside(finding.confirm, inside) if finding.confirm else ""
    return replace(
        finding,
        evidence=tuple(text_from_outside(each, inside) for each in finding.evidence),
        guesses=tuple(text_from_outside(each, inside) for each in finding.guesses),
        advice=text_from_outside(finding.advice, inside),
        confirm=confirm,
    )


def _began(finding: Finding, known: Active | None, taken_at: float) -> float:
    """As far back as it was seen, or as the kernel's clocks say."""
    stated = taken_at if finding.since is None else finding.since
    return min(stated, known.began) if known else stated


def _remembered(before: Mapping[str, Active], clock: float, offset: float) -> dict[str, Active]:
    kept = ((key, each) for key, each in before.items() if clock - each.found <= MEMORY_S)
    return {key: each.at_offset(offset) for key, each in kept}
