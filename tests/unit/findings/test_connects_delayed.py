"""connects-delayed: connects that are answered at their second SYN."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tcptop.model.finding import Finding
from tcptop.model.sample import Deaths, Kernel
from tests.unit.findings.hosts import host
from tests.unit.findings.watched import of, watch
from tests.unit.prepared import CURL, NETNS, TAKEN_AT, Row, owners, socket, table

ID = "connects-delayed"
TO, OTHER = "10.0.0.9:443", "10.0.0.8:80"
SECONDS = 8
ECN = {"net.ipv4.tcp_ecn": "1"}


def opened(number: int, to: str = TO, again: int = 1, **info: int) -> Row:
    """One of which so many SYNs were sent again; a request and its answer, both FINs."""
    told = {"min_rtt": 300, "rtt": 400, "total_retrans": again, "bytes_retrans": 0}
    told |= {"segs_out": 5 + again, "segs_in": 4, "data_segs_out": 1, "data_segs_in": 1}
    told |= {"bytes_sent": 100, "bytes_acked": 102, "bytes_received": 10}
    row = socket("ESTABLISHED", f"10.0.0.1:{20_000 + number}", to, info={**told, **info})
    return row | {"cookie": number, "inode": number}


def kernels(
    again: int, sysctls: Mapping[str, str] | None = None, **more: int
) -> Callable[[int], tuple[Kernel]]:
    def made(number: int) -> tuple[Kernel]:
        total = {"TCPSynRetrans": again, "OutRsts": 0, "ActiveOpens": 4, **more}
        (one,) = host({name: each * number for name, each in total.items()}, {}, sysctls)
        return (replace(one, sysctls=dict(sysctls or {})),)

    return made


def found(
    over: Callable[[int], Sequence[Row]],
    again: int = 2,
    sysctls: Mapping[str, str] | None = None,
    now: Callable[[int], Sequence[Row]] = lambda _: [],
    **more: int,
) -> tuple[Finding, ...]:
    """`over` are those that have ended before each sample; each was in SYN-SENT at the one before,
    for which its holder is known."""

    def deaths(number: int) -> tuple[Deaths]:
        rows = [{**row, "state": "CLOSE"} for row in over(number)] if number else []
        return (Deaths(NETNS, table(rows), np.full(len(rows), TAKEN_AT + number - 0.1)),)

    def rows(number: int) -> list[Row]:
        soon = [_asking(row) for row in over(number + 1)]
        return [*soon, *now(number)]

    held = owners(*((n, CURL, 3) for n in range(1, 200)))
    kernel = kernels(again, sysctls, **more)
    every = watch(SECONDS, rows, kernel=kernel, deaths=deaths, owners=held)
    return of(every[-1], ID)


def _asking(row: Row) -> Row:
    timer: dict[str, Any] = {"timer": 1, "expires": 500, "send_q": 1}
    return {**row, **timer, "state": "SYN_SENT", "info": {"rto": 1_000_000}}


def two(number: int) -> list[Row]:
    """Each second; the one of every other destination is answered at once."""
    return [opened(10 * number), opened(10 * number + 1), opened(10 * number + 2, OTHER, 0)]


def test_each_first_syn_is_lost() -> None:
    (finding,) = found(two)
    assert finding.severity == "warning"
    assert finding.title == (
        f"All 14 connects of curl to {TO} took a second longer, or more: the first SYN got no "
        "answer"
    )
    first, others, who = finding.evidence
    assert "retransmitted their SYN, 1 time at most, and nothing else" in first
    assert others == "So did 0 of 7 connections to other places."
    assert who.startswith("They belong to curl")
    assert finding.subject.destination == TO
    assert finding.subject.pids == (CURL.pid,)
    assert dict(finding.values) == {"delayed": 14, "opened": 14, "first_data_only": 0}
    assert "floods" in finding.advice
    assert "tcp_ecn" not in finding.advice


def test_those_that_ask_for_ecn() -> None:
    (finding,) = found(two, sysctls=ECN)
    assert any("net.ipv4.tcp_ecn = 1" in each for each in finding.evidence)
    assert "tcp_ecn=2" in finding.advice
    granted = found(two, sysctls={"net.ipv4.tcp_ecn": "2"})
    assert "tcp_ecn" not in granted[0].advice
    twice = found(lambda number: [opened(number, again=2)], sysctls=ECN)
    assert "tcp_ecn" not in twice[0].advice  # the second SYN did not ask, and was lost too


def test_one_of_ten() -> None:
    """A queue that is full at times, one of several links."""
    (finding,) = found(lambda n: [opened(20 * n), *(opened(20 * n + k, again=0) for k in range(9))])
    assert finding.title.startswith(f"7 of 70 connects of curl to {TO} took a second longer")
    assert "accept queue that is full at times" in finding.advice


def test_an_old_connection_answers_first() -> None:
    (finding,) = found(two, OutRsts=2)
    assert any("This host sent 16 resets meanwhile" in each for each in finding.evidence)
    assert finding.advice.startswith("Look at what answers first: the other end apparently still")
    assert not any("fits no connection" in each for each in finding.evidence)  # it is dialed anew


def test_connections_that_stay_open_count_too() -> None:
    """A pool that is filled bit by bit."""

    def pool(number: int) -> list[Row]:
        waiting = [_asking(opened(number + 1))]
        return [*(opened(n) for n in range(1, number + 1)), *waiting]

    (finding,) = found(lambda _: [], now=pool)
    assert finding.values["delayed"] == 7  # the first look had one that waited
    (finding,) = found(lambda n: [opened(100 + n)], now=pool)
    assert any(each.startswith("They belong to curl") for each in finding.evidence)
    assert not any("curl (pid 200) and" in each for each in finding.evidence)


@pytest.mark.parametrize(
    "over",
    [
        lambda n: [opened(n, again=0)],
        lambda n: [opened(n, bytes_retrans=1448)],  # data was lost, and maybe nothing else
        lambda n: [opened(n, min_rtt=1_200_000)],  # the first SYN was answered, and late
        lambda n: [opened(10 * n + k) for k in range(6) if n == 5],  # a queue that was full once
        lambda n: [opened(n, again=int(n % 2 > 0))] if n < 8 else [],  # too few
        lambda n: [opened(50 * n + k, again=int(k == 0)) for k in range(30)],  # as ways lose
    ],
)
def test_healthy_connects(over: Callable[[int], Sequence[Row]]) -> None:
    assert not found(over)


def test_fins_that_are_sent_again_are_no_syns() -> None:
    assert found(two, again=2)
    assert not found(two, again=1)


def test_connections_that_began_long_ago_are_not_asked() -> None:
    """The pool of a program that ends."""
    old = [opened(n) for n in range(1, 31)]

    def over(number: int) -> list[Row]:
        return old[3 * number : 3 * number + 3]

    def now(number: int) -> list[Row]:
        return old[3 * number + 3 :]

    def deaths(number: int) -> tuple[Deaths]:
        rows = [{**row, "state": "CLOSE"} for row in over(number)] if number else []
        return (Deaths(NETNS, table(rows), np.full(len(rows), TAKEN_AT + number - 0.1)),)

    every = watch(SECONDS, now, kernel=kernels(2), deaths=deaths)
    assert not of(every[-1], ID)


def repeating(number: int, times: int, sent: int = 100) -> Row:
    """Its SYN was answered at once; so many times a segment of 100 bytes was sent again."""
    again = 100 * times
    return opened(number, TO, times, bytes_retrans=again, bytes_sent=sent + again, snd_mss=1448)


def with_repeats(sent: int, times: Sequence[int] = (1, 2)) -> Callable[[int], Sequence[Row]]:
    return lambda n: [
        *(opened(20 * n + k, again=k % 2) for k in range(4)),
        *(repeating(20 * n + 4 + k, many, sent) for k, many in enumerate(times)),
    ]


@pytest.mark.parametrize(
    ("over", "first_only"),
    [
        (with_repeats(100), True),
        (with_repeats(20_000), False),  # in mid-stream, as ways lose
        (lambda n: [*with_repeats(100)(n), repeating(20 * n + 9, 1, 20_000)], False),
        (with_repeats(100, (1, 1, 1)), False),  # each once: a way that loses, and short requests
        (with_repeats(100, ()), False),
    ],
)
def test_a_full_queue_repeats_first_data(
    over: Callable[[int], Sequence[Row]], first_only: bool
) -> None:
    """It ignores the final ACK and what follows it, until it has room."""
    (finding,) = found(over)
    assert finding.values["first_data_only"] == first_only
    assert finding.advice.startswith(f"The accept queue of {TO}") == first_only
    assert any("the first of a connection" in each for each in finding.evidence) == first_only


def test_what_began_before_the_watch_is_none_of_it() -> None:
    """Of a connection without data its clocks tell since when it was open."""
    mute = {"data_segs_out": 0, "data_segs_in": 0, "bytes_sent": 0, "bytes_acked": 2}
    mute |= {"bytes_received": 0, "last_data_sent": 3500, "last_data_recv": 3500}
    old = opened(7, TO, 1, **mute)
    (finding,) = found(lambda number: [*two(number), *[old] * (number == 2)])
    assert dict(finding.values)["opened"] == 14
