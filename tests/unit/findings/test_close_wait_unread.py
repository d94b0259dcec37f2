"""close-wait-unread: the end of file is not even read."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tcptop.analysis.findings.settings import FindingSettings
from tcptop.model.finding import Finding
from tcptop.model.sample import Owners
from tests.unit.findings.watched import ids, of, once, watch
from tests.unit.prepared import CURL, TAKEN_AT, Row, owners, socket

ID = "close-wait-unread"
HELD = owners(*((n, CURL, n) for n in range(1000, 1030)))


def stuck(count: int, heard_s: float = 90, **columns: object) -> list[Row]:
    columns = {
        "recv_q": 1,
        "info": {"last_ack_recv": int(heard_s * 1000), "last_data_sent": 900_000},
    } | columns
    return [
        socket("CLOSE_WAIT", f"10.0.0.1:{n}", "10.0.0.9:80", **{"inode": n} | columns)
        for n in range(1000, 1000 + count)
    ]


def test_one_look_is_enough_where_the_kernel_says_how_long() -> None:
    (finding,) = once(stuck(20, recv_q=101), owners=HELD)
    assert (finding.id, finding.severity) == (ID, "warning")
    assert finding.title == (
        "curl does not read: 20 connections to 10.0.0.9:80 in CLOSE-WAIT with an unread end of file"
    )
    assert finding.values["unread_bytes"] == 2000
    assert finding.subject.pids == (CURL.pid,)
    assert finding.since == pytest.approx(TAKEN_AT - 90)


POOLED = {"last_ack_recv": 90_000, "last_data_sent": 200_000, "last_data_recv": 199_990}


@pytest.mark.parametrize(
    ("given", "pool"),
    [
        ({}, True),
        ({"recv_q": 32}, True),  # an alert of TLS before the FIN
        ({"recv_q": 5000}, False),
        ({"send_q": 9}, False),
        ({"last_data_recv": 201_000}, False),  # the last request was not answered
        ({"bytes_received": 1, "bytes_acked": 1}, True),  # it was never used
        ({"bytes_received": 1}, False),  # its only request was not answered
    ],
)
def test_an_idle_pool_whose_server_closed_first(given: dict[str, int], pool: bool) -> None:
    told = dict(given)
    recv_q, send_q = told.pop("recv_q", 1), told.pop("send_q", 0)
    info = POOLED | {"bytes_received": 6000, "bytes_acked": 300} | told
    rows = stuck(20, recv_q=recv_q, send_q=send_q, info=info)
    (finding,) = of(once(rows, owners=HELD), ID)
    assert finding.severity == "warning"
    assert finding.subject.destination == "10.0.0.9:80"
    assert ("does not read" in finding.title) is not pool
    assert ("sooner than 10.0.0.9:80 closes them" in finding.advice) is pool
    if pool:
        assert finding.title == "10.0.0.9:80 has closed 20 idle connections that curl still keeps"
        assert "workers" not in finding.advice


@pytest.mark.parametrize(
    ("remote", "heard_ms", "severity"),
    [
        ("10.0.0.9:80", 4000, "info"),
        ("10.0.0.9:80", 95_000, "warning"),  # before the server closed those
        ("10.0.0.8:80", 4000, "warning"),  # another server
    ],
)
def test_a_pool_that_uses_others_meanwhile(remote: str, heard_ms: int, severity: str) -> None:
    info = POOLED | {"bytes_received": 6000, "bytes_acked": 300}
    used = info | {"last_data_recv": heard_ms, "last_data_sent": heard_ms}
    other = socket("ESTABLISHED", "10.0.0.1:1020", remote, inode=1020, info=used)
    (finding,) = of(once([*stuck(20, info=info), other], owners=HELD), ID)
    assert finding.severity == severity
    said = "Data has come on 1 other connection of it to that server since"
    assert any(said in each for each in finding.evidence) is (severity == "info")
    assert "fails" not in finding.advice.replace("nothing fails", "")


def test_those_of_clients_are_no_pool() -> None:
    listener = socket("LISTEN", "0.0.0.0:80", inode=7, send_q=128)
    rows = [
        row | {"local": "10.0.0.1:80", "remote": f"10.0.0.7:{5000 + n}"}
        for n, row in enumerate(stuck(20, info=POOLED | {"bytes_received": 6000}))
    ]
    (finding,) = of(once([listener, *rows], owners=HELD), ID)
    assert finding.title == (
        "curl does not read: 20 connections from clients of :80 in CLOSE-WAIT with an unread end "
        "of file"
    )
    assert "event loop" in finding.advice


def test_critical_when_the_descriptors_run_out() -> None:
    full = replace(CURL, open_fds=205)
    held = owners(*((n, full, n) for n in range(1000, 1030)))
    (finding,) = of(once(stuck(30), owners=held), ID)
    assert finding.severity == "critical"


@pytest.mark.parametrize(
    ("more", "advised"),
    [
        ([], "sooner than 10.0.0.9:80 closes them"),  # curl called: an idle pool
        ([socket("LISTEN", "0.0.0.0:8080")], "a stack or thread dump"),  # curl was called
    ],
)
def test_a_pool_of_ours_is_told_from_clients_of_ours(more: list[Row], advised: str) -> None:
    served = [
        row | {"local": "10.0.0.1:8080", "remote": f"10.0.0.9:{number}"}
        for number, row in enumerate(stuck(20), 1000)
    ]
    (finding,) = of(once([*(served if more else stuck(20)), *more], owners=HELD), ID)
    assert advised in finding.advice


@pytest.mark.parametrize(
    "rows",
    [
        stuck(19),
        stuck(30, heard_s=59),
        stuck(30, inode=0),
        stuck(30, recv_q=0),
        stuck(30, ulp=b"mptcp"),
    ],
)
def test_guards(rows: list[Row]) -> None:
    assert ID not in ids(once(rows, owners=HELD))


def test_watching_and_thresholds() -> None:
    lower = FindingSettings({ID: {"sockets": 3, "age_s": 5}})
    found = watch(6, lambda _: stuck(3, heard_s=0), lower, owners=HELD)
    assert [ID in ids(each) for each in found] == [False] * 5 + [True] * 2


def read_in_part(number: int, recv_q: int = 80) -> list[Row]:
    """Sixteen more each second, and some that are open still."""
    info = {"bytes_received": 180, "last_ack_recv": 1000, "last_data_sent": 900_000}
    closed = [
        socket("CLOSE_WAIT", f"10.0.0.1:{n}", "10.0.0.9:80", inode=n, recv_q=recv_q, info=info)
        for n in range(1000, 1016 + 16 * number)
    ]
    return [*closed, *(socket("ESTABLISHED", f"10.0.0.1:{n}", "10.0.0.9:80") for n in (900, 901))]


def grown(recv_q: int = 80, per_s: int = 16, seconds: int = 7) -> tuple[Finding, ...]:
    def held(number: int) -> Owners:
        process = replace(CURL, open_fds=20 + per_s * number, fd_limit=4096)
        return owners(*((n, process, n) for n in range(1000, 1016 + 16 * number)))

    return watch(seconds, lambda n: read_in_part(n, recv_q), owners=held)[-1]


def test_responses_that_are_read_in_part_are_a_leak_where_they_grow() -> None:
    (finding,) = grown()
    assert (finding.id, finding.severity) == (ID, "critical")  # soon there are no descriptors left
    assert finding.title == (
        "curl leaks sockets: 128 connections to 10.0.0.9:80 left in CLOSE-WAIT, read in part"
    )
    assert "they grow by 16/s, and never became fewer" in " ".join(finding.evidence)
    assert finding.values["unread_bytes"] == 128 * 79
    assert "neither read to their end nor closed" in finding.advice
    assert grown(seconds=4) == ()


def test_a_pool_that_its_server_closes_one_by_one_is_no_leak() -> None:
    assert grown(per_s=0) == ()
    assert grown(recv_q=32, per_s=0) == ()  # with an alert of TLS each


def test_what_is_answered_and_never_closed_is_a_leak_too() -> None:
    (finding,) = grown(recv_q=1)
    assert finding.title.endswith("left in CLOSE-WAIT, their end unread")


def test_a_server_that_gives_back_no_descriptor_leaks() -> None:
    """It has none left, so that they grow no more."""
    listener = socket("LISTEN", "0.0.0.0:80", inode=7, send_q=128)
    full = replace(CURL, open_fds=40, fd_limit=40)
    held = owners((7, full, 3), *((n, full, n) for n in range(1000, 1030)))

    def served(**clocks: int) -> tuple[Finding, ...]:
        info = {"bytes_received": 2, "last_ack_recv": 6000, **clocks}
        rows = [
            row | {"local": "10.0.0.1:80", "remote": f"10.0.0.7:{5000 + n}"}
            for n, row in enumerate(stuck(30, info=info))
        ]
        return of(once([listener, *rows], owners=held), ID)

    (finding,) = served(last_data_sent=6000, last_data_recv=6000)
    assert finding.title == (
        "curl leaks sockets: 30 connections from clients of :80 left in CLOSE-WAIT, their end "
        "unread"
    )
    assert "handler" in finding.advice
    (finding,) = served(last_data_sent=9000, last_data_recv=6000)  # not answered
    assert "does not read" in finding.title
    assert not served(last_data_sent=4000, last_data_recv=4000)  # a moment ago


@pytest.mark.parametrize(
    ("came", "sent", "leaks"), [(80, 0, False), (180, 0, False), (180, 2, True)]
)
def test_a_server_whose_clients_leave_with_their_requests_unread_leaks_nothing(
    came: int, sent: int, leaks: bool
) -> None:
    """One that collects garbage takes some now and then; of a connection on which nothing was ever
    sent, the clocks of both ways began together."""
    listener = socket("LISTEN", "0.0.0.0:80", inode=7, send_q=128)

    def held(number: int) -> Owners:
        process = replace(CURL, open_fds=20 + 4 * number, fd_limit=20_000)
        mine = ((n, process, n) for n in range(1000, 1030 + 4 * number))
        return owners((7, process, 3), *mine)

    def rows(number: int) -> list[Row]:
        info = {"bytes_received": came, "data_segs_out": sent, "last_ack_recv": 1000}
        ends = ((f"10.0.0.7:{n}", n) for n in range(1000, 1030 + 4 * number))
        closed = (
            socket("CLOSE_WAIT", "10.0.0.1:80", remote, inode=n, recv_q=80, info=info)
            for remote, n in ends
        )
        return [listener, *closed]

    (finding,) = of(watch(7, rows, owners=held)[-1], ID)
    assert ("leaks" in finding.title, "read in part" in finding.title) == (leaks, leaks)
