"""half-closed: held in FIN_WAIT2, or orphans whose FIN is not acknowledged."""

from __future__ import annotations

import pytest

from tcptop.analysis.findings.settings import FindingSettings
from tests.unit.findings.watched import ids, of, once, watch
from tests.unit.prepared import CURL, TAKEN_AT, WORKER, Row, kernel, mini, owners, socket

ID = "half-closed"
HELD = owners(*((n, CURL, n) for n in range(1000, 1040)))


def waiting(count: int, silent_s: float = 90, **columns: object) -> list[Row]:
    told = int(silent_s * 1000)
    columns = {"info": {"last_ack_recv": told, "last_data_recv": told}} | columns
    return [
        socket("FIN_WAIT2", f"10.0.0.1:{n}", "10.0.0.9:80", **{"inode": n} | columns)
        for n in range(1000, 1000 + count)
    ]


def orphans(count: int, state: str = "LAST_ACK", **columns: object) -> list[Row]:
    info = {"rto": 51_200_000, "backoff": 8, "last_ack_recv": 3_600_000}
    fields = {"timer": 1, "expires": 20_000, "send_q": 1, "info": info} | columns
    return [
        socket(state, f"10.0.0.1:{n}", "10.0.0.9:80", **fields) for n in range(1000, 1000 + count)
    ]


def test_one_look_at_those_that_are_held() -> None:
    (finding,) = once(waiting(20), owners=HELD)
    assert (finding.id, finding.severity) == (ID, "warning")
    assert finding.title == (
        "curl waits for the other end to close: 20 connections in FIN-WAIT-2 to 10.0.0.9:80"
    )
    assert finding.subject.pids == (CURL.pid,)
    assert finding.since == pytest.approx(TAKEN_AT - 90)


@pytest.mark.parametrize(
    "rows",
    [
        waiting(19),
        waiting(30, silent_s=59),
        waiting(30, inode=0),  # closed: a timer ends them
        waiting(30, ulp=b"mptcp"),
        waiting(30, info={"last_ack_recv": 90_000, "last_data_recv": 900}),  # still talking
        [mini("FIN_WAIT2", f"10.0.0.1:{n}", "10.0.0.9:80") for n in range(1000, 1030)],
    ],
)
def test_guards(rows: list[Row]) -> None:
    assert ID not in ids(once(rows, owners=HELD))


@pytest.mark.parametrize(("clients", "severity"), [(100, "warning"), (300, "info")])
def test_a_few_of_a_listener_s_clients_vanish_as_they_do(clients: int, severity: str) -> None:
    told = {"info": {"last_ack_recv": 90_000, "last_data_recv": 90_000}}
    gone = [
        socket("FIN_WAIT2", "10.0.0.1:80", f"10.0.0.9:{n}", inode=n, **told)
        for n in range(1000, 1020)
    ]
    others = [
        socket("ESTABLISHED", "10.0.0.1:80", f"10.0.0.9:{n}", inode=n + 5000)
        for n in range(2000, 1980 + clients)
    ]
    rows = [socket("LISTEN", "0.0.0.0:80", inode=1), *gone, *others]
    (finding,) = of(once(rows, owners=HELD), ID)
    assert finding.severity == severity


def test_by_watching_where_keepalive_resets_the_clock() -> None:
    rows = waiting(25, info={"last_ack_recv": 900, "last_data_recv": 900_000})
    found = watch(61, lambda _: rows, owners=HELD)
    assert [ID in ids(each) for each in found] == [False] * 60 + [True] * 2


def test_a_process_that_is_not_known_is_said() -> None:
    (finding,) = of(once(waiting(20)), ID)
    assert finding.title.startswith("an unknown process waits")
    assert finding.subject.pids == ()


def test_orphans_by_how_often_the_fin_was_sent_again() -> None:
    (finding,) = of(once(orphans(20)), ID)
    assert finding.title == (
        "20 closed connections to 10.0.0.9:80 cannot finish closing: the FIN is not acknowledged"
    )
    assert finding.values["oldest_s"] >= 60


@pytest.mark.parametrize(
    "rows",
    [
        orphans(19),
        # Idle for an hour and closed just now: last_ack_recv is no evidence.
        orphans(30, "FIN_WAIT1", info={"rto": 200_000, "last_ack_recv": 3_600_000}),
        orphans(30, inode=5),
        orphans(30, send_q=5000),  # the data before it may have waited, not the FIN
    ],
)
def test_orphans_that_are_none_or_young(rows: list[Row]) -> None:
    assert ID not in ids(once(rows, FindingSettings({ID: {"few": 100}})))


