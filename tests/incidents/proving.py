"""What every incident has to stand: said as it must be, nothing besides, and its numbers true.

class TestReaders(Proving):
    incidents = (app_is_stopped, redis_is_busy)
    loads = (idle_websockets,)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import ClassVar

import pytest

from tcptop.model.finding import Finding
from tests.incidents.incident import Incident, Play, Says, text
from tests.incidents.playing import ALL_S, Played, played
from tests.kernel import one_look

PATIENCE_S = 24.0  # for a busy machine: what is not said yet may be soon
Shows = Mapping[str, Played]


@pytest.mark.timeout(ALL_S)
class Silence:
    """Its subclasses are the tests; each construction of a class is played once."""

    incidents: ClassVar[tuple[Incident, ...]] = ()
    loads: ClassVar[tuple[Play, ...]] = ()

    def test_a_healthy_host_is_left_alone(self, shows: Shows, well: Play) -> None:
        alarms = list(dict.fromkeys(alarmed(shows[well.name])))
        assert not alarms, "\n".join(["", *alarms])


class Proving(Silence):
    """The same with incidents; `loads` are healthy ones that have no incident as their twin."""

    def test_it_is_said(self, shows: Shows, incident: Incident) -> None:
        played = shows[incident.play.name]
        wrong = [each for host in incident.says for each in unsaid(played, incident, host)]
        assert not wrong, "\n".join(["", *wrong, *told(played)])

    def test_nothing_else_is(self, shows: Shows, loud: Incident) -> None:
        played = shows[loud.play.name]
        more = [each for host, says in loud.says.items() for each in besides(played, says, host)]
        assert not more, "\n".join(["", *more, *told(played)])

    def test_its_numbers_are_true(self, shows: Shows, counted: Incident) -> None:
        played = shows[counted.play.name]
        played.check()
        assert not played.miscounted, "\n".join(["", *played.miscounted])

    def test_one_look_claims_no_rate(self, shows: Shows, incident: Incident) -> None:
        played = shows[incident.play.name]
        played.check()
        lasts = (looks[-1] for looks in played.looks.values())
        alone = (one_look.alone(each, played.play.settings) for each in lasts)
        assert not [sentence for look in alone for sentence in one_look.rates(look)]


def plays(cls: type[Silence]) -> list[Play]:
    twins = [each.twin for each in cls.incidents if each.twin]
    return [*(each.play for each in cls.incidents), *twins, *cls.loads]


def parameters(cls: type[Silence], fixture: str) -> list[object]:
    """The constructions for one fixture; what the product cannot do yet is marked so."""
    if fixture == "well":
        twins = [each.twin for each in cls.incidents if each.twin]
        return [_parameter(each, each.name, each.alarm) for each in (*twins, *cls.loads)]
    why = {"incident": "missing", "loud": "noisy", "counted": "miscounted"}[fixture]
    return [_parameter(each, each.play.name, getattr(each, why)) for each in cls.incidents]


def _parameter(each: object, name: str, why_not: str) -> object:
    marks = [pytest.mark.xfail(raises=AssertionError, strict=False, reason=why_not)]
    return pytest.param(each, id=name, marks=marks if why_not else [])


def shown(cls: type[Silence]) -> Iterator[dict[str, Played]]:
    """All constructions of a class, looked at until each says what it can."""
    by_play = {id(each.play): each for each in cls.incidents}

    def satisfied(one: Played) -> bool:
        expected = by_play.get(id(one.play))
        late_s = one.watched_s - one.play.over_s
        if expected is None or expected.missing or (one.enough and late_s > PATIENCE_S):
            return True
        return not any(True for host in expected.says for _ in unsaid(one, expected, host))

    every = played(plays(cls), satisfied)
    yield {each.play.name: each for each in every}
    early = [f"{each.play.name}: {said}" for each in every for said in each.early]
    if early:
        raise RuntimeError("programs have ended too early:\n" + "\n".join(early))


def unsaid(played: Played, incident: Incident, host: str) -> Iterator[str]:
    """What is not said, or not as it must be, at the last look."""
    for says in incident.says[host]:
        found = [each for each in played.found(host) if each.id in says.id.split()]
        wrong = [list(says.wrong(each, played.lab.pids)) for each in found if each.because is None]
        if not wrong:
            folded = " as a cause" if found else ""
            yield f"{host}: {says.id} is not said{folded}"
        elif all(wrong):
            nearest = min(wrong, key=len)
            yield f"{host}: {says.id} {'; '.join(nearest)}"


def besides(played: Played, says: Sequence[Says], host: str) -> Iterator[str]:
    """Causes above info that nobody asked for: each one expected is said once."""
    expected = list(says)
    for finding in _causes(played.found(host)):
        asked = next((each for each in expected if finding.id in each.id.split()), None)
        if asked:
            expected.remove(asked)
        else:
            yield f"{host}: also {finding.severity} {finding.id}: {finding.title}"


def alarmed(played: Played) -> Iterator[str]:
    """What is said above info at any look."""
    played.check()
    for host, looks in played.looks.items():
        for each in (f for look in looks for f in look.findings if f.severity != "info"):
            yield f"{host}: {each.severity} {each.id}: {text(each)}"


def told(played: Played) -> list[str]:
    """All that is said at the last look, for people."""
    return [
        f"  {host}: {f.severity} {f.id}{' (folded)' if f.because else ''}: {text(f)}"
        for host in played.looks
        for f in played.found(host)
    ] or ["  nothing is said"]


def _causes(findings: Iterable[Finding]) -> Iterator[Finding]:
    return (f for f in findings if f.because is None and f.severity != "info")
