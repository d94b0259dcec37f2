"""A finding has a beginning and an end; flapping is damped; ignored rules say nothing."""

from tcptop.analysis.findings.settings import DEFAULTS, FindingSettings
from tcptop.analysis.findings.silence import unlooked
from tests.unit.findings.test_close_wait_leak import held_by, leaked
from tests.unit.findings.watched import watch
from tests.unit.prepared import CURL, TAKEN_AT, Row


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


def test_rules_that_need_a_longer_look_are_named() -> None:
    assert "nagle-delayed-ack" in unlooked(4, DEFAULTS)
    assert "nagle-delayed-ack" in unlooked(None, DEFAULTS)
    assert "nagle-delayed-ack" not in unlooked(5, DEFAULTS)
    assert "close-wait-leak" not in unlooked(None, DEFAULTS)
    assert "nagle-delayed-ack" not in unlooked(
        4, FindingSettings(ignored=frozenset({"nagle-delayed-ack"}))
    )
