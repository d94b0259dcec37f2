"""resets: many, a share of the openings, steady; not bursts and not health checks."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tcptop.analysis.findings.settings import FindingSettings
from tcptop.model.sample import Kernel
from tests.unit.findings.hosts import rising, steadily
from tests.unit.findings.watched import ids, of, watch
from tests.unit.prepared import CURL, Row, owners, socket

ID = "resets"
NONE = {"AttemptFails": 0, "EstabResets": 0, "ActiveOpens": 0, "PassiveOpens": 0}


def fired(kernel: Callable[[int], tuple[Kernel]], seconds: int = 8, step: float = 1) -> list[bool]:
    found = watch(seconds, lambda _: [], step=step, kernel=kernel)
    return [ID in ids(each) for each in found]


def test_it_needs_five_seconds() -> None:
    refused = steadily(**NONE | {"AttemptFails": 20, "ActiveOpens": 20})
    assert fired(refused) == [False] * 5 + [True] * 4


@pytest.mark.parametrize(
    "counters",
    [
        {"EstabResets": 10, "PassiveOpens": 20},
        {"EstabResets": 20, "PassiveOpens": 400},  # an edge server's normal share
        {"EstabResets": 30, "ActiveOpens": 30, "TCPAbortOnData": 30},  # health checks of ours
        {"AttemptFails": 30, "EmbryonicRsts": 30, "PassiveOpens": 5},  # half-open checks of others
        {},
    ],
)
def test_not(counters: dict[str, int]) -> None:
    assert not any(fired(steadily(**NONE | counters)))


def test_a_server_that_resets_its_clients_is_found() -> None:
    kernel = steadily(**NONE | {"EstabResets": 30, "PassiveOpens": 30, "TCPAbortOnData": 30})
    assert fired(kernel)[-1]


def test_unknown_counters_are_no_trouble() -> None:
    assert not any(fired(steadily(EstabResets=100, AttemptFails=100)))


def test_a_burst_when_a_program_ends_is_none() -> None:
    def total(number: int) -> dict[str, int]:
        return NONE | {"EstabResets": 500 if number >= 4 else 0, "PassiveOpens": number}

    assert not any(fired(rising(total), 12))
    assert not any(fired(rising(total), 12, step=5))


def test_slow_looks() -> None:
    assert fired(steadily(**NONE | {"AttemptFails": 100, "ActiveOpens": 100}), 4, step=5)[-1]


def test_it_names_where_most_new_connections_go() -> None:
    def rows(number: int) -> list[Row]:
        cookie = 10_000 + number * 10
        return [
            socket(
                "ESTABLISHED", f"10.0.0.1:{40000 + n}", "10.0.0.9:80", inode=n, cookie=cookie + n
            )
            for n in range(1, 5)
        ]

    held = owners(*((n, CURL, n) for n in range(1, 5)))
    kernel = steadily(**NONE | {"EstabResets": 20, "ActiveOpens": 40})
    (finding,) = of(watch(6, rows, owners=held, kernel=kernel)[-1], ID)
    assert finding.title.endswith("end in a reset, apparently mostly to 10.0.0.9:80 (curl)")
    assert finding.subject.pids == (CURL.pid,)
    assert finding.subject.destination == "10.0.0.9:80"


def test_a_server_is_named_by_its_listener() -> None:
    rows = [socket("LISTEN", "0.0.0.0:8080", inode=1)]
    kernel = steadily(**NONE | {"EstabResets": 20, "PassiveOpens": 40})
    found = watch(6, lambda _: rows, owners=owners((1, CURL, 3)), kernel=kernel)
    (finding,) = of(found[-1], ID)
    assert finding.title == "20 connections/s end in a reset, apparently mostly at :8080 (curl)"
    assert finding.subject.pids == (CURL.pid,)


def test_within_a_host_both_ends_count() -> None:
    ends = ("127.0.0.1:40001", "127.0.0.1:8080")
    rows = [socket("ESTABLISHED", *ends, inode=1), socket("ESTABLISHED", *reversed(ends), inode=2)]
    kernel = steadily(**NONE | {"EstabResets": 18, "ActiveOpens": 9, "PassiveOpens": 9})
    assert not any(ID in ids(each) for each in watch(8, lambda _: rows, kernel=kernel))


def test_thresholds() -> None:
    settings = FindingSettings({ID: {"per_s": 1, "share": 0.5, "window_s": 2}})
    kernel = steadily(**NONE | {"AttemptFails": 2, "ActiveOpens": 3})
    assert ID in ids(watch(3, lambda _: [], settings, kernel=kernel)[-1])
