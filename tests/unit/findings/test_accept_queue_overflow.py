"""accept-queue-overflow: drops of a full accept queue, or a queue that stays full."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from tcptop.analysis.findings.settings import FindingSettings
from tests.unit.findings.counting import counters
from tests.unit.findings.watched import Findings, of, once, watch
from tests.unit.prepared import NGINX, WORKER, Row, owners, socket

ID = "accept-queue-overflow"
HELD = owners((1, NGINX, 6), (1, WORKER, 6), (2, WORKER, 7))
OVERFLOWS = {"ListenOverflows": 42, "ListenDrops": 42, "TCPDeferAcceptDrop": 0}
QUIET = dict.fromkeys(OVERFLOWS, 0)
Rows = Callable[[int], Sequence[Row]]


def listener(queued: int, backlog: int = 128, drops: int | None = 0, **columns: Any) -> Row:
    memory: Row = {"memory": {"drops": drops or 0}, "memory_count": 8 if drops is None else 9}
    given: Row = {"recv_q": queued, "send_q": backlog, "inode": 1, "cookie": 7} | memory | columns
    return socket("LISTEN", str(given.pop("local", "0.0.0.0:8080")), **given)


def waiting(count: int, waited_s: float) -> list[Row]:
    info = {"last_data_sent": int(waited_s * 1000)}
    return [
        socket("ESTABLISHED", "10.0.0.1:8080", f"10.0.0.7:{51000 + n}", cookie=100 + n, info=info)
        for n in range(count)
    ]


def dropping(number: int, queued: int = 129, **columns: Any) -> list[Row]:
    return [listener(queued, drops=500 + 42 * number, **columns)]


def seen(
    rows: Rows, per_s: Mapping[str, float] | None = None, seconds: int = 4, **more: Any
) -> list[Findings]:
    found = watch(seconds, rows, kernel=counters(per_s or QUIET), owners=HELD, **more)
    return [of(each, ID) for each in found]


def test_drops_are_told_with_who_and_where() -> None:
    rows = [*waiting(129, 14.0)]
    found = seen(lambda n: [*dropping(n), *rows], OVERFLOWS, seconds=1)
    (finding,) = found[-1]
    assert finding.severity == "critical"
    assert finding.title == (
        "nginx on :8080 is too slow to accept: 42 SYNs/s dropped (retries included)"
    )
    assert finding.subject.listener == "0.0.0.0:8080"
    assert finding.subject.pids == (NGINX.pid, WORKER.pid)
    assert finding.subject.cookies[0] == 7
    assert len(finding.subject.cookies) == 130
    said = " ".join(finding.evidence)
    assert "129 connections wait for accept() on 0.0.0.0:8080, where 129 fit" in said
    assert "nginx (pid 101, nginx.service)" in said
    assert "waited for at least 15 s" in said or "waited for at least 14 s" in said
    assert "capped by net.core.somaxconn = 128" in said
    assert "net.core.somaxconn=512 (now 128)" in finding.advice
    assert "sport = :8080" in finding.confirm


def test_drops_count_where_the_queue_has_just_been_drained() -> None:
    assert seen(lambda n: dropping(n, queued=3), OVERFLOWS)[1]


@pytest.mark.parametrize(
    ("rows", "per_s"),
    [
        # Bare ACKs under TCP_DEFER_ACCEPT, and nothing else.
        (lambda n: dropping(n, queued=3), QUIET | {"TCPDeferAcceptDrop": 42}),
        # The same, while another listener overflows.
        (
            lambda n: [
                *dropping(n, queued=3, cookie=8, local="0.0.0.0:81"),
                *dropping(n, backlog=1, queued=2, local="0.0.0.0:82"),
            ],
            OVERFLOWS | {"TCPDeferAcceptDrop": 42},
        ),
        # SYNs that met a full SYN queue without cookies.
        (lambda n: dropping(n, queued=3), QUIET | {"ListenDrops": 42}),
    ],
)
def test_other_drops_are_not_of_a_full_queue(rows: Rows, per_s: Mapping[str, float]) -> None:
    found = seen(rows, per_s)
    assert [f.subject.listener for each in found for f in each if ":82" not in f.title] == []


def test_a_packet_that_is_counted_twice_is_one() -> None:
    """The last ACK of a handshake raises the listener's own counter twice."""
    found = seen(lambda n: dropping(n), OVERFLOWS | {"ListenOverflows": 21, "ListenDrops": 21})
    assert "21 SYNs/s" in found[2][0].title


