"""What is said of a filter whose names fit no process."""

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