@pytest.mark.parametrize(
    ("busy_s", "more", "fires"),
    [
        (62, {}, True),
        (60, {}, False),  # one segment of data may have taken a second of it
        (90, {"bytes_retrans": 5}, False),
        (90, {"rwnd_limited": 40_000_000}, False),
        (90, {"data_segs_out": 200}, False),
        (62, {"rto": 9_600_000}, True),  # 0.6 s, doubled four times
        (62, {"rto": 20_000_000, "backoff": 1}, False),  # 10 s
    ],
)
def test_orphans_whose_timer_an_icmp_error_made_young(
    busy_s: int, more: dict[str, int], fires: bool
) -> None:
    info = {"rto": 3_264_000, "backoff": 4, "busy_time": busy_s * 1_000_000, "data_segs_out": 1}
    info |= {"bytes_retrans": 0, "rwnd_limited": 0} | more
    found = once(orphans(20, expires=2000, info=info), FindingSettings({ID: {"few": 100}}))
    assert (ID in ids(found)) == fires


FEW = {"rto": 3_264_000, "backoff": 4, "last_ack_recv": 9000}
ANSWERED = socket("ESTABLISHED", "10.0.0.1:900", "10.0.0.9:80", info={"last_ack_recv": 2000})


@pytest.mark.parametrize(("answered", "severity"), [(0, "warning"), (4, "warning"), (7, "info")])
def test_a_few_closed_ones_tell_that_a_server_fell_silent(answered: int, severity: str) -> None:
    lost = orphans(6, "FIN_WAIT1", info=FEW, expires=1200)
    others = [ANSWERED | {"local": f"10.0.0.1:{900 + n}"} for n in range(answered)]
    retries = (kernel(sysctls={"net.ipv4.tcp_orphan_retries": "0"}),)
    (finding,) = of(once([*lost, *others], kernel=retries), ID)
    assert finding.severity == severity
    assert finding.title == (
        "6 closed connections to 10.0.0.9:80 cannot finish closing: the FIN is not acknowledged"
    )
    assert finding.subject.destination == "10.0.0.9:80"
    # 0.204 s, doubled four times: 3.06 s, and 3.264 s of which 1.2 s are left
    assert finding.values["oldest_s"] == pytest.approx(5.124)
    assert finding.values["give_up_in_s"] > 0
    assert ("the path is not dead" in finding.advice) is (answered > 0)
    assert any("had an answer" in each for each in finding.evidence) is (answered > 0)


@pytest.mark.parametrize(
    "rows",
    [
        orphans(4, "FIN_WAIT1", info=FEW),
        orphans(6, "FIN_WAIT1", info=FEW, expires=3000),  # 3.3 s
        orphans(6, "FIN_WAIT1", info=FEW | {"backoff": 2}, expires=0),
        orphans(6, "FIN_WAIT1", info=FEW, expires=0, inode=5),
        orphans(6, "FIN_WAIT1", info=FEW, expires=0, timer=4),
        # Clients vanish, as telephones do.
        [socket("LISTEN", "0.0.0.0:1000"), *orphans(1, info=FEW, expires=0)] * 6,
        [
            row | {"remote": f"10.0.0.{n}:80"}
            for n, row in enumerate(orphans(8, "LAST_ACK", info=FEW, expires=0))
        ],
    ],
)
def test_a_few_closed_ones_that_tell_nothing(rows: list[Row]) -> None:
    assert ID not in ids(once(rows))


def test_a_few_are_folded_into_the_connects_that_get_no_answer_there() -> None:
    calling = [
        socket("SYN_SENT", f"10.0.0.1:{n}", "10.0.0.9:80", inode=n, timer=1, retrans=3)
        for n in range(2000, 2012)
    ]
    lost = orphans(6, "FIN_WAIT1", info=FEW, expires=1200)
    held = owners(*((n, CURL, n) for n in range(2000, 2012)))
    every = watch(8, lambda _: [*calling, *lost], owners=held)[-1]
    (cause,), (effect,) = of(every, "connect-unanswered"), of(every, ID)
    assert effect.because == cause.key


def test_orphans_by_watching() -> None:
    rows = orphans(25, "FIN_WAIT1", timer=4, send_q=5000, info={"rto": 200_000})
    found = watch(6, lambda _: rows, FindingSettings({ID: {"age_s": 5}}))
    assert [ID in ids(each) for each in found] == [False] * 5 + [True] * 2


