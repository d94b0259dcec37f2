"""Verdicts: one clause for each socket that is in trouble, none for the others."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tcptop.analysis.verdicts import verdicts
from tcptop.model.sample import Sample
from tcptop.model.snapshot import Snapshot
from tcptop.model.socket_id import SocketId
from tcptop.model.sockopt import SocketOptions
from tests.unit.findings.watched import at
from tests.unit.prepared import CURL, NETNS, Row, derived, everything, kernel, mini, owners, socket

HELD = owners((1, CURL, 3))
SYSCTLS = {"net.ipv4.tcp_retries2": "15", "net.ipv4.tcp_keepalive_probes": "9"}
LOCAL, REMOTE = "10.0.0.1:40001", "10.0.0.9:443"
LONG = 60  # cells in which a clause should fit, with some grace
MINUTE = 60_000


def open_(state: str = "ESTABLISHED", **columns: Any) -> Row:
    """A socket on which something happened just now."""
    info = {"rto": 204_000, "last_data_sent": 5, "last_data_recv": 5, "last_ack_recv": 5}
    info |= {"snd_mss": 1448, "snd_wnd": 60_000} | columns.pop("info", {})
    row = socket(state, LOCAL, REMOTE, inode=1, cookie=7, info=info)
    return row | columns


def idle(milliseconds: int, **columns: Any) -> Row:
    names = ("last_data_sent", "last_data_recv", "last_ack_recv")
    return open_(**{"info": dict.fromkeys(names, milliseconds)} | columns)


def watched(seconds: int, rows: Callable[[int], Sequence[Row]], **fields: Any) -> Snapshot:
    given = {"owners": HELD, "kernel": (kernel(sysctls=SYSCTLS),)} | fields
    return derived(*(at(number, rows(number), **given) for number in range(seconds + 1)))


def said(snapshot: Snapshot) -> list[str | None]:
    return verdicts(snapshot, np.arange(len(snapshot.sample.sockets)))


def of(*rows: Row, seconds: int = 0) -> str | None:
    """What is said of the first row."""
    return said(watched(seconds, lambda _: rows))[0]


PROBING = {"rto": 200_000, "snd_wnd": 0, "last_data_sent": 9000, "last_ack_recv": 500}
FROM_ONE_LOOK = {
    "accept queue full: 6 of 6": socket("LISTEN", "0.0.0.0:80", recv_q=6, send_q=5, inode=1),
    "SYN unanswered, 3 retries": open_("SYN_SENT", retrans=3, timer=1, send_q=1),
    "half-open, SYN-ACK retransmitted 2 times": mini("SYN_RECV", LOCAL, REMOTE, retrans=2),
    "peer's window is zero for 6.7 s: it does not read": open_(
        timer=4, send_q=9000, expires=5900, info=PROBING | {"backoff": 5}
    ),
    "probing a closed window for 7.4 s, kernel gives up in about 23 min": open_(
        timer=4,
        send_q=9000,
        expires=11_800,
        info=PROBING | {"backoff": 6, "probes": 2, "last_ack_recv": 20_000},
    ),
    "retransmitting for 4.1 s, kernel gives up in about 15 min": open_(
        timer=1,
        send_q=700,
        expires=2264,
        info={"rto": 3_264_000, "backoff": 4, "last_ack_recv": 9000},
    ),
    "closing, retransmitting for 4.1 s: no answer": open_(
        "LAST_ACK",
        timer=1,
        send_q=1,
        inode=0,
        expires=2264,
        info={"rto": 3_264_000, "backoff": 4, "last_ack_recv": 9000},
    ),
    "keepalive probe 3 of 9 unanswered": open_(timer=2, retrans=3),
    "peer closed 3 min ago, the process has not": idle(3 * MINUTE, state="CLOSE_WAIT"),
    "closed our side 3 min ago, the peer has not": idle(3 * MINUTE, state="FIN_WAIT2"),
    "no keepalive, idle 21 min: a 350 s load balancer would drop it": idle(21 * MINUTE),
}


@pytest.mark.parametrize("clause", FROM_ONE_LOOK)
def test_from_one_look(clause: str) -> None:
    assert of(FROM_ONE_LOOK[clause]) == clause


@pytest.mark.parametrize("clause", FROM_ONE_LOOK)
def test_a_clause_is_short(clause: str) -> None:
    assert len(clause) <= LONG * 1.1


@pytest.mark.parametrize(
    "row",
    [
        open_(),
        open_(recv_q=4000),
        open_(send_q=4000, timer=1, expires=204),
        open_(send_q=4000, timer=1, info={"backoff": 1, "last_ack_recv": 300}),
        open_(send_q=9000, timer=4, info=PROBING | {"backoff": 3}),
        open_(timer=2, retrans=1),  # a probe is on its way
        open_("CLOSE_WAIT", recv_q=1),
        open_("FIN_WAIT1", send_q=1, timer=1),
        open_("FIN_WAIT2"),
        open_("SYN_SENT", timer=1, send_q=1),
        idle(5 * MINUTE),
        idle(21 * MINUTE, timer=2, expires=5000),
        idle(21 * MINUTE, info_size=0),
        idle(3 * MINUTE, state="CLOSE_WAIT", info={"last_ack_recv": 3 * MINUTE}),  # it answers
        mini("TIME_WAIT", LOCAL, REMOTE),
        mini("FIN_WAIT2", LOCAL, REMOTE),
        mini("SYN_RECV", LOCAL, REMOTE),
        socket("LISTEN", "0.0.0.0:80", recv_q=5, send_q=5, inode=1),
    ],
)
def test_nothing_is_wrong(row: Row) -> None:
    assert of(row) is None


def test_a_listener_is_not_full_where_its_backlog_is_not_told() -> None:
    row = socket("LISTEN", "0.0.0.0:80", recv_q=6, send_q=0, inode=1)
    assert said(watched(0, lambda _: [row], source="procfs")) == [None]


def test_nothing_forgets_a_connection_within_the_host() -> None:
    assert of(idle(21 * MINUTE, remote="10.0.0.1:80")) is None


def test_a_full_listener_says_what_it_drops() -> None:
    def rows(number: int) -> list[Row]:
        row = socket("LISTEN", "0.0.0.0:80", recv_q=6 * (number < 3), send_q=5, inode=1, cookie=3)
        return [row | {"memory": {"drops": 42 * number}}]

    assert said(watched(2, rows)) == ["accept queue full: 6 of 6, 42 SYNs/s dropped"]
    assert said(watched(3, rows)) == ["accept queue was full: 6 of 6, 42 SYNs/s dropped"]


def test_waiting_to_be_accepted() -> None:
    listener = socket("LISTEN", "0.0.0.0:40001", recv_q=1, send_q=9, inode=1)
    assert of(idle(9000, inode=0), listener) == "waiting in the accept queue for 9 s"
    assert of(open_(inode=0), listener) is None
    assert of(open_(inode=0), listener, seconds=9) == "waiting in the accept queue for 9 s"
    assert of(idle(9000, inode=0, state="CLOSE_WAIT"), listener) == (
        "waiting in the accept queue for 9 s, its client has closed"
    )


def test_unread() -> None:
    row = open_(recv_q=4000, info={"bytes_received": 5000})
    assert of(row, seconds=4) is None
    assert of(row, seconds=12) == "unread for 12 s: the process does not read"


def test_a_send_queue_that_grows() -> None:
    def rows(number: int) -> list[Row]:
        sent = {"bytes_sent": number * 20_480, "bytes_acked": number * 20_480}
        return [open_(send_q=614_400 + number * 51_200, timer=1, info=sent)]

    assert said(watched(4, rows)) == [None]
    assert said(watched(5, rows)) == ["Send-Q grows: 850 KiB, 42 s to drain"]


def test_a_connect_that_is_not_yet_sent_again() -> None:
    row = open_("SYN_SENT", timer=1, send_q=1)
    assert of(row, seconds=3) == "SYN unanswered for 3 s"


def test_an_orphan_whose_peer_does_not_read() -> None:
    row = open_("FIN_WAIT1", inode=0, send_q=4096, timer=4, expires=900)
    row["info"] |= PROBING | {"backoff": 6, "bytes_acked": 1}
    assert of(row, seconds=6) == "closed with 4 KiB unsent: the peer does not read"


def test_data_that_flows_after_one_side_has_closed() -> None:
    """curl asks with shutdown(SHUT_WR), and the answer takes minutes."""

    def rows(number: int) -> list[Row]:
        return [idle(70_000, state="FIN_WAIT2", info={"last_data_recv": 30, "last_ack_recv": 30})]

    assert said(watched(70, rows)) == [None]


def test_the_number_of_keepalive_probes_is_the_sockets_own() -> None:
    options = {SocketId(NETNS, 7): SocketOptions(0.0, keepcnt=4)}
    row = open_(timer=2, retrans=3)
    snapshot = watched(0, lambda _: [row], options=options)
    assert said(snapshot) == ["keepalive probe 3 of 4 unanswered"]
    assert of(open_(timer=2, retrans=12)) == "keepalive probe 12 unanswered"


def test_a_peer_that_keeps_the_connection_alive() -> None:
    def rows(number: int) -> list[Row]:
        row = idle((1200 + number) * 1000)
        row["info"] |= {"segs_in": number // 10}
        return [row]

    assert said(watched(15, rows)) == [None]


def test_another_idle_timeout() -> None:
    snapshot = watched(0, lambda _: [idle(5 * MINUTE)])
    assert verdicts(snapshot, np.array([0]), 240) == [
        "no keepalive, idle 5 min: a 240 s load balancer would drop it"
    ]


def test_any_rows_in_any_order() -> None:
    snapshot = derived(everything())
    every = said(snapshot)
    assert any(every)
    for rows in ([], [3], list(range(len(every)))[::-1], [5, 2, 5]):
        assert verdicts(snapshot, np.array(rows, np.int64)) == [every[row] for row in rows]


def many(count: int) -> Sample:
    """Healthy connections: idle, some with data on its way."""
    first = at(0, [idle(5 * MINUTE), open_(send_q=4000, timer=1), open_(timer=2)])
    table = first.sockets.take(np.arange(count) % 3)
    table.cookie[:] = np.arange(count)
    return replace(first, sockets=table)


def test_a_hundred_thousand_healthy_sockets_cost_little() -> None:
    snapshot = derived(many(100_000))
    rows = np.arange(100_000)
    spent = []
    for _ in range(5):
        began = time.process_time()
        assert not any(verdicts(snapshot, rows))
        spent.append(time.process_time() - began)
    assert min(spent) < 0.05  # a tenth of that on an idle machine