def test_full_for_a_second_without_a_drop() -> None:
    found = seen(lambda n: [listener(129), *waiting(129, 5 + n)])
    assert [bool(each) for each in found] == [False, True, True, True, True]
    assert found[1][0].title == (
        "nginx on :8080 is too slow to accept: its queue is full (129 of 129)"
    )
    assert "dropped" not in " ".join(found[1][0].evidence), "nothing was"


def test_full_in_every_sample() -> None:
    found = seen(lambda n: [listener(129 - n % 2 * 60), *waiting(69, 5)], seconds=6)
    assert not any(found)


def test_a_queue_that_is_full_of_others_each_time_moves() -> None:
    def rows(number: int) -> list[Row]:
        fresh = waiting(9, 0.02)
        for place, row in enumerate(fresh):
            row["cookie"] = 1000 * number + place
        return [listener(6, 5), *fresh]

    assert not any(seen(rows, seconds=6))


@pytest.mark.parametrize(("queued", "backlog"), [(1, 0), (2, 1)])
def test_a_tiny_queue_may_be_full(queued: int, backlog: int) -> None:
    assert not any(seen(lambda _: [listener(queued, backlog), *waiting(queued, 30)], seconds=5))
    assert seen(lambda n: dropping(n, queued, backlog=backlog), OVERFLOWS)[1]
    old = [listener(queued, backlog, drops=9), *waiting(queued, 0.1)]
    assert of(once(old, owners=HELD), ID) == ()


def test_a_tiny_queue_that_stands_still_is_stuck_between_the_retries_too() -> None:
    rows = [listener(1, 0, drops=9), *waiting(1, 30)]
    assert of(once(rows, owners=HELD), ID)
    assert all(seen(lambda _: rows, seconds=8))


@pytest.mark.parametrize(
    ("queued", "drops", "fires"),
    [(129, 5, True), (129, 0, False), (128, 5, False), (0, 5, False), (129, None, False)],
)
def test_one_look(queued: int, drops: int | None, fires: bool) -> None:
    found = of(once([listener(queued, drops=drops)], owners=HELD), ID)
    assert bool(found) == fires


def test_it_ends_though_the_counter_stays() -> None:
    found = seen(lambda n: dropping(min(n, 3), queued=129 if n < 4 else 0), OVERFLOWS, seconds=8)
    assert [bool(each) for each in found] == [True] * 7 + [False] * 2


def test_a_burst_that_drains_is_silent() -> None:
    found = seen(lambda n: [listener(129 if n == 2 else 0), *waiting(5, 0.5)], seconds=6)
    assert not any(found)


def test_nearly_full_is_a_warning() -> None:
    found = seen(lambda _: [listener(104)])
    assert [bool(each) for each in found] == [False, False, True, True, True]
    assert found[2][0].severity == "warning"
    assert found[2][0].title == (
        "nginx on :8080 is slow to accept: its queue is 81% full (104 of 129)"
    )


@pytest.mark.parametrize("row", [listener(103), listener(6, 6)])
def test_less_is_none(row: Row) -> None:
    assert not any(seen(lambda _: [row], seconds=6))


def test_a_queue_that_is_long_for_two_samples_is_silent() -> None:
    assert not any(seen(lambda n: [listener(110 if n in (2, 3) else 0)], seconds=6))


def test_members_of_a_group_are_told_apart() -> None:
    def rows(number: int) -> list[Row]:
        full = dropping(number)
        return [*full, *(listener(2, cookie=20 + n, inode=2) for n in range(3))]

    (finding,) = seen(rows, OVERFLOWS)[1]
    said = " ".join(finding.evidence)
    assert "1 of 4 sockets that share the port (SO_REUSEPORT) is affected" in said
    assert "the others have room" in said
    assert len(finding.subject.cookies) == 1


def test_ipv6_and_unknown_owners() -> None:
    rows = lambda n: dropping(n, local="[2001:db8::1]:443", inode=55)  # noqa: E731
    (finding,) = seen(rows, OVERFLOWS)[1]
    assert finding.title.startswith("the server on [2001:db8::1]:443 is too slow to accept")
    assert finding.subject.pids == ()


def test_where_no_counter_can_be_read_the_queue_tells() -> None:
    found = watch(1, lambda n: dropping(n), kernel=(), owners=HELD)
    assert "42 SYNs/s" in of(found[1], ID)[0].title
    found = watch(1, lambda n: dropping(n, queued=90), kernel=(), owners=HELD)
    assert of(found[1], ID) == ()


def test_before_4_7_a_listener_has_no_counter() -> None:
    def rows(number: int) -> list[Row]:
        return [listener(129, drops=None)]

    assert "42 SYNs/s" in seen(rows, OVERFLOWS)[1][0].title


