"""What is said of a filter whose names fit no process or device."""

from dataclasses import replace

import pytest

from tcptop.analysis.filter import hint, parse
from tests.unit.filter_facts import facts


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("process = nginx", ""),
        ("process = leaky.py and state syn-sent", ""),  # it is not the name that fits nobody
        ("not process = bogus", ""),
        ("process != bogus", ""),
        ("sport = 1", ""),
        ("nginx", ""),
        ("process = ngin", 'no process is called "ngin"; try process = *ngin*, which is nginx'),
        (
            "sport > 1 and process = leaky",
            'no process is called "leaky"; try process = *leaky*, which is Worker One (leaky.py)',
        ),
        (
            "process = docker",
            'no process is called "docker"; try the word docker alone, which finds java',
        ),
        ("process = ngnix", 'no process is called "ngnix"; did you mean nginx?'),
        ("process = *zzz*", 'no process is called "*zzz*"'),
        (
            "unit = nginx",
            'no process has the unit "nginx"; try unit = *nginx*, which is nginx',
        ),
        ("dev = nosuch", 'no device is called "nosuch"'),
        ("sport = 1 and dev = eth00", 'no device is called "eth00"; did you mean eth0?'),
        ("dev = lo", ""),
        ("dev != nosuch", ""),
        ("dev = if77", ""),  # an index
        ("dev = 77", ""),
        (
            "jva",
            'no process has "jva" in its name, command line, unit or container; did you mean java?',
        ),
        (
            "stat and nginx",
            'no process has "stat" in its name, command line, unit or container; '
            "did you mean state?",
        ),
    ],
)
def test_what_would_fit(text: str, said: str) -> None:
    assert hint(parse(text), facts()) == said


def test_devices_that_could_not_be_read_are_not_said_to_be_missing() -> None:
    known = facts()
    for interfaces in ({}, {**known.interfaces, 7: {}}):
        assert hint(parse("dev = nosuch"), replace(known, interfaces=interfaces)) == ""
