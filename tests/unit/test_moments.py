"""Moments of a recording, as they are typed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from tcptop import command_line
from tcptop.commands.moments import moment
from tcptop.model.moment import told
from tcptop.options import CheckOptions, RecordOptions, UsageError


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


SPAN = at("2026-11-27T22:00:00"), at("2026-11-28T13:02:30.500")


@pytest.fixture(autouse=True)
def _utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("13:02", "2026-11-28T13:02:00"),
        ("13:02:30", "2026-11-28T13:02:30"),
        ("13:03", "2026-11-27T13:03:00"),  # of the day before: today it is later than the end
        ("9:00", "2026-11-28T09:00:00"),
        ("2026-11-28T12:00:00Z", "2026-11-28T12:00:00"),
        ("2026-11-28 12:00", "2026-11-28T12:00:00"),
        ("2026-11-28T14:00:00+02:00", "2026-11-28T12:00:00"),
        ("-5m", "2026-11-28T12:57:30.500"),
        ("-2", "2026-11-28T13:02:28.500"),
        ("+30s", "2026-11-27T22:00:30"),
        ("+1.5h", "2026-11-27T23:30:00"),
    ],
)
def test_a_moment(text: str, expected: str) -> None:
    assert moment(text, "--at", SPAN) == at(expected)


def test_a_time_of_a_report_is_meant_wherever_one_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    for text in ("13:02Z", "13:02 UTC", "08:02"):
        assert moment(text, "--at", SPAN) == at("2026-11-28T13:02:00")
    assert told(SPAN) == "2026-11-27 17:00:00 to 2026-11-28 08:02:30 EST"


@pytest.mark.parametrize("text", ["", "noon", "24:00", "13:60", "5m", "-5x", "13:02:61", "-", "+"])
def test_what_is_none_is_told_with_what_could_be(text: str) -> None:
    with pytest.raises(UsageError, match=r"--begin .*: no time, such as 13:02, "):
        moment(text, "--begin", SPAN)


@pytest.mark.parametrize(
    "words", [("check", "--at=--"), ("check", "--over=--"), ("report", "-o--")]
)
def test_two_dashes_are_no_value(words: tuple[str, ...]) -> None:
    with pytest.raises(UsageError, match="expected one argument"):
        command_line.parse([*words, "--config", "x"])


def test_a_moment_before_the_end_needs_no_equals_sign() -> None:
    chosen = command_line.parse(["check", "--from", "x", "--at", "-5m"])
    assert isinstance(chosen, CheckOptions)
    assert (chosen.recording, chosen.at) == ("x", "-5m")


def test_ages_and_sizes() -> None:
    chosen = command_line.parse(["record", "x", "--keep", "1.5h", "--max-size", "2G"])
    assert isinstance(chosen, RecordOptions)
    assert (chosen.keep, chosen.max_size) == (5400, 2 << 30)


@pytest.mark.parametrize(
    ("option", "text"),
    [
        *(("--keep", text) for text in ("", "h", "0", "-1h", "1y", "inf", "nan", "1e99d")),
        *(("--max-size", text) for text in ("", "G", "3M", "-2G", "1.2.3G", "2P", "9" * 40)),
    ],
)
def test_what_is_no_age_or_size(option: str, text: str) -> None:
    with pytest.raises(UsageError):
        command_line.parse(["record", "x", f"{option}={text}"])
