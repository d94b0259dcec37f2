"""handshake-unfinished and listener-drops: what is lost although no queue is full."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pytest

from tcptop.model.route import Neighbour, Route, RouteKey
from tcptop.model.sample import Deaths
from tests.unit.findings.counting import counters
from tests.unit.findings.watched import Findings, of, once, watch
from tests.unit.prepared import NETNS, NGINX, TAKEN_AT, Row, mini, owners, socket, table

HALF, DROPS = "handshake-unfinished", "listener-drops"
HELD = owners((1, NGINX, 6))
LISTENER = socket("LISTEN", "0.0.0.0:8080", inode=1, send_q=128, recv_q=0, cookie=7)


def half_open(count: int, retrans: int = 4, network: str = "10.0.7", spread: int = 1) -> list[Row]:
    return [
        socket(
            "SYN_RECV", "10.0.0.1:8080", f"{network}.{1 + n % spread}:{40000 + n}", cookie=50 + n
        )
        | {"retrans": retrans, "expires": 1000, "timer": 1, "inode": 0}
        for n in range(count)
    ]


def found(*rows: Row) -> Findings:
    return of(once([LISTENER, *rows], owners=HELD), HALF)


@pytest.mark.parametrize(
    ("rows", "severity"),
    [
        (half_open(2), None),
        (half_open(3), "warning"),
        (half_open(10), "critical"),
        (half_open(9, retrans=2), None),  # for 6 s at most
        (half_open(40, spread=40), None),  # a flood
        ([*half_open(2), *half_open(2, network="10.0.8")], None),
    ],
)
def test_at_the_server(rows: list[Row], severity: str | None) -> None:
    finding = next(iter(found(*rows)), None)
    assert (finding and finding.severity) == severity
    if finding:
        assert finding.subject.listener == "0.0.0.0:8080"
        assert f"{len(rows)} half-open" in finding.title
        assert "10.0.7.1" in finding.title
        assert finding.values["handshakes"] == len(rows)


def test_others_of_its_network_are_not_of_its_address() -> None:
    """One address that floods, and its neighbours that are well."""
    well = [
        socket("ESTABLISHED", "10.0.0.1:8080", f"10.0.7.{n}:50000", inode=n) for n in (12, 13, 14)
    ]
    (finding,) = found(*half_open(10), *well)
    assert finding.values["established"] == 0
    assert "No other connection from 10.0.7.1 to this port is open." in finding.evidence
    (several,) = found(*half_open(10, spread=3), *well)
    assert "3 other connections from there to this port completed" in several.evidence[-1]


def test_syns_that_are_repeated_tell_less_of_the_age() -> None:
    """Each is answered, so that there are more SYN-ACKs than timeouts."""
    (finding,) = found(*half_open(4, retrans=12), *half_open(9, retrans=5)[4:])
    assert finding.values == {"handshakes": 4, "oldest_s": 19, "established": 0, "completed": 0}
    assert "up to 12 times" in finding.evidence[0]
    assert found(*half_open(9, retrans=9)) == ()  # for 7 s at least


def test_what_was_watched_from_its_beginning_is_as_old_as_that() -> None:
    told = watch(
        12, lambda n: [LISTENER, *half_open(4 if n else 0, retrans=min(n, 5))], owners=HELD
    )
    assert [bool(of(each, HALF)) for each in told] == [False] * 11 + [True] * 2
    assert of(told[-1], HALF)[0].values["oldest_s"] == 11


def client(**info: int) -> Row:
    told = {"bytes_acked": 1, "data_segs_in": 0, "segs_in": 4, "backoff": 4, "rto": 3_264_000}
    row = socket("ESTABLISHED", "10.0.0.1:40001", "10.0.0.9:80", inode=1, send_q=74, timer=1)
    return row | {"retrans": 4, "info": told | {"last_ack_recv": 9000} | info}


def test_a_queue_that_was_full_just_now_is_not_told_twice() -> None:
    """The kernel gives up many at a time; further SYNs met it full."""
    small = LISTENER | {"send_q": 16}

    def asked(met: float) -> Findings:
        per_s = {"TCPReqQFullDoCookies": met, "TCPReqQFullDrop": 0, "ListenDrops": 0}
        shown = [small, *half_open(9)]
        return watch(12, lambda _: shown, owners=HELD, kernel=counters(per_s))[-1]

    assert not of(asked(2), HALF)
    assert of(asked(0), HALF)


def test_at_the_client() -> None:
    every = once([client()], owners=HELD)
    (finding,) = of(every, HALF)
    assert finding.subject.destination == "10.0.0.9:80"
    assert finding.values == {"handshakes": 1, "syn_acks": 3, "acknowledged": 0}
    assert finding.title == (
        "1 connection (nginx) to 10.0.0.9:80 still gets SYN-ACKs: the other end has not taken the "
        "final ACK"
    )
    assert finding.advice.startswith("Look for what drops packets")
    assert of(every, "black-hole") == ()


def acknowledged(count: int, **info: int) -> list[Row]:
    told = {"bytes_acked": 75, "data_segs_in": 0, "last_ack_recv": 9000, "last_data_sent": 9000}
    return [
        socket("ESTABLISHED", f"10.0.0.1:{41000 + n}", "10.0.0.9:80", inode=1, cookie=100 + n)
        | {"info": told | {"segs_in": 2} | info}
        for n in range(count)
    ]


def test_where_others_are_acknowledged_the_accept_queue_there_is_full() -> None:
    (finding,) = of(once([client(), *acknowledged(3)], owners=HELD), HALF)
    assert finding.values["acknowledged"] == 3
    assert any("on 3 other connections to 10.0.0.9:80" in each for each in finding.evidence)
    assert finding.advice.startswith("The accept queue of 10.0.0.9:80 is probably full")
    old = once([client(), *acknowledged(3, last_ack_recv=60_000)], owners=HELD)
    assert of(old, HALF)[0].advice.startswith("Look for what drops packets")


def of_a_full_queue(*others: Row) -> Findings:
    """One of each that a full accept queue on another host leaves here."""
    bare = client(segs_in=1) | {"local_port": 40002, "cookie": 91}
    asking = socket("SYN_SENT", "10.0.0.1:40003", "10.0.0.9:80", timer=1, retrans=3, inode=1)
    asking |= {"info": {"rto": 8_000_000, "backoff": 3}, "expires": 4000, "cookie": 92}
    return once([client() | {"cookie": 90}, bare, asking, *others], owners=HELD)


def test_what_a_full_queue_elsewhere_does_is_told_once() -> None:
    every = of_a_full_queue(*acknowledged(3))
    (cause,) = of(every, HALF)
    assert cause.because is None
    for name in ("black-hole", "connect-unanswered"):
        assert [each.because for each in of(every, name)] == [cause.key]


def test_where_nothing_is_acknowledged_it_may_be_something_else() -> None:
    every = of_a_full_queue()
    (hole,) = of(every, "black-hole")
    assert hole.because is None


@pytest.mark.parametrize("info", [{"bytes_acked": 75}, {"segs_in": 1}, {"data_segs_in": 1}])
def test_where_more_came_it_is_a_black_hole(info: dict[str, int]) -> None:
    every = once([client(**info)], owners=HELD)
    assert of(every, HALF) == ()
    assert len(of(every, "black-hole")) == 1


def dropping(
    per_s: Mapping[str, float],
    others: Sequence[Row] = (),
    routes: Mapping[RouteKey, Route] | None = None,
    **columns: Any,
) -> list[Findings]:
    def rows(number: int) -> list[Row]:
        memory: Row = {"memory": {"drops": 5 * number}, "memory_count": 9}
        return [LISTENER | memory | columns, *others]

    every = watch(4, rows, kernel=counters(per_s), owners=HELD, routes=routes or {})
    return [of(each, DROPS) for each in every]


QUIET = {"ListenOverflows": 0, "ListenDrops": 0, "OutNoRoutes": 0, "TCPReqQFullDrop": 0}


def test_drops_without_a_full_queue() -> None:
    (finding,) = dropping(QUIET | {"ListenDrops": 5})[-1]
    assert finding.severity == "warning"
    assert finding.title == (
        "nginx on :8080 loses 5 packets/s although its queues have room: "
        "the counters do not say why"
    )


OPENING = mini("SYN_RECV", "10.0.0.1:8080", "10.0.2.2:40000", cookie=70)
OPENING_KEY = RouteKey(NETNS, "10.0.0.1", "10.0.2.2")
OWN_ERRORS = QUIET | {"ListenDrops": 5, "InDestUnreachs": 20, "OutDestUnreachs": 20}


@pytest.mark.parametrize(
    ("gateway", "state", "said"),
    [
        (None, "FAILED", "10.0.2.2, on the own link by its route (10.0.0.0/16), does not answer"),
        ("10.0.0.254", "INCOMPLETE", "10.0.0.254, the gateway to 10.0.2.2, does not answer ARP"),
        (None, "REACHABLE", "In- and OutDestUnreachs rise together"),
    ],
)
def test_its_own_icmp_ends_handshakes_that_it_cannot_answer(
    gateway: str | None, state: str, said: str
) -> None:
    near = Neighbour(gateway or "10.0.2.2", state, None)
    way = Route(1000.0, kind="unicast", prefix="10.0.0.0/16", gateway=gateway, neighbour=near)
    (finding,) = dropping(OWN_ERRORS, [OPENING], {OPENING_KEY: way})[-1]
    assert said in " ".join(finding.evidence)
    assert ("SYN-ACKs to 10.0.2.2 are not sent" in finding.title) is (state != "REACHABLE")
    assert "IcmpOutDestUnreachs" in finding.confirm
    assert "socket filter" not in finding.advice


def test_icmp_of_others_ends_them_too() -> None:
    (finding,) = dropping(OWN_ERRORS | {"OutDestUnreachs": 0})[-1]
    assert "a router says that what this host sends does not get there" in finding.evidence[-1]


@pytest.mark.parametrize(
    "more",
    [
        {"InDestUnreachs": 0, "OutDestUnreachs": 20},  # a filter that rejects what arrives
        {"InDestUnreachs": 1, "OutDestUnreachs": 1},
        {"NoPorts": 20},  # closed UDP ports
    ],
)
def test_what_is_not_of_its_handshakes_is_no_reason(more: Mapping[str, float]) -> None:
    (finding,) = dropping({**OWN_ERRORS, **more})[-1]
    assert finding.title.endswith("the counters do not say why")
    assert "none of IpOutNoRoutes and TcpExt" not in finding.evidence[-1]
    assert "No counter" not in finding.evidence[-1]


@pytest.mark.parametrize(
    "per_s",
    [
        QUIET,
        QUIET | {"ListenDrops": 5, "ListenOverflows": 5},
        QUIET | {"ListenDrops": 5, "TCPReqQFullDrop": 5},
    ],
)
def test_what_is_explained_is_none(per_s: Mapping[str, float]) -> None:
    assert not any(dropping(per_s))


def test_a_full_queue_explains_it() -> None:
    assert not any(dropping(QUIET | {"ListenDrops": 5}, recv_q=129))


def deferred(count: int, port: int = 25, left_ms: int = 3500, drops: int = 40) -> list[Row]:
    """Half-open rows whose timer has run out twice without a second SYN-ACK, and their listener."""
    memory: Row = {"memory": {"drops": drops}, "memory_count": 9}
    listener = socket("LISTEN", f"0.0.0.0:{port}", inode=1, send_q=128, recv_q=0, cookie=7) | memory
    rows = [
        mini("SYN_RECV", f"10.0.0.1:{port}", f"10.0.7.1:{40000 + n}", retrans=0, cookie=50 + n)
        | {"expires": left_ms}
        for n in range(count)
    ]
    return [listener, *rows]


BARE_ACKS = counters({"TCPDeferAcceptDrop": 0})  # 1,000 since the boot


def of_deferred(rows: list[Row]) -> Findings:
    return of(once(rows, owners=HELD, kernel=BARE_ACKS), HALF)


def test_a_server_that_speaks_first_must_not_wait_for_data() -> None:
    (finding,) = of_deferred(deferred(12))
    assert finding.severity == "critical"
    assert finding.title == (
        "nginx on :25 waits for the first data of 12 clients before it takes the connection: "
        "TCP_DEFER_ACCEPT"
    )
    assert finding.values == {"deferred": 12, "oldest_s": 3.5, "established": 0}
    assert "no SYN-ACK was retransmitted: their final ACKs have come" in finding.evidence[0]
    assert finding.advice.startswith("With SMTP the server speaks first")
    assert finding.subject.listener == "0.0.0.0:25"
    served = [
        socket("ESTABLISHED", "10.0.0.1:25", f"10.0.7.9:{n}", inode=1, cookie=n) for n in (1, 2)
    ]
    (finding,) = of_deferred([*deferred(12), *served])
    assert finding.severity == "warning"


def test_who_connects_ahead_of_a_request_is_well() -> None:
    (finding,) = of_deferred(deferred(12, port=8080))
    assert finding.severity == "info"
    assert "connected ahead of a request" in finding.advice


@pytest.mark.parametrize(
    "rows",
    [
        deferred(2),
        deferred(12, left_ms=900),  # its first timer: the ACK may be on its way
        deferred(12, left_ms=1900),  # the second: older than 1 s, maybe not than 3
        deferred(12, drops=5),  # not so many bare ACKs: its SYN-ACKs cannot be sent again
        [deferred(1)[0], *(row | {"retrans": 1} for row in deferred(12)[1:])],  # the ACK is lost
    ],
)
def test_what_has_not_been_acknowledged_is_not_deferred(rows: list[Row]) -> None:
    assert of_deferred(rows) == ()


def test_deferred_clients_are_as_old_as_they_were_watched() -> None:
    """Data follows its ACK within a round trip, on a line that is slow as well."""
    found = watch(5, lambda n: deferred(4 if n else 0, left_ms=900), owners=HELD, kernel=BARE_ACKS)
    assert [bool(of(each, HALF)) for each in found] == [False] * 4 + [True] * 2


def late(number: int, port: int = 25, again: int = 1, lost: int = 0) -> Row:
    """One that was accepted here and is over: its SYN-ACK was sent again, or its data was."""
    info = {"rtt": 200, "min_rtt": 200, "total_retrans": again, "bytes_retrans": lost}
    info |= {"segs_out": 5, "segs_in": 5, "data_segs_out": 1, "data_segs_in": 1}
    ends = (f"10.0.0.1:{port}", f"10.0.7.1:{40000 + number}")
    return socket("CLOSE", *ends, cookie=1000 + number, info=info)


def taken(each: Callable[[int], Row], bare_acks: int = 2, port: int = 25) -> Findings:
    def deaths(number: int) -> tuple[Deaths, ...]:
        rows = [each(2 * number + n) for n in range(2)] if number else []
        return (Deaths(NETNS, table(rows), np.full(len(rows), TAKEN_AT + number - 0.1)),)

    per_s = {"TCPDeferAcceptDrop": bare_acks, "TCPSynRetrans": 2}
    rows = deferred(0, port)
    every = watch(5, lambda _: rows, owners=HELD, kernel=counters(per_s), deaths=deaths)
    return of(every[-1], HALF)


def test_connections_that_are_taken_a_second_late() -> None:
    """TCP_DEFER_ACCEPT of a second: at its end the SYN-ACK is sent again."""
    (finding,) = taken(late)
    assert finding.severity == "warning"
    assert finding.title == (
        "10 of 10 connections to nginx on :25 were taken a second late, or more: TCP_DEFER_ACCEPT"
    )
    assert finding.advice.startswith("With SMTP the server speaks first")
    (finding,) = taken(lambda n: late(n, 8080), port=8080)
    assert finding.severity == "info"  # browsers that connect ahead of a request


@pytest.mark.parametrize(
    ("each", "bare_acks"),
    [
        (lambda n: late(n, again=0), 2),  # the request followed its ACK at once
        (late, 0),  # SYN-ACKs, or their ACKs, are lost
        (lambda n: late(n, lost=90), 2),  # an answer was lost
        (lambda n: late(n, again=int(n % 4 == 0)), 2),  # most are not late
    ],
)
def test_who_is_not_kept_waiting_for_data(each: Callable[[int], Row], bare_acks: int) -> None:
    assert taken(each, bare_acks) == ()


def meanwhile(of_these: str, per_s: int = 2) -> Findings:
    """Twelve stay half-open; short connections of an address come and go."""

    def deaths(number: int) -> tuple[Deaths, ...]:
        info = {"rtt": 200, "segs_in": 5, "segs_out": 5, "data_segs_in": 1, "data_segs_out": 1}
        some = table(
            socket("CLOSE", "10.0.0.1:8080", f"{of_these}:{50_000 + n}", cookie=n, info=info)
            for n in range(per_s * number, per_s * (number + 1))
        )
        return (Deaths(NETNS, some, np.full(len(some), TAKEN_AT + number - 0.1)),)

    rows = [LISTENER, *half_open(12)]
    return of(watch(6, lambda _: rows, owners=HELD, deaths=deaths)[-1], HALF)


def test_where_others_of_the_same_address_do_complete_only_a_part_is_lost() -> None:
    (finding,) = meanwhile("10.0.7.1")
    assert finding.severity == "warning"
    assert finding.title.endswith("12 half-open connections, 11 others completed")
    assert finding.values["completed"] == 11
    assert "the ephemeral range" in finding.advice
    assert "No other connection" not in "".join(finding.evidence)


def test_connections_of_others_tell_nothing_of_those_that_are_lost() -> None:
    (finding,) = meanwhile("10.0.9.9")
    assert (finding.severity, finding.values["completed"]) == ("critical", 0)
    assert "No other connection from 10.0.7.1 to this port is open." in finding.evidence
