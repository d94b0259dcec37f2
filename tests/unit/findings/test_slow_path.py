"""slow-path: what a window, a buffer, a queue, small segments or holes prove, and what not."""

from __future__ import annotations

from typing import Any

import pytest

from tcptop.analysis.findings.settings import FindingSettings
from tcptop.model.socket_id import SocketId
from tcptop.model.sockopt import SocketOptions
from tests.unit.findings.watched import Findings, ids, of, watch
from tests.unit.prepared import CURL, FIRST_COOKIE, NETNS, NGINX, Row, kernel, owners, socket

ID = "slow-path"
HELD = owners((1, CURL, 3), (2, CURL, 4), (3, CURL, 5), (9, NGINX, 6))
WINDOW, TRIP = 65_535, 80_000  # bytes, microseconds
RATE = WINDOW * 1_000_000 // TRIP
SCALED = 4


def row(place: int, info: dict[str, int], memory: dict[str, int], **columns: Any) -> Row:
    base = {"rtt": TRIP, "min_rtt": TRIP, "snd_mss": 1448, "rcv_mss": 1448, "advmss": 1448}
    base |= {"pmtu": 1500, "options": SCALED, "snd_wscale": 7, "rcv_wscale": 7, "snd_cwnd": 200}
    ends = (f"10.0.0.1:{40000 + place}", "10.0.0.9:9092")
    made = socket("ESTABLISHED", *ends, inode=place, **columns)
    return made | {"info": base | info, "memory": made["memory"] | memory}


def sender(number: int, place: int = 1, rate: int = RATE, **columns: Any) -> Row:
    """Has sent for so many seconds, held back by the peer's window."""
    info = {"bytes_acked": 1000 + rate * number, "bytes_sent": 1000 + rate * number}
    info |= {"busy_time": 1_000_000 * number, "rwnd_limited": 900_000 * number}
    info |= {"snd_wnd": WINDOW, "unacked": 45} | columns.pop("info", {})
    memory = {"sndbuf": 500_000, "wmem_queued": 300_000} | columns.pop("memory", {})
    return row(place, info, memory, send_q=280_000, timer=1, **columns)


