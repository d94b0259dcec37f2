"""A finding has a beginning and an end; flapping is damped; ignored rules say nothing."""

import os
from dataclasses import replace

import pytest

from tcptop.analysis.findings import engine
from tcptop.analysis.findings.observations import Observations
from tcptop.analysis.findings.rules import RULES
from tcptop.analysis.findings.settings import DEFAULTS, FindingSettings
from tcptop.analysis.findings.silence import unlooked
from tcptop.analysis.selection import select
from tcptop.commands.effective import decided
from tcptop.model.finding import Finding, Subject
from tcptop.model.sample import NO_OWNERS
from tcptop.options import CheckOptions
from tcptop.views import plugin
from tests.unit.findings.test_close_wait_leak import held_by, leaked
from tests.unit.findings.watched import UPTIME_S, up, watch
from tests.unit.prepared import (
    CURL,
    TAKEN_AT,
    WORTH_KNOWING,
    Row,
    derived,
    everything,
    sample,
    socket,
)


def some(*present: bool) -> list[list[str]]:
    """Ids at each second of a leak that is there or not."""

    def rows(number: int) -> list[Row]:
        return leaked(20) if present[number] else []

    found = watch(len(present) - 1, rows, owners=held_by(CURL, 20))
    return [[finding.id for finding in each] for each in found]


def test_what_is_gone_ends_after_three_seconds() -> None:
    shown = [bool(each) for each in some(True, True, *[False] * 6)]
    assert shown == [True] * 5 + [False] * 3


def test_a_short_gap_does_not_show() -> None:
    assert all(some(True, False, True, False, False, True))


def test_what_comes_back_soon_keeps_its_beginning() -> None:
    def rows(number: int) -> list[Row]:
        return leaked(20, heard_s=70) if number % 20 == 0 else []

    found = watch(40, rows, owners=held_by(CURL, 20))
    began = [finding.since for each in found for finding in each]
    assert found[10] == ()
    assert set(began) == {TAKEN_AT - 70}


def test_what_comes_back_late_begins_anew() -> None:
    def rows(number: int) -> list[Row]:
        return leaked(20, heard_s=70) if number % 70 == 0 else []

    found = watch(70, rows, owners=held_by(CURL, 20))
    assert found[0][0].since == TAKEN_AT - 70
    assert found[-1][0].since == TAKEN_AT


@pytest.mark.parametrize(
    ("then", "shown"),
    [
        ((1, 2, 3), ["all"]),  # one of three, a moment later all
        ((2, 3), ["all", "one"]),  # the one is gone, others have come
        ((), ["one"]),
    ],
)
def test_what_has_become_part_of_another_is_not_held(
    monkeypatch: pytest.MonkeyPatch, then: tuple[int, ...], shown: list[str]
) -> None:
    """Connections that were told by their port, and then by their network."""

    def widening(seen: Observations, limits: object) -> list[Finding]:
        name, cookies = ("all", then) if seen.watched_s else ("one", (1,))
        about = Subject(1, cookies=cookies)
        return [replace(WORTH_KNOWING, key=name, subject=about)] if cookies else []

    monkeypatch.setattr(engine, "RULES", [RULES[0]._replace(find=widening)])
    found = watch(1, lambda number: [socket("ESTABLISHED", "10.0.0.1:90", "10.0.0.9:4")])
    assert sorted(each.key for each in found[-1]) == shown


@pytest.mark.parametrize("step", [7200.0, -14400.0, 3.0])
def test_a_step_of_the_clock_changes_no_duration(step: float) -> None:
    """In the sixth sample; in the last ones the finding is only held."""

    def rows(number: int) -> list[Row]:
        return leaked(20, heard_s=70 + number) if number < 8 else []

    def taken_at(number: int) -> float:
        return TAKEN_AT + number + (step if number > 4 else 0)

    found = watch(10, rows, owners=held_by(CURL, 20), taken_at=taken_at)
    lasted = [taken_at(number) - (each.since or 0) for number, (each,) in enumerate(found)]
    assert lasted == [70.0 + number for number in range(11)]


def test_a_machine_that_was_suspended_moves_no_beginning() -> None:
    """For two hours after the fourth sample: no clock of the kernel's sockets counts them."""

    def rows(number: int) -> list[Row]:
        return leaked(20, heard_s=70 + number) if number < 8 else []

    def asleep(number: int) -> float:
        return 7200.0 if number > 4 else 0.0

    found = watch(
        10,
        rows,
        owners=held_by(CURL, 20),
        taken_at=lambda number: TAKEN_AT + number + asleep(number),
        host=lambda number: up(UPTIME_S + number + asleep(number)),
    )
    assert {each.since for (each,) in found} == {TAKEN_AT - 70}
    assert any("1 min 17 s" in sentence for sentence in found[7][0].evidence)


def test_a_late_first_reply_is_no_step_of_the_clock() -> None:
    def rows(number: int) -> list[Row]:
        return leaked(20, heard_s=70 + number)

    def taken_at(number: int) -> float:
        return TAKEN_AT + number + number % 2

    found = watch(10, rows, owners=held_by(CURL, 20), taken_at=taken_at)
    assert {each.since for (each,) in found} == {TAKEN_AT - 70}