def test_proc_net_tcp_knows_no_backlog() -> None:
    found = seen(lambda n: dropping(n, backlog=0), OVERFLOWS, source="procfs")
    assert not any(found)


def test_thresholds() -> None:
    chosen = FindingSettings(
        limits={ID: {"share": 0.5, "samples": 2, "warn_capacity": 4, "full_s": 3}}
    )
    rows: Rows = lambda _: [listener(2, 3)]  # noqa: E731
    assert [bool(each) for each in seen(rows, settings=chosen)] == [False, True, True, True, True]
    full: Rows = lambda _: [listener(4, 3)]  # noqa: E731
    severities = [each[0].severity for each in seen(full, settings=chosen)[1:]]
    assert severities == ["warning", "warning", "critical", "critical"]


def test_a_stopped_server_of_few_clients_is_told_as_info() -> None:
    def after(waited_s: float) -> Findings:
        return of(once([listener(3), *waiting(3, waited_s)], owners=HELD), ID)

    assert after(9) == ()
    (finding,) = after(14)
    assert finding.severity == "info"
    assert (
        finding.title == "nginx on :8080 is slow to accept: 3 connections wait, the oldest for 14 s"
    )


def test_nothing_accepted_is_an_outage_however_much_room_there_is() -> None:
    def rows(number: int) -> list[Row]:
        return [listener(5, 4096), *waiting(5, 8.0 + number)]

    severities = [[each.severity for each in found] for found in seen(rows, seconds=5)]
    assert severities == [[], [], ["info"], ["critical"], ["critical"], ["critical"]]
    (finding,) = seen(rows, seconds=5)[-1]
    assert (
        finding.title == "nginx on :8080 is not accepting: 5 connections wait, the oldest for 13 s"
    )
    assert "None of them has been accepted" in " ".join(finding.evidence)
    assert "listen()" not in finding.advice


def test_many_that_wait_for_long_are_harmed_though_some_are_accepted() -> None:
    """The queue moves: each second one goes, and one comes."""

    def rows(number: int) -> list[Row]:
        every = [*waiting(22, 26.0 + number), *waiting(number, 0.4)]
        for place, row in enumerate(every):
            row["cookie"] = 100 + place
        return [listener(22, 1024), *every[number:]]

    severities = [[each.severity for each in found] for found in seen(rows, seconds=5)]
    assert severities == [["critical"]] * 6
    (finding,) = seen(rows, seconds=5)[-1]
    assert finding.title == (
        "nginx on :8080 is too slow to accept: 22 connections wait, the oldest for 31 s"
    )
    few = of(once([listener(9), *waiting(9, 26.0)], owners=HELD), ID)
    assert [each.severity for each in few] == ["info"]


def test_a_queue_that_moves_is_none_though_it_stays_as_long() -> None:
    def rows(number: int) -> list[Row]:
        fresh = waiting(5, 0.4)
        for place, row in enumerate(fresh):
            row["cookie"] = 1000 * (number + 1) + place
        return [listener(5, 4096), *fresh]

    assert not any(seen(rows, seconds=6))


def test_clients_that_gave_up_are_harm() -> None:
    def rows(count: int, waited_s: float) -> list[Row]:
        return [
            listener(count, 4096),
            *(row | {"state": "CLOSE_WAIT"} for row in waiting(count, waited_s)),
        ]

    assert of(once(rows(3, 0.5), owners=HELD), ID) == ()
    assert of(once(rows(2, 2.0), owners=HELD), ID) == ()
    (finding,) = of(once(rows(3, 2.0), owners=HELD), ID)
    assert finding.severity == "critical"
    assert finding.title == (
        "nginx on :8080 is too slow to accept: 3 connections wait, 3 clients have given up"
    )
    assert finding.values["given_up"] == 3


def test_a_burst_is_not_a_slow_process() -> None:
    (finding,) = seen(lambda n: dropping(n, queued=3), OVERFLOWS)[2]
    assert finding.title == (
        "nginx on :8080 gets bursts longer than its backlog: 42 SYNs/s dropped (retries included)"
    )
    assert finding.advice.startswith("Give it a larger backlog: ")


@pytest.mark.parametrize("deferred", [False, True])
def test_what_it_has_dropped_is_not_told_where_bare_acks_are_among_it(deferred: bool) -> None:
    names = ["ListenOverflows", "ListenDrops", *(["TCPDeferAcceptDrop"] if deferred else [])]
    rows = [listener(129, drops=500), *waiting(129, 14)]
    found = watch(4, lambda _: rows, kernel=counters(dict.fromkeys(names, 0)), owners=HELD)
    (finding,) = of(found[-1], ID)
    told = "It has dropped 500 packets since it started listening." in finding.evidence
    assert told is not deferred
