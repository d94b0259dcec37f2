"""close-wait-leak: many sockets, for long, and none of them waiting to be accepted or read."""

import re
from collections.abc import Callable
from dataclasses import replace

import pytest

from tcptop.analysis.findings.settings import FindingSettings
from tcptop.model.sample import Process
from tests.unit.findings.watched import ids, of, once, watch
from tests.unit.prepared import CURL, TAKEN_AT, Row, owners, socket

ID = "close-wait-leak"
LONG_AGO = {"last_data_recv": 900_000, "last_data_sent": 900_000}


def leaked(count: int, heard_s: float = 90, **columns: object) -> list[Row]:
    info = {"last_ack_recv": int(heard_s * 1000)} | LONG_AGO
    return [
        socket("CLOSE_WAIT", f"10.0.0.1:{n}", "10.0.0.9:80", **{"inode": n, "info": info} | columns)
        for n in range(1000, 1000 + count)
    ]


def held_by(process: Process, count: int) -> object:
    return owners(*((n, process, n) for n in range(1000, 1000 + count)))


def test_one_look_is_enough_where_the_kernel_says_how_long() -> None:
    (finding,) = once(leaked(20), owners=held_by(CURL, 20))
    assert (finding.id, finding.severity) == (ID, "warning")
    assert finding.title == "curl leaks sockets: 20 connections to 10.0.0.9:80 left in CLOSE-WAIT"
    assert finding.subject.pids == (CURL.pid,)
    assert finding.subject.destination == "10.0.0.9:80"
    assert "20 were opened from here, to 10.0.0.9:80." in finding.evidence
    assert "sooner than 10.0.0.9:80 closes them" in finding.advice
    assert len(finding.subject.cookies) == 20
    assert finding.since == pytest.approx(TAKEN_AT - 90)
    assert "5 of 256 file descriptors" in finding.evidence[-1]
    assert "pid=200," in finding.confirm


@pytest.mark.parametrize(
    "rows",
    [
        leaked(19),
        leaked(30, heard_s=59),  # a balancer closed them a moment ago
        leaked(30, inode=0),  # in an accept queue
        leaked(30, recv_q=1),  # another finding
        leaked(30, info={"last_ack_recv": 90_000, "last_data_sent": 5000}),  # half-closed, in use
    ],
)
def test_guards(rows: list[Row]) -> None:
    assert of(once(rows, owners=held_by(CURL, 30)), ID) == ()


def test_last_data_recv_is_no_evidence() -> None:
    assert once(leaked(30, info=LONG_AGO), owners=held_by(CURL, 30)) == ()


def test_it_is_seen_by_watching_where_acks_reset_the_clock() -> None:
    found = watch(61, lambda _: leaked(25, heard_s=1), owners=held_by(CURL, 25))
    assert [bool(each) for each in found] == [False] * 60 + [True] * 2