def test_a_beginning_that_no_clock_of_the_kernel_tells_outlives_a_step() -> None:
    def rows(number: int) -> list[Row]:
        return leaked(20, heard_s=70)  # heard of anew each time: at least

    found = watch(3, rows, owners=held_by(CURL, 20), taken_at=lambda n: TAKEN_AT + n + 7200 * n)
    lasted = [TAKEN_AT + n + 7200 * n - (each.since or 0) for n, (each,) in enumerate(found)]
    assert lasted == [70.0, 71.0, 72.0, 73.0]


def test_rules_that_need_a_longer_look_are_named() -> None:
    assert "nagle-delayed-ack" in unlooked(4, DEFAULTS)
    assert "nagle-delayed-ack" in unlooked(None, DEFAULTS)
    assert "nagle-delayed-ack" not in unlooked(5, DEFAULTS)
    assert "close-wait-leak" not in unlooked(None, DEFAULTS)
    assert "nagle-delayed-ack" not in unlooked(
        4, FindingSettings(ignored=frozenset({"nagle-delayed-ack"}))
    )


def broken(seen: object, limits: object) -> list[Finding]:
    return [WORTH_KNOWING, *range(1 // 0)]


@pytest.fixture
def two_broken(monkeypatch: pytest.MonkeyPatch) -> tuple[str, ...]:
    """Two rules raise the same, as where they share what raises; the others are as they are."""
    names = ("resets", "fd-limit")
    rules = [r._replace(find=broken) if r.id in names else r for r in RULES]
    monkeypatch.setattr(engine, "RULES", rules)
    monkeypatch.setattr(engine, "RAISED", (MemoryError,))
    return names


def test_a_rule_that_raises_says_nothing_and_is_named(two_broken: tuple[str, ...]) -> None:
    snapshot = derived(sample(leaked(20, heard_s=70), owners=held_by(CURL, 20)))
    assert [each.id for each in snapshot.findings] == ["close-wait-leak"]
    (fault,) = (each for each in snapshot.silent if each.fault)
    assert fault.rules == two_broken
    assert fault.note.startswith(
        "resets, fd-limit could not look because of an error in tcptop: unexpected "
        "ZeroDivisionError: integer division or modulo by zero (test_engine.py:"
    )


def test_check_is_not_ok_then_and_no_better_than_what_is_known(two_broken: object) -> None:
    """Without --strict too: 3 and not 0; but a warning stays one."""
    leak = sample(leaked(20, heard_s=70), owners=held_by(CURL, 20))
    told = {}
    for name, each in (("leak", leak), ("nothing", sample([]))):
        selection = select(derived(each), None)
        told[name] = plugin.verdict(selection), plugin.line(selection)
    assert told["leak"][0] == "WARNING"
    assert "2 rules could not look" in told["leak"][1]
    assert told["nothing"][0] == "UNKNOWN"
    assert told["nothing"][1].startswith("TCPTOP UNKNOWN: 2 rules could not look: no problems")


def test_where_causes_cannot_be_told_the_findings_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "folded", broken)
    monkeypatch.setattr(engine, "RAISED", (MemoryError,))
    snapshot = derived(sample(leaked(20, heard_s=70), owners=held_by(CURL, 20)))
    assert [each.id for each in snapshot.findings] == ["close-wait-leak"]
    assert [each.rules for each in snapshot.silent if each.fault] == [()]


def test_nothing_is_wrong_with_rules_that_raise_nothing() -> None:
    assert not any(each.fault for each in derived(everything()).silent)


def test_no_memory_ends_the_look(monkeypatch: pytest.MonkeyPatch) -> None:
    def hungry(seen: object, limits: object) -> list[Finding]:
        raise MemoryError

    monkeypatch.setattr(engine, "RULES", [RULES[0]._replace(find=hungry)])
    monkeypatch.setattr(engine, "RAISED", (MemoryError,))
    with pytest.raises(MemoryError):
        derived(everything())


def test_in_tests_a_rule_that_raises_fails(two_broken: object) -> None:
    """As tests/conftest.py has it, for what is started here too."""
    assert os.environ["TCPTOP_RAISE"]
    decided(CheckOptions())
    with pytest.raises(ZeroDivisionError):
        derived(everything())


def test_owners_of_what_findings_are_about_are_sought_first() -> None:
    """The group in which the full listener was made, as long as the search is behind."""
    rows = [
        socket("LISTEN", "0.0.0.0:80", inode=7, recv_q=130, send_q=128, cgroup_id=5),
        socket("ESTABLISHED", "10.0.0.1:90", "10.0.0.9:40000", inode=8, cgroup_id=6),
    ]
    behind = sample(rows, owners=replace(NO_OWNERS, complete=False))
    found = derived(behind)
    assert [each.subject.listener for each in found.findings] == ["0.0.0.0:80"]
    assert found.requests.cgroups == {5}
    assert derived(sample(rows)).requests.cgroups == frozenset()
    assert derived(sample(rows[1:], owners=behind.owners)).requests.cgroups == frozenset()