@pytest.mark.parametrize(("recv_q", "cause"), [(0, "close-wait-leak"), (9, "close-wait-unread")])
def test_the_other_end_here_explains_it(recv_q: int, cause: str) -> None:
    info = {"last_ack_recv": 90_000, "last_data_sent": 900_000}
    there = [
        socket(
            "CLOSE_WAIT", "10.0.0.9:80", f"10.0.0.1:{n}", inode=n + 5000, recv_q=recv_q, info=info
        )
        for n in range(1000, 1030)
    ]
    both = owners(
        *((n, CURL, n) for n in range(1000, 1030)),
        *((n + 5000, WORKER, n) for n in range(1000, 1030)),
    )
    (first, second) = once(waiting(30) + there, owners=both)
    assert (first.id, second.id) == (cause, ID)
    assert second.because == first.key
    assert "30 other ends are on this host: 30 CLOSE-WAIT; nginx" in second.evidence[-1]


SHUT = {
    "rto": 200_000,
    "backoff": 9,  # 102.2 s of waits between probes
    "last_ack_recv": 20_000,
    "last_data_sent": 150_000,
    "rwnd_limited": 150_000_000,
    "snd_mss": 1448,
}
LISTENER = socket("LISTEN", "0.0.0.0:80", inode=1, send_q=128)


def closed(count: int, info: dict[str, int], **columns: object) -> list[Row]:
    """Of a server, from two clients."""
    return [
        row | {"local": "10.0.0.1:80", "remote": f"10.0.0.{7 + n % 2}:{5000 + n}"}
        for n, row in enumerate(orphans(count, "FIN_WAIT1", info=info, **columns))
    ]


def test_peers_that_do_not_read_are_known_at_the_first_look() -> None:
    rows = closed(30, SHUT, timer=4, send_q=5001)
    (finding,) = of(once([LISTENER, *rows], owners=owners((1, WORKER, 3))), ID)
    assert finding.severity == "warning"
    assert finding.title == (
        "30 closed connections of nginx from clients of :80 cannot send their FIN: the peers do "
        "not read"
    )
    assert (finding.subject.pids, finding.subject.listener) == ((WORKER.pid,), "0.0.0.0:80")
    assert finding.values["oldest_s"] == pytest.approx(150, abs=70)
    assert finding.values["unsent_bytes"] == 150_000
    assert "30 were accepted on :80, from 10.0.0.7 (15), 10.0.0.8 (15)." in finding.evidence
    assert any("answers probes but does not read" in said for said in finding.evidence)
    # 20 s of the present wait, and one more of 120 s: then the probes are as rare as can be.
    assert finding.values["give_up_in_s"] == pytest.approx(140)
    assert "reset_timedout_connection on" in finding.advice


@pytest.mark.parametrize(
    "rows",
    [
        closed(30, SHUT | {"backoff": 7}, timer=4, send_q=5001),  # 25 s
        closed(30, SHUT | {"last_data_sent": 30_000}, timer=4, send_q=5001),  # it took some then
        closed(30, SHUT | {"snd_wnd": 9000}, timer=4, send_q=5001),
        closed(30, SHUT | {"probes": 3, "last_ack_recv": 200_000}, timer=4, send_q=5001),
        closed(30, SHUT, timer=4, send_q=5001, inode=9),
    ],
)
def test_peers_that_read_now_and_then_or_are_gone(rows: list[Row]) -> None:
    assert ID not in ids(once([LISTENER, *rows], owners=owners((1, WORKER, 3))))


def test_closed_connections_whose_data_is_taken_end_by_themselves() -> None:
    """Slow readers: something is acknowledged every few seconds."""

    def rows(second: int) -> list[Row]:
        told = {"rto": 200_000, "bytes_acked": second // 4 * 1000 + 1, "snd_wnd": 500}
        return closed(30, told, timer=4, send_q=9001)

    lower = FindingSettings({ID: {"age_s": 5}})
    assert not any(ID in ids(each) for each in watch(30, rows, lower))


def test_what_a_black_hole_has_lost_is_one_trouble() -> None:
    info = {"rto": 51_200_000, "backoff": 8, "last_ack_recv": 90_000, "snd_wnd": 9000}
    open_ = [
        socket(
            "ESTABLISHED",
            f"10.0.0.1:{n}",
            "10.0.0.9:80",
            inode=n,
            timer=1,
            retrans=8,
            send_q=100,
            expires=20_000,
            info=info,
        )
        for n in range(2000, 2010)
    ]
    found = once([*open_, *orphans(30)], owners=owners(*((n, CURL, n) for n in range(2000, 2010))))
    (cause,), (effect,) = of(found, "black-hole"), of(found, ID)
    assert effect.because == cause.key
