"""socket-leak: descriptors whose TCP sockets no list shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from tcptop.analysis.findings.settings import FindingSettings
from tcptop.model.address import halves
from tcptop.model.sample import LostSocket, Owners, Process, Unlisted
from tests.unit.findings.watched import Findings, ids, of, once, watch
from tests.unit.prepared import CURL, NETNS, OTHER_NETNS, Row, mini, owners, socket

ID = "socket-leak"
LISTENER = socket("LISTEN", "0.0.0.0:8080", inode=1, send_q=128)
ROOMY = replace(CURL, open_fds=300, fd_limit=10_000, netns=NETNS)


def lost(was: str, count: int, remote: str = "", local_port: int = 40_000) -> list[LostSocket]:
    host, _, port = remote.rpartition(":")
    end = (*halves(host.strip("[]")), int(port)) if remote else (0, 0, 0)
    return [LostSocket(was, local_port if remote else 0, *end)] * count


def leaking(
    sockets: int, known: Sequence[LostSocket] = (), process: Process = ROOMY, **more: Any
) -> Owners:
    return owners((1, process, 3), unlisted={process.pid: Unlisted(sockets, tuple(known))}, **more)


def growing(start: int, per_sample: int, fds: int = 300) -> list[Findings]:
    """Looks of nine seconds; the leak is counted from the second sample on."""

    def held(number: int) -> Owners:
        process = replace(ROOMY, open_fds=fds + per_sample * number)
        sockets = start + per_sample * number
        return leaking(sockets, process=process) if number else owners((1, process, 3))

    return watch(9, lambda _: [LISTENER], owners=held)


def test_many_are_a_leak_whether_they_grow_or_not() -> None:
    assert once([LISTENER], owners=leaking(49)) == ()
    (finding,) = once([LISTENER], owners=leaking(50))
    assert (finding.id, finding.severity) == (ID, "warning")
    assert finding.title == "curl leaks sockets: 50 that ss does not show were never closed"
    assert finding.subject.pids == (CURL.pid,)
    assert finding.subject.netns == NETNS
    assert "50 descriptors of TCP sockets" in finding.evidence[0]
    assert "1 other TCP socket is shown." in finding.evidence[0]
    assert "300 of 10,000 file descriptors" in finding.evidence[-1]


def test_what_is_in_close_wait_goes_the_same_way() -> None:
    waits = [
        socket("CLOSE_WAIT", f"10.0.0.1:{n}", "10.0.0.9:80", inode=n) for n in range(1000, 1012)
    ]
    held = owners(
        (1, ROOMY, 3),
        *((n, ROOMY, n) for n in range(1000, 1012)),
        unlisted={ROOMY.pid: Unlisted(50, ())},
    )
    (finding,) = of(once([LISTENER, *waits], owners=held), ID)
    assert (
        "12 sockets that it holds are in CLOSE-WAIT: unless it closes them, they go the same way."
        in finding.evidence
    )


def test_fewer_must_grow() -> None:
    assert [ids(found) for found in growing(20, 0)] == [[]] * 10
    found = growing(20, 1)
    assert not any(ids(each) for each in found[:4])
    (finding,) = found[-1]
    assert (finding.id, finding.values["sockets"]) == (ID, 29)
    assert finding.values["growth_per_s"] == pytest.approx(1)
    assert "They grow by 1/s." in finding.evidence


def test_those_that_are_only_found_later_are_no_growth() -> None:
    """The search takes some at each sample; the number of descriptors stays."""
    held = [leaking(20 + n) for n in range(10)]
    assert [ids(each) for each in watch(9, lambda _: [LISTENER], owners=held.__getitem__)] == (
        [[]] * 10
    )


def test_what_comes_and_goes_is_none() -> None:
    def held(number: int) -> Owners:
        count = 25 + 10 * (number % 2)
        return leaking(count, process=replace(ROOMY, open_fds=300 + number))

    assert [ids(each) for each in watch(9, lambda _: [LISTENER], owners=held)] == [[]] * 10


def test_critical_where_descriptors_run_out() -> None:
    full = replace(ROOMY, open_fds=8000)
    (finding,) = of(once([LISTENER], owners=leaking(60, process=full)), ID)
    assert finding.severity == "critical"
    found = growing(60, 20)
    assert found[2][0].severity == "warning"
    assert found[-1][0].severity == "critical"  # 9,520 more, 20 each second
    assert "run out in 8 min" in found[-1][0].evidence[-1]


@pytest.mark.parametrize(
    ("known", "title", "told", "destination"),
    [
        (
            lost("failed", 60, "10.0.0.9:5672"),
            "curl leaks sockets: 60 failed connects to 10.0.0.9:5672 were never closed",
            "60 were of a connect() that failed: refused or not answered.",
            "10.0.0.9:5672",
        ),
        (
            lost("connected", 40, "10.0.0.9:443") + lost("connected", 20, "[2001:db8::1]:443"),
            "curl leaks sockets: 60 connections to 10.0.0.9:443 are over and were never closed",
            "Connected to, where known: 10.0.0.9:443 (40), [2001:db8::1]:443 (20).",
            "10.0.0.9:443",
        ),
        (
            lost("failed", 60),  # after a blocking connect() nothing is known
            "curl leaks sockets: 60 failed connects were never closed",
            "60 were of a connect() that failed: refused or not answered.",
            None,
        ),
        (
            lost("unused", 25) + lost("connected", 10, "10.0.0.9:443"),
            "curl leaks sockets: 60 that ss does not show were never closed",
            "10 were open connections until a reset or a timeout ended them; 25 were never "
            "connected.",
            "10.0.0.9:443",
        ),
    ],
)
def test_what_they_were(
    known: list[LostSocket], title: str, told: str, destination: str | None
) -> None:
    (finding,) = once([LISTENER], owners=leaking(60, known))
    assert finding.title == title
    assert told in finding.evidence
    assert finding.subject.destination == destination


def test_what_was_shut_down_in_order_was_ended_by_no_error() -> None:
    """Its connections are in TIME-WAIT, and their descriptors are still there."""
    ends = [f"10.0.0.7:{n}" for n in range(5000, 5060)]
    known = [each for end in ends for each in lost("connected", 1, end, 8080)]
    over = [mini("TIME_WAIT", "10.0.0.1:8080", end) for end in ends[:40]]
    (finding,) = once([LISTENER, *over], owners=leaking(60, known))
    assert finding.evidence[1:3] == (
        "60 were open connections until a shutdown() at both ends, a reset or a timeout ended "
        "them.",
        "40 of them are in TIME-WAIT: shut down in order, and not by an error.",
    )
    assert finding.advice.startswith("Call close() in curl too")
    others = [mini("TIME_WAIT", "10.0.0.1:8080", f"10.0.0.8:{n}") for n in range(5000, 5060)]
    (reset,) = once([LISTENER, *others], owners=leaking(60, known))
    assert "60 were open connections until a reset or a timeout ended them." in reset.evidence


def test_those_of_a_server_are_told_by_their_clients() -> None:
    known = lost("connected", 40, "10.0.0.7:5000", 8080) + lost("connected", 20, "10.0.0.8:6", 8080)
    (finding,) = once([LISTENER], owners=leaking(60, known))
    assert (finding.subject.listener, finding.subject.destination) == ("0.0.0.0:8080", None)
    assert finding.title == "curl leaks sockets: 60 connections are over and were never closed"
    assert finding.evidence[2] == (
        "Accepted on 0.0.0.0:8080 (60), where known, from 10.0.0.7 (40), 10.0.0.8 (20)."
    )


def test_a_process_that_holds_nothing_else_is_found_too() -> None:
    held = leaking(60)
    alone = replace(held, inodes=held.inodes[:0], pids=held.pids[:0], fds=held.fds[:0])
    (finding,) = once([LISTENER], owners=alone)
    assert finding.subject.pids == (CURL.pid,)


def test_it_explains_descriptors_that_run_out() -> None:
    full = replace(ROOMY, open_fds=236, fd_limit=256)
    cause, effect = once([LISTENER], owners=leaking(228, process=full))
    assert (cause.id, cause.severity, effect.id) == (ID, "critical", "fd-limit")
    assert effect.because == cause.key
    assert "229 of them are TCP sockets: 1 LISTEN, 228 not shown by ss." in effect.evidence


@pytest.mark.parametrize("more", ["socket-leak", "close-wait-leak"])
def test_close_wait_is_the_same_leak(more: str) -> None:
    rows: list[Row] = [
        socket(
            "CLOSE_WAIT",
            f"10.0.0.1:{n}",
            "10.0.0.9:80",
            inode=n,
            info={"last_ack_recv": 90_000, "last_data_sent": 90_000},
        )
        for n in range(1000, 1060 if more == "close-wait-leak" else 1030)
    ]
    held = owners(
        *((row["inode"], ROOMY, row["inode"]) for row in rows),
        unlisted={ROOMY.pid: Unlisted(55)},
    )
    cause, effect = once(rows, owners=held)
    assert cause.id == more
    assert effect.because == cause.key


def test_thresholds() -> None:
    lower = FindingSettings({ID: {"many": 30}})
    assert ids(once([LISTENER], lower, owners=leaking(30))) == [ID]


def test_a_listener_of_another_namespace_is_not_how_they_came() -> None:
    known = lost("connected", 60, "10.0.0.7:51000", local_port=8080)
    for netns, listener in ((NETNS, "0.0.0.0:8080"), (OTHER_NETNS, None)):
        row = LISTENER | {"netns": netns}
        (finding,) = once([row], owners=leaking(60, known))
        assert finding.subject.listener == listener
