"""retransmission-rate: a share of many segments, through ten seconds, without handshakes."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tcptop.analysis.findings.settings import FindingSettings
from tcptop.model.sample import Kernel
from tests.unit.findings.hosts import host, rising, steadily
from tests.unit.findings.watched import ids, of, watch
from tests.unit.prepared import Row, socket

ID = "retransmission-rate"


def fired(kernel: Callable[[int], tuple[Kernel]], seconds: int = 12) -> list[bool]:
    return [ID in ids(each) for each in watch(seconds, lambda _: [], kernel=kernel)]


def test_it_needs_ten_seconds() -> None:
    assert fired(steadily(OutSegs=1000, RetransSegs=20)) == [False] * 10 + [True] * 3


@pytest.mark.parametrize(
    "counters",
    [
        {"OutSegs": 1000, "RetransSegs": 10},
        {"OutSegs": 100, "RetransSegs": 50},
        {"OutSegs": 1000, "RetransSegs": 30, "TCPSynRetrans": 25},
        {"OutSegs": 1000, "RetransSegs": 30, "TCPDSACKRecv": 25},  # loss probes for nothing
        {"OutSegs": 1000},
        {"RetransSegs": 1000},
    ],
)
def test_not(counters: dict[str, int]) -> None:
    assert not any(fired(steadily(**counters)))


QUIET = {"OutSegs": 15, "RetransSegs": 3}


def losing(number: int, heard_ms: int = 100) -> list[Row]:
    info = {"total_retrans": 5, "last_ack_recv": heard_ms, "min_rtt": 40}
    return [
        socket("ESTABLISHED", f"10.0.0.1:{40000 + n}", "10.0.0.9:80", inode=n + 1, info=info)
        for n in range(number)
    ]


@pytest.mark.parametrize(
    ("rows", "counters", "told"),
    [
        (losing(8), QUIET, True),
        (losing(2), QUIET, False),  # whose share of so few says nothing of the path
        (losing(8, 60_000), QUIET, False),  # gone, not lossy
        (losing(8), {"OutSegs": 30, "RetransSegs": 1}, False),
        (losing(8), {"OutSegs": 4, "RetransSegs": 0.5}, False),
    ],
)
def test_of_few_segments_several_connections_lose_some_and_go_on(
    rows: list[Row], counters: dict[str, float], told: bool
) -> None:
    kernel = rising(lambda n: {name: int(each * n) for name, each in counters.items()})
    found = of(watch(12, lambda _: rows, kernel=kernel)[-1], ID)
    assert [each.severity for each in found] == ["warning"] * told


def test_a_burst_is_none() -> None:
    once_lost = rising(lambda n: {"OutSegs": 1000 * n, "RetransSegs": 300 if n >= 6 else 0})
    assert not any(fired(once_lost, 25))


def test_it_ends_when_the_loss_does() -> None:
    lossy = rising(lambda n: {"OutSegs": 1000 * n, "RetransSegs": 50 * min(n, 15)})
    seen = fired(lossy, 30)
    assert seen[15]
    assert not any(seen[25:])


def test_the_worst_remotes_are_named() -> None:
    def rows(number: int) -> list[Row]:
        return [
            socket(
                "ESTABLISHED",
                f"10.0.0.1:{40000 + n}",
                f"10.0.0.{n}:80",
                inode=n,
                info={"total_retrans": n * number, "rtt": 250},
            )
            for n in (3, 7)
        ]

    found = watch(12, rows, kernel=steadily(OutSegs=100_0, RetransSegs=60))
    (finding,) = found[-1]
    assert finding.severity == "critical"
    assert finding.title == "5.7% of all segments are retransmissions, mostly to 10.0.0.7"
    assert finding.evidence[0].startswith("60 of 1,060 segments/s were retransmissions in")
    assert finding.subject.destination == "10.0.0.7"
    assert finding.evidence[1:] == (
        "10.0.0.7: 7 retransmits/s in that time.",
        "10.0.0.3: 3 retransmits/s in that time.",
    )


def test_the_last_second_is_not_told_as_all() -> None:
    """Two clients alike behind a limit of the path: one has a pause now."""

    def rows(number: int) -> list[Row]:
        made = {3: min(number, 11) * 6, 7: number * 5}
        return [
            socket(
                "ESTABLISHED",
                f"10.0.0.1:{40000 + n}",
                f"10.0.0.{n}:80",
                inode=n,
                info={"total_retrans": again, "rtt": 250},
            )
            for n, again in made.items()
        ]

    (finding,) = watch(12, rows, kernel=steadily(OutSegs=1000, RetransSegs=60))[-1]
    assert finding.title.endswith("spread over 2 remotes")
    assert finding.evidence[1:] == (
        "10.0.0.3: 5.4 retransmits/s in that time.",
        "10.0.0.7: 5 retransmits/s in that time.",
    )


def test_where_none_has_the_most_it_is_spread() -> None:
    def rows(number: int) -> list[Row]:
        info = {"total_retrans": 3 * number, "rtt": 250}
        ends = ((n, f"10.0.0.1:{40000 + n}", f"10.0.0.{n}:80") for n in range(2, 6))
        return [socket("ESTABLISHED", *end, inode=n, info=info) for n, *end in ends]

    (finding,) = watch(12, rows, kernel=steadily(OutSegs=1000, RetransSegs=60))[-1]
    assert finding.title == "5.7% of all segments are retransmissions, spread over 4 remotes"
    assert finding.subject.destination is None
    assert len(finding.evidence) == 4
    (one,) = watch(12, lambda n: rows(n)[:1], kernel=steadily(OutSegs=1000, RetransSegs=60))[-1]
    assert one.title.endswith("are retransmissions, to 10.0.0.2")


@pytest.mark.parametrize(("kept_back", "told"), [(25, True), (3, False), (0, False)])
def test_what_this_host_keeps_back_is_its_own_queue(kept_back: int, told: bool) -> None:
    kernel = steadily(OutSegs=1000, RetransSegs=60, TCPRetransFail=kept_back)
    (finding,) = watch(12, lambda _: [], kernel=kernel)[-1]
    assert ("kept 25 retransmissions/s back (TCPRetransFail)" in " ".join(finding.evidence)) is told
    assert ("tc -s qdisc" in finding.advice) is told


def test_no_more_is_sent_again_than_is_sent() -> None:
    """OutSegs leaves retransmissions out, so that these may be more than that."""
    kernel = rising(lambda n: {"OutSegs": 13 * n, "RetransSegs": 20 * n})
    (finding,) = of(watch(12, lambda _: losing(8), kernel=kernel)[-1], ID)
    assert finding.title.startswith("60.6% of all segments are retransmissions")
    assert finding.values["share"] == pytest.approx(20 / 33)


def test_thresholds() -> None:
    settings = FindingSettings({ID: {"share": 0.1, "window_s": 3, "segments_per_s": 10}})
    kernel = steadily(OutSegs=50, RetransSegs=6)
    found = watch(5, lambda _: [], settings, kernel=kernel)
    assert [ID in ids(each) for each in found] == [False] * 3 + [True] * 3
    assert ID not in ids(watch(5, lambda _: [], settings, kernel=lambda n: host({}))[-1])