@pytest.mark.parametrize(
    ("number", "told"),
    [
        (lambda n: 10 + 5 * n, True),
        (lambda n: 10 + n, False),  # a pool that is tidied up each minute looks the same
        (lambda n: 10 + 12 * (2 * n // 3), True),  # who polls in step leaves some now and then
        (lambda n: 60 if n >= 3 else 0, False),  # the server restarts
        (lambda n: 30 * (n >= 3) + 30 * (n >= 6), False),  # twice
        (lambda n: 60 - 5 * (n % 4), False),  # they are closed, later
        (lambda n: 2 * n, False),
    ],
)
def test_growth_that_is_fast_is_told_in_seconds(number: Callable[[int], int], told: bool) -> None:
    found = watch(
        8, lambda n: leaked(number(n), heard_s=1), owners=lambda n: held_by(CURL, number(n))
    )
    assert not any(ids(each) for each in found[:5])
    assert (ID in ids(found[-1])) is told
    if told:
        (finding,) = of(found[-1], ID)
        grown = r"they grow by (5|7\.5)/s, and never became fewer"
        assert any(re.search(grown, each) for each in finding.evidence)


def test_growth_through_three_minutes() -> None:
    never_old = FindingSettings(limits={ID: {"age_s": 10_000}})
    rows, held = (lambda n: leaked(n, heard_s=1)), (lambda n: held_by(CURL, n))
    found = watch(40, rows, never_old, step=5, owners=held)
    assert not any(ids(each) for each in found[:34])
    assert ids(found[-1]) == [ID]


def test_critical_when_the_descriptors_run_out() -> None:
    full = replace(CURL, open_fds=205)
    (finding,) = of(once(leaked(30), owners=held_by(full, 30)), ID)
    assert finding.severity == "critical"


def test_what_has_taken_the_descriptors_is_told_however_young() -> None:
    def full(open_fds: int, count: int = 30, heard_s: float = 6) -> list[str]:
        held = held_by(replace(CURL, open_fds=open_fds, fd_limit=40), count)
        return ids(once(leaked(count, heard_s), owners=held))

    assert full(38) == [ID, "fd-limit"]
    assert full(38, heard_s=4) == ["fd-limit"]  # the server restarts
    assert full(30) == []
    assert full(38, count=19) == ["fd-limit"]
    held = held_by(replace(CURL, open_fds=200, fd_limit=205), 30)  # most are something else
    assert ids(once(leaked(30, 6), owners=held)) == ["fd-limit"]


def test_critical_when_they_will_run_out_soon() -> None:
    def growing(number: int) -> object:
        return held_by(replace(CURL, open_fds=50 + number), 30)

    found = watch(30, lambda _: leaked(30), owners=growing)
    assert of(found[4], ID)[0].severity == "warning"  # a burst is no trend
    assert of(found[5], ID)[0].severity == "critical"
    assert of(found[-1], ID)[0].severity == "critical"
    assert "run out in" in of(found[-1], ID)[0].evidence[-1]


def test_a_burst_of_descriptors_is_no_trend() -> None:
    burst = watch(
        9,
        lambda _: leaked(30),
        owners=lambda n: held_by(replace(CURL, open_fds=50 if n < 7 else 100), 30),
    )
    assert {of(each, ID)[0].severity for each in burst} == {"warning"}


def test_who_called_whom() -> None:
    """Of those that were accepted the clients are named, and the advice is for a server."""
    listener = socket("LISTEN", "0.0.0.0:80", inode=7, send_q=128)
    served = [
        row | {"local": "10.0.0.1:80", "remote": f"10.0.0.{7 + n % 2}:{5000 + n}"}
        for n, row in enumerate(leaked(21))
    ]
    held = owners((7, CURL, 3), *((n, CURL, n) for n in range(1000, 1040)))
    (finding,) = once([listener, *served], owners=held)
    assert finding.title == (
        "curl leaks sockets: 21 connections from clients of :80 left in CLOSE-WAIT"
    )
    assert (finding.subject.listener, finding.subject.destination) == ("0.0.0.0:80", None)
    assert "21 were accepted on :80, from 10.0.0.7 (11), 10.0.0.8 (10)." in finding.evidence
    assert "client leaves" in finding.advice
    called = [row | {"inode": n + 1030} for n, row in enumerate(leaked(9))]
    (finding,) = once([listener, *served, *called], owners=held)
    assert finding.title == "curl leaks sockets: 30 connections left in CLOSE-WAIT"
    assert finding.subject.listener is finding.subject.destination is None
    assert finding.evidence[1] == "9 were opened from here, to 10.0.0.9:80."


def test_thresholds() -> None:
    settings = FindingSettings(limits={ID: {"sockets": 3, "age_s": 5}})
    assert ids(once(leaked(3, heard_s=6), settings, owners=held_by(CURL, 3))) == [ID]
    assert once(leaked(2, heard_s=6), settings, owners=held_by(CURL, 3)) == ()
    ignoring = FindingSettings(ignored=frozenset({ID}))
    assert once(leaked(30), ignoring, owners=held_by(CURL, 30)) == ()
