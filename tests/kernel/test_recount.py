"""The recount of a finding's numbers: silent on true ones, and not on others."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from tcptop.demo.namespace import DemoNamespace
from tcptop.model.finding import Finding
from tcptop.model.snapshot import Snapshot
from tests.kernel import queues
from tests.kernel.recount.claims import claims
from tests.kernel.recount.recount import recount
from tests.kernel.snapshots import Watch

Told = tuple[Finding, list[Snapshot]]


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("17 of the 129 connections that fit", [("count", 17, 17), ("count", 129, 129)]),
        ("42.5 SYNs/s dropped", [("rate", 42.45, 42.55)]),
        ("13 of 367 segments/s", [("rate", 12.5, 13.5), ("rate", 366.5, 367.5)]),
        ("for 2 min 11 s, 1,234 sockets", [("seconds", 130.5, 131.5), ("count", 1234, 1234)]),
        (
            "1.5 MiB wait on 10.0.0.1:80",
            [("bytes", 1.45 * 2**20, 1.55 * 2**20), ("endpoint", 0, 0)],
        ),
        ("tcp_retries2 = 15, FIN_WAIT1 of IPv4", [("sysctl", 15, 15)]),
        ("nginx (pid 812): 91% full", [("pid", 812, 812), ("percent", 90.5, 91.5)]),
        ("on :8080 and [::1]:443", [("endpoint", 0, 0), ("endpoint", 0, 0)]),
    ],
)
def test_numbers_are_read(sentence: str, expected: list[tuple[str, float, float]]) -> None:
    found = list(claims(sentence))
    assert [claim.kind for claim in found] == [kind for kind, _, _ in expected]
    assert [claim.low for claim in found] == pytest.approx([low for _, low, _ in expected])
    assert [claim.high for claim in found] == pytest.approx([high for _, _, high in expected])


@pytest.fixture(scope="module")
def told() -> Iterator[Told]:
    """An accept queue of 13 that is full, and 24 clients of it."""
    with DemoNamespace() as namespace:
        namespace.run(queues.accept_overflow, "127.0.0.1", 12, 24)
        with Watch(namespace) as watch:
            looks = []
            for _ in range(4):
                looks.append(watch.snapshot())
                time.sleep(0.5)
        found = next(f for f in looks[-1].findings if f.id == "accept-queue-overflow")
        yield found, looks


def test_true_numbers_pass(told: Told) -> None:
    found, looks = told
    assert recount(found, looks) == []


def test_each_number_of_the_evidence_is_counted_again(told: Told) -> None:
    found, looks = told
    sentences = [found.title, *found.evidence]
    numbers = [(s, m) for s in sentences for m in re.finditer(r"(?<![\w.:])\d+(?![\w.:])", s)]
    assert len(numbers) >= 5
    for sentence, match in numbers:
        number = str(int(match.group()) + 97_711)
        false = sentence[: match.start()] + number + sentence[match.end() :]
        altered = tuple(false if each == sentence else each for each in found.evidence)
        title = false if sentence == found.title else found.title
        looked = [*looks[:-1], replace(looks[-1], findings=())]
        assert recount(replace(found, title=title, evidence=altered), looked), false


def test_each_value_is_counted_again(told: Told) -> None:
    found, looks = told
    for name, value in found.values.items():
        altered = replace(found, values={**found.values, name: value + 97_711})
        (complaint,) = recount(altered, looks)
        assert complaint.startswith(f"{found.id}: value {name} = {value + 97_711}; near it: ")
