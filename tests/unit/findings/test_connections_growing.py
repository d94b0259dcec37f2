"""connections-growing: ever more connections of one process to one destination, hardly used."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from tcptop.analysis.findings.settings import FindingSettings
from tcptop.model.sample import Owners, Process
from tests.unit.findings.watched import Findings, ids, of, watch
from tests.unit.prepared import CURL, TAKEN_AT, Row, kernel, owners, socket

ID = "connections-growing"
ROOMY = replace(CURL, open_fds=300, fd_limit=1_000_000)
WIDE = (kernel(sysctls={"net.ipv4.ip_local_port_range": "40000 60999"}),)
FIRST = 10_000  # cookies


def opened(count: int, ages: Callable[[int], float], **info: int) -> list[Row]:
    """Connections of which number n was opened, and last used, `ages(n)` seconds ago."""
    return [
        socket(
            "ESTABLISHED",
            f"10.0.0.1:{40_000 + n}",
            "10.0.0.9:443",
            inode=1000 + n,
            cookie=FIRST + n,
            info={
                "last_data_sent": int(ages(n) * 1000),
                "last_data_recv": int(ages(n) * 1000),
                "data_segs_out": 1,
                "data_segs_in": 1,
            }
            | info,
        )
        for n in range(count)
    ]


def held(rows: Sequence[Row], process: Process = ROOMY) -> Owners:
    return owners(*((row["inode"], process, row["inode"]) for row in rows))


def looks(
    start: int, per_s: float, process: Process = ROOMY, seconds: int = 8, **info: int
) -> list[Findings]:
    """A client that had `start` connections at the first look, and has opened them evenly."""

    def rows(second: int) -> list[Row]:
        count = start + int(per_s * second)
        return opened(count, lambda n: second + (start - n) / per_s, **info)

    return watch(seconds, rows, owners=lambda second: held(rows(second), process), kernel=WIDE)


def test_a_client_made_anew_for_each_request() -> None:
    found = looks(500, 10)
    assert not any(ids(each) for each in found[:5])  # a pool that rests looks the same
    (finding,) = of(found[-1], ID)
    assert finding.severity == "warning"  # 20,420 ports last for 34 min
    assert finding.title == "curl keeps opening connections to 10.0.0.9:443: 580 open, 10/s more"
    assert finding.subject.pids == (CURL.pid,)
    assert finding.subject.destination == "10.0.0.9:443"
    assert finding.values["growth_per_s"] == pytest.approx(10, rel=0.05)
    assert finding.values["full_in_s"] == pytest.approx(2042, rel=0.05)
    assert finding.evidence[1] == ("300 of them were opened in the last 30 s; they grow by 10/s.")
    assert "20,420 local ports to 10.0.0.9:443 are left, enough for 34 min." in finding.evidence


@pytest.mark.parametrize(
    ("fds", "severity"), [((580, 1_000), "critical"), ((580, 30_000), "warning")]
)
def test_the_limit_that_comes_first_decides(fds: tuple[int, int], severity: str) -> None:
    process = replace(CURL, open_fds=fds[0], fd_limit=fds[1])
    (finding,) = of(looks(500, 10, process)[-1], ID)
    assert finding.severity == severity


def test_slow_growth_is_worth_knowing() -> None:
    (finding,) = of(looks(300, 1, seconds=20)[-1], ID)
    assert finding.severity == "info"


@pytest.mark.parametrize(
    ("start", "per_s", "more"),
    [
        (80, 2, {}),  # fewer than a hundred
        (500, 10, {"data_segs_out": 50}),  # they are used
        (500, 10, {"seconds": 4}),
    ],
)
def test_guards(start: int, per_s: float, more: dict[str, int]) -> None:
    assert not any(ids(each) for each in looks(start, per_s, **more))  # type: ignore[arg-type]


def test_heartbeats_do_not_hide_it() -> None:
    """Each sends a segment every five seconds, those of before the watch too."""

    def rows(second: int) -> list[Row]:
        count = 500 + 10 * second
        return [
            row
            | {
                "info": {
                    "last_data_sent": 1000 * (1 + n % 5),
                    "last_data_recv": 1000 * (1 + n % 5),
                    "data_segs_out": 60 if n < 500 else 1 + (second - (n - 500) // 10) // 5,
                    "data_segs_in": 60,
                }
            }
            for n, row in enumerate(opened(count, lambda n: 1))
        ]

    found = watch(33, rows, owners=lambda second: held(rows(second)), kernel=WIDE)
    assert not of(found[9], ID)  # how old those are that were there is not known
    (finding,) = of(found[-1], ID)
    assert finding.values["growth_per_s"] == pytest.approx(10, rel=0.1)
    assert finding.since == pytest.approx(TAKEN_AT, abs=1)


def still(rows: Callable[[int], list[Row]], seconds: int = 20) -> bool:
    found = watch(seconds, rows, owners=lambda second: held(rows(second)), kernel=WIDE)
    return not any(of(each, ID) for each in found)


def test_a_pool_that_is_used_in_turn_does_not_grow() -> None:
    assert still(lambda _: opened(300, lambda n: n / 10))


def test_a_pool_that_fills_and_stops() -> None:
    """Ten a second until it has 150, of which the first looks were too few."""
    assert still(lambda second: opened(min(150, 10 * second + 10), lambda n: second - n / 10 + 1))


def test_a_pool_replaces_what_it_closes() -> None:
    def rows(second: int) -> list[Row]:
        return opened(400 + 10 * second, lambda n: second + (400 - n) / 10)[10 * second :]

    assert still(rows)


def test_a_burst_is_no_growth() -> None:
    def rows(second: int) -> list[Row]:
        count = 150 if second < 12 else 300
        return opened(count, lambda n: second + 100 if n < 150 else second - 12 + 0.5)

    assert still(rows)


def test_a_proxy_passes_on_what_it_accepts() -> None:
    def rows(second: int) -> list[Row]:
        ours = opened(500 + 10 * second, lambda n: second + (500 - n) / 10)
        theirs = [
            row
            | {"local": "10.0.0.1:80", "remote": f"10.0.0.7:{row['inode']}"}
            | {"inode": row["inode"] + 50_000, "cookie": row["cookie"] + 50_000}
            for row in ours
        ]
        return [socket("LISTEN", "0.0.0.0:80", inode=1, send_q=128), *ours, *theirs]

    assert still(rows, 10)


def test_it_explains_what_runs_out() -> None:
    process = replace(CURL, open_fds=590, fd_limit=700)
    (cause, effect) = looks(500, 10, process)[-1]
    assert (cause.id, effect.id) == (ID, "fd-limit")
    assert effect.because == cause.key
    narrow = (kernel(sysctls={"net.ipv4.ip_local_port_range": "40000 40699"}),)

    def rows(second: int) -> list[Row]:
        return opened(500 + 10 * second, lambda n: second + (500 - n) / 10)

    found = watch(8, rows, owners=lambda second: held(rows(second)), kernel=narrow)[-1]
    assert [each.id for each in found] == [ID, "ephemeral-port-exhaustion"]
    assert found[1].because == found[0].key


def test_thresholds() -> None:
    lower: Any = FindingSettings({ID: {"connections": 60, "window_s": 6}})

    def rows(second: int) -> list[Row]:
        return opened(60 + 2 * second, lambda n: second + (60 - n) / 2)

    found = watch(8, rows, lower, owners=lambda second: held(rows(second)), kernel=WIDE)
    assert ids(found[-1]) == [ID]