def receiver(number: int, place: int = 1, rate: int = RATE, **columns: Any) -> Row:
    info = {"bytes_received": 1000 + rate * number, "data_segs_in": rate * number // 1448}
    info |= {"rcv_wnd": WINDOW, "rcv_rtt": TRIP, "snd_wnd": 64_000} | columns.pop("info", {})
    memory = {"rcvbuf": 131_072} | columns.pop("memory", {})
    return row(place, info, memory, **columns)


def found(
    make: Any,
    seconds: int = 6,
    places: int = 2,
    sysctls: dict[str, str] | None = None,
    **given: Any,
) -> Findings:
    settings = given.pop("settings", FindingSettings())
    snapshots = watch(
        seconds,
        lambda n: [make(n, place + 1, **given) for place in range(places)],
        settings,
        owners=HELD,
        kernel=(kernel(NETNS, sysctls=sysctls or {}),),
    )
    return of(snapshots[-1], ID)


def test_one_window_in_each_round_trip() -> None:
    assert found(sender, 4) == ()
    (finding,) = found(sender, 5)
    assert finding.severity == "warning"
    assert finding.title == (
        "curl sends at most 800 KiB/s on each of 2 connections to 10.0.0.9:9092: "
        "the window there takes 64 KiB in a round trip of 80 ms"
    )
    assert finding.values == {
        "connections": 2,
        "bytes_per_s": pytest.approx(RATE, rel=0.001),
        "min_rtt_ms": 80,
    }
    assert "Both ends scale their windows (wscale 7 there, 7 here)" in finding.evidence[1]
    assert "For 100 Mbit/s in a round trip of 80 ms a window of 977 KiB" in finding.evidence[2]


def test_a_single_one_is_for_information_until_it_lasts() -> None:
    assert [f.severity for f in found(sender, 8, places=1)] == ["info"]
    assert [f.severity for f in found(sender, 61, places=1)] == ["warning"]
    before = {"busy_time": 90_000_000, "rwnd_limited": 80_000_000}

    def old(number: int, place: int) -> Row:
        told = {k: v + 1_000_000 * number for k, v in before.items()}
        return sender(number, place, info=told)

    assert [f.severity for f in found(old, 6, places=1)] == ["warning"]


@pytest.mark.parametrize(
    "columns",
    [
        {"rate": RATE // 2},  # less than the window allows: it is not the limit
        {"info": {"rwnd_limited": 0}},
        {"info": {"busy_time": 0}},  # has little to send
        {"info": {"rtt": 8000, "min_rtt": 8000, "snd_wnd": 6553}},  # a short way
        {"info": {"rtt": 180_000}},  # a queue: a larger window would fill it more
        {"info_size": 224},
    ],
)
def test_what_is_no_small_window(columns: dict[str, Any]) -> None:
    assert found(sender, 9, **columns) == ()


def test_a_window_that_moves_is_that_of_a_slow_reader() -> None:
    def moving(number: int, place: int) -> Row:
        window = (90_000, 140_000, 70_000, 110_000, 84_000)[number % 5]
        return sender(number, place, rate=1_000_000, info={"snd_wnd": window})

    assert found(moving, 12) == ()


def test_one_look_without_it_is_no_end() -> None:
    def halting(number: int, place: int) -> Row:
        shut = 900_000 * (number - (number > 3))  # not in the third second
        return sender(number, place, info={"rwnd_limited": shut})

    assert len(found(halting, 7)) == 1


def test_what_is_fast_is_for_information() -> None:
    (finding,) = found(sender, rate=RATE * 50, info={"snd_wnd": WINDOW * 50})
    assert finding.severity == "info"
    assert "For 1,000 Mbit/s" in finding.evidence[2]


def test_window_scaling_is_missing() -> None:
    def without(number: int, place: int) -> Row:
        made = sender(number, place)
        made["info"] |= {"options": 0, "snd_wscale": 0, "rcv_wscale": 0}
        return made

    on = {"net.ipv4.tcp_window_scaling": "1"}
    (finding,) = found(without, sysctls=on)
    assert "not agreed on window scaling" in finding.evidence[1]
    assert finding.evidence[1].endswith("here net.ipv4.tcp_window_scaling = 1.")
    (finding,) = found(without, sysctls={"net.ipv4.tcp_window_scaling": "0"})
    assert finding.advice.startswith("Set net.ipv4.tcp_window_scaling to 1 here")


def test_few_of_many_clients_are_for_information() -> None:
    def clients(number: int) -> list[Row]:
        ends = [("10.0.0.1:80", f"10.0.0.{20 + n}:5000") for n in range(9)]
        rows = [sender(number, n + 1) for n in range(9)]
        for n, (made, (local, remote)) in enumerate(zip(rows, ends, strict=True)):
            made |= {"local": local, "remote": remote, "inode": 9}
            if n > 2:
                made["info"] |= {"rwnd_limited": 0}
        return [socket("LISTEN", "0.0.0.0:80", inode=9), *rows]

    (few,) = of(watch(6, clients, owners=HELD)[-1], ID)
    assert few.severity == "info"
    (most,) = of(watch(6, lambda n: clients(n)[:6], owners=HELD)[-1], ID)
    assert most.severity == "warning"


@pytest.mark.parametrize(
    ("sysctls", "columns", "told"),
    [
        ({"net.ipv4.tcp_rmem": "4096 131072 131072"}, {}, "the largest that net.ipv4.tcp_rmem"),
        ({"net.ipv4.tcp_moderate_rcvbuf": "0"}, {}, "net.ipv4.tcp_moderate_rcvbuf = 0"),
    ],
)
def test_its_own_window(sysctls: dict[str, str], columns: Row, told: str) -> None:
    (finding,) = found(receiver, sysctls=sysctls, **columns)
    assert finding.severity == "warning"
    assert "its own window takes 64 KiB in a round trip of 80 ms" in finding.title
    assert told in finding.evidence[1]


@pytest.mark.parametrize(
    "columns",
    [
        {"recv_q": 50_000},  # its program does not read
        {"rate": RATE // 2},
        {"info": {"rcv_rtt": 0}},
        {"memory": {"rcvbuf": 65_536}},  # it may still grow
    ],
)
def test_what_is_no_small_window_of_its_own(columns: Row) -> None:
    sysctls = {"net.ipv4.tcp_rmem": "4096 131072 131072"}
    assert found(receiver, 9, sysctls=sysctls, **columns) == ()


@pytest.mark.parametrize(
    ("told", "said"),
    [
        (SocketOptions(0.0, rcvbuf_locked=True), "SO_RCVBUF was set by the process"),
        (SocketOptions(0.0, "not permitted"), "which could not be read"),
        (SocketOptions(0.0, rcvbuf_locked=False), ""),
    ],
)
def test_who_has_set_its_receive_buffer(told: SocketOptions, said: str) -> None:
    known = {SocketId(NETNS, FIRST_COOKIE + n): told for n in range(2)}
    snapshots = watch(
        6, lambda n: [receiver(n, 1), receiver(n, 2)], owners=HELD, options=lambda _: known
    )
    evidence = [each.evidence[1] for each in of(snapshots[-1], ID)]
    assert [said in each for each in evidence] == ([True] if said else [])


def test_the_send_buffer() -> None:
    small = {"sndbuf": 65_536, "wmem_queued": 64_000}
    more = {"rwnd_limited": 0, "snd_wnd": 4_000_000}

    def held(number: int, place: int) -> Row:
        return sender(number, place, info=more, memory=small) | {"send_q": 62_000}

    (finding,) = found(held, sysctls={"net.ipv4.tcp_wmem": "4096 16384 65536"})
    assert "its send buffer takes 64 KiB in a round trip of 80 ms" in finding.title
    assert found(held, sysctls={"net.ipv4.tcp_wmem": "4096 16384 4194304"}) == ()


def test_a_queue_on_the_way() -> None:
    long = {"rwnd_limited": 0, "snd_wnd": 4_000_000, "rtt": 500_000, "min_rtt": 14_000}
    (finding,) = found(sender, info=long)
    assert finding.title == (
        "A queue on the way to 10.0.0.9:9092: the round trip takes 500 ms, 14 ms at best, "
        "while curl sends 800 KiB/s"
    )
    assert found(sender, 9, info=long | {"unacked": 4}) == ()
    assert found(sender, 9, info=long | {"min_rtt": 130_000}) == ()


def test_small_segments() -> None:
    def small(number: int, place: int, each: int = 244, window: int = WINDOW) -> Row:
        told = {"rwnd_limited": 0, "snd_mss": 244, "snd_wnd": window}
        told |= {"data_segs_out": RATE * number // each}
        return sender(number, place, info=told)

    (finding,) = found(small)
    assert finding.title.startswith("curl sends in segments of 244 bytes to 10.0.0.9:9092: 3,357 ")
    assert found(small, 9, each=100) == ()  # messages that are small by themselves
    assert found(small, 9, window=500) == ()  # of a device with little memory


def test_holes_in_what_arrives() -> None:
    def holes(number: int, place: int, late: int = 40, trip: int = TRIP) -> Row:
        told = {"rcv_ooopack": late * number, "rcv_rtt": 0, "min_rtt": trip}
        return receiver(number, place, info=told)

    (finding,) = found(holes)
    assert finding.title == (
        "What curl receives from 10.0.0.9:9092 arrives with gaps: 7% of the segments came after "
        "a missing one"
    )
    assert found(holes, 9, late=10) == ()  # overtaken
    assert found(holes, 9, trip=500) == ()  # several links of one LAN
    assert ids(found(receiver, 9)) == []


@pytest.mark.parametrize(
    ("wmem", "columns", "told"),
    [
        ("4096 4096 8192", {}, True),
        ("4096 16384 4194304", {}, False),  # the kernel lets it grow
        ("4096 4096 8192", {"filled": 0.3}, False),
        ("4096 4096 8192", {"trip": 800}, False),  # on a LAN it is refilled at once
    ],
)
def test_a_tiny_send_buffer_takes_large_segments(
    wmem: str, columns: dict[str, Any], told: bool
) -> None:
    """It holds several times its size, so that the kernel's own count is the proof."""

    def held(number: int, place: int, filled: float = 0.66, trip: int = 60_000) -> Row:
        limited = {"rwnd_limited": 0, "sndbuf_limited": int(1e6 * filled) * number}
        info = limited | {"snd_wnd": 900_000, "min_rtt": trip, "rtt": trip}
        memory = {"sndbuf": 8192, "wmem_queued": 70_000}
        return sender(number, place, 750_000, info=info, memory=memory)

    every = found(held, sysctls={"net.ipv4.tcp_wmem": wmem}, **columns)
    assert bool(every) is told
    for finding in every:
        assert finding.severity == "warning"
        assert "its send buffer of 8 KiB holds it back in a round trip of 60 ms" in finding.title
        assert "For 66% of that time" in finding.evidence[0]
        assert "third number of net.ipv4.tcp_wmem" in finding.advice
