"""close-wait-unread: the end of file is not even read."""

from __future__ import annotations

import pytest

from tcptop.analysis.findings.settings import FindingSettings
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
        "curl does not read: 20 connections in CLOSE_WAIT with an unread end of file"
    )
    assert finding.values["unread_bytes"] == 2000
    assert finding.subject.pids == (CURL.pid,)
    assert finding.since == pytest.approx(TAKEN_AT - 90)


@pytest.mark.parametrize(
    ("more", "advised"),
    [
        ([], "sooner than the server does"),  # curl called: an idle pool
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
