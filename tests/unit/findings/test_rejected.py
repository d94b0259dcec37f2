"""packets-rejected, nat-ports-exhausted, mtu-black-hole: what this host or the path throws away."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from tcptop.model.sample import Kernel
from tests.unit.findings.counting import counters
from tests.unit.findings.watched import Findings, of, once, watch
from tests.unit.prepared import NGINX, Row, kernel, owners, socket

REJECTED, MTU = "packets-rejected", "mtu-black-hole"
HELD = owners((1, NGINX, 6))


def seen(per_s: Mapping[str, float], seconds: int = 7) -> Findings:
    known = {"InSegs": 100.0, "InCsumErrors": 0, "IPReversePathFilter": 0} | dict(per_s)
    return of(watch(seconds, lambda _: [], kernel=counters(known))[-1], REJECTED)


@pytest.mark.parametrize(
    ("per_s", "severity"),
    [
        ({}, None),
        ({"InCsumErrors": 6, "InSegs": 1000}, "warning"),
        ({"InCsumErrors": 2, "InSegs": 1000}, None),
        ({"InCsumErrors": 2}, "warning"),
        ({"InCsumErrors": 12}, "critical"),
        ({"IPReversePathFilter": 1, "InSegs": 10}, None),  # noise of neighbours
        ({"IPReversePathFilter": 30, "InSegs": 10}, "critical"),
        ({"InNoRoutes": 1, "InSegs": 10}, None),
        ({"InNoRoutes": 4, "InSegs": 0}, "warning"),  # a router
        ({"PAWSTimewait": 8, "InSegs": 200}, "warning"),
        ({"PAWSTimewait": 8, "InSegs": 12_000, "PassiveOpens": 100}, "warning"),
        ({"PAWSTimewait": 8, "InSegs": 12_000, "PassiveOpens": 1500}, None),  # strays
        ({"PAWSTimewait": 1, "InSegs": 2000}, None),
    ],
)
def test_what_is_thrown_away(per_s: Mapping[str, float], severity: str | None) -> None:
    found = seen(per_s)
    assert [each.severity for each in found] == ([severity] if severity else [])


def test_the_reason_is_said_and_the_share_is_of_what_arrives() -> None:
    (finding,) = seen({"IPReversePathFilter": 30, "InSegs": 30})
    assert finding.title == (
        "This host drops 30 incoming packets/s: refused by the reverse-path filter (rp_filter)"
    )
    assert finding.values["share"] == pytest.approx(0.5)
    (finding,) = seen({"InCsumErrors": 20})
    assert finding.values["share"] == pytest.approx(0.2)
    assert "20% of the 100 segments/s" in " ".join(finding.evidence)
    assert "or left their sender unfinished (tx offload)" in finding.evidence[0]
    assert "tx off at the sender" in finding.advice


@pytest.mark.parametrize(
    ("per_s", "title"),
    [
        (
            {"InReceives": 120, "InDelivers": 100},
            "This host lets 20 incoming packets/s not pass, by a filter or by routing",
        ),
        ({"OutDestUnreachs": 7}, "This host rejects 7 packets/s with ICMP"),
        (
            {"OutDestUnreachs": 2, "OutRateLimitHost": 6},
            "This host rejects 8 packets/s with ICMP",
        ),
        (
            {"InReceives": 50, "InDelivers": 46},  # where little arrives
            "This host lets 4 incoming packets/s not pass",
        ),
        ({"InReceives": 120, "InDelivers": 116}, None),
        ({"InReceives": 20, "InDelivers": 18}, None),
        ({"InReceives": 120, "InDelivers": 20, "ForwDatagrams": 100}, None),
        ({"InReceives": 120, "InDelivers": 100, "IPReversePathFilter": 20}, None),
        ({"OutDestUnreachs": 20, "NoPorts": 18}, None),  # closed UDP ports
        ({"OutDestUnreachs": 20, "InDestUnreachs": 20}, None),  # a neighbour does not answer
        ({"InDelivers": 20}, None),
    ],
)
def test_what_a_filter_takes_is_told_but_no_alarm(
    per_s: Mapping[str, float], title: str | None
) -> None:
    found = [each for each in seen(per_s) if each.key.endswith("filter")]
    assert [each.severity for each in found] == (["info"] if title else [])
    assert all(each.title.startswith(title or "?") for each in found)


def test_that_it_is_a_filter_is_not_claimed() -> None:
    """NAT to 127.0.0.1 without route_localnet leaves the same difference, and no other counter."""
    (finding,) = seen({"InReceives": 10, "InDelivers": 4})
    assert "filter of this host" not in finding.title
    assert "60% of what arrives by IPv4" in finding.evidence[0]
    assert "route_localnet" in finding.evidence[0]


TAKEN = {"InReceives": 20, "InDelivers": 2, "OutTransmits": 20, "OutRequests": 20}
SERVED = [
    socket("LISTEN", "10.0.0.1:5432", inode=1, cookie=1),
    *(socket("ESTABLISHED", "10.0.0.1:5432", f"10.0.0.9:{n}", cookie=n) for n in range(50, 54)),
]
SSH = [row | {"local": "10.0.0.1:22"} for row in SERVED]


@pytest.mark.parametrize(
    ("more", "rows", "severity"),
    [
        ({}, SERVED, "warning"),
        ({"InDelivers": 8}, SERVED, "info"),  # 60 %
        ({"OutTransmits": 38}, SERVED, "info"),  # IPVS passes them on
        ({}, SSH, "info"),  # an operator's
        ({}, SERVED[:3], "info"),
    ],
)
def test_a_filter_that_takes_most_while_clients_are_connected(
    more: Mapping[str, float], rows: list[Row], severity: str
) -> None:
    known = {"InSegs": 2.0, **TAKEN, **more}
    every = watch(7, lambda _: rows, kernel=counters(known), owners=HELD)[-1]
    (finding,) = (each for each in of(every, REJECTED) if each.key.endswith("filter"))
    assert finding.severity == severity
    if severity == "warning":
        assert finding.title == (
            "This host lets 18 incoming packets/s not pass, by a filter or by routing: nearly all "
            "that arrives by IPv4"
        )
        assert "Clients have 4 open connections here meanwhile" in finding.evidence[-1]
        assert "accepted on :5432" in finding.evidence[-1]


def calling(state: str = "SYN_SENT", heard_ms: int = 60_000) -> list[Row]:
    info = {"last_data_recv": heard_ms, "last_ack_recv": heard_ms}
    return [
        socket(state, f"10.0.0.1:{40_000 + n}", "10.0.0.9:9200", cookie=n, info=info, retrans=2)
        for n in range(1, 7)
    ]


@pytest.mark.parametrize(
    ("syns", "rows", "own"),
    [
        (8, calling(), True),  # the input chain lets nothing of connections in
        (8, calling("ESTABLISHED", 500), False),  # others are heard
        (0.4, calling(), False),  # strangers' noise, beside a host that is gone
        (2, calling(), False),
    ],
)
def test_the_answers_to_its_own_connects(syns: float, rows: list[Row], own: bool) -> None:
    known = {"InReceives": 20, "InDelivers": 8, "ActiveOpens": syns / 2, "TCPSynRetrans": syns / 2}
    every = watch(7, lambda _: rows, kernel=counters({"InSegs": 8.0, **known}), owners=HELD)[-1]
    (finding,) = (each for each in of(every, REJECTED) if each.key.endswith("filter"))
    assert finding.severity == ("warning" if own else "info")
    assert finding.title.endswith("apparently the answers to its own connects") is own
    effects = of(every, "connect-unanswered")
    assert all((each.because == finding.key) is own for each in effects)
    assert bool(effects) is (rows[0]["state"] == calling()[0]["state"])


@pytest.mark.parametrize(
    ("counted", "title"),
    [
        ({"OutTransmits": 90}, "This host does not pass on 14 packets/s, 14% of what it forwards"),
        ({"OutTransmits": 103}, None),  # 1 %
        ({"OutTransmits": 104}, None),
        ({"OutTransmits": 90, "FragFails": 14}, None),  # too large for the next link, and told so
        ({"OutTransmits": 90, "OutRequests": 150, "ForwDatagrams": 10}, None),  # its own, maybe
        ({}, None),  # older kernels do not count what goes to a device
    ],
)
def test_a_gateway_whose_own_filter_drops(counted: Mapping[str, float], title: str | None) -> None:
    known: Mapping[str, float] = {"InReceives": 104, "InDelivers": 4, "ForwDatagrams": 100}
    own = {"OutRequests": 4.0}
    found = [each for each in seen({**known, **own, **counted}) if each.key.endswith("forward")]
    assert [(each.severity, each.title) for each in found] == ([("info", title)] if title else [])


TOO_LARGE = "This host gets 8 packets/s to pass on that are too large for the next link"
DROPPED = "This host does not let 8 packets/s leave that it forwards or sends itself"


@pytest.mark.parametrize(
    ("counted", "severity", "titles"),
    [
        # Its own filter drops what it answers.
        (
            {"OutRequests": 9, "OutTransmits": 16},
            "warning",
            [f"{TOO_LARGE}, and drops "],
        ),
        ({"OutRequests": 9, "OutTransmits": 24}, "info", [TOO_LARGE]),
        # Something else does not leave, which may be its own, or not: no answers are sent.
        (
            {"OutRequests": 9, "OutTransmits": 16, "OutDestUnreachs": 0},
            "info",
            [DROPPED, TOO_LARGE],
        ),
        ({"OutRequests": 9, "OutTransmits": 31, "FragFails": 0.5}, "", []),  # one now and then
        ({"OutRequests": 9, "OutTransmits": 24, "ForwDatagrams": 0}, "", []),  # its own
    ],
)
def test_a_gateway_to_a_link_with_a_smaller_mtu(
    counted: Mapping[str, float], severity: str, titles: list[str]
) -> None:
    known = {"InReceives": 25, "InDelivers": 1, "ForwDatagrams": 23, "FragFails": 8}
    found = seen({**known, "OutDestUnreachs": 8, **counted})
    every = [each for each in found if each.key.endswith(("too-large", "forward"))]
    assert [each.severity for each in every] == [severity] * len(titles)
    for title, begins in zip(sorted(each.title for each in every), titles, strict=True):
        assert title.startswith(begins)


def full(remote: str = "10.0.0.9:5555", again: int = 4, send_q: int = 90_000) -> Row:
    info = {"snd_mss": 1448, "pmtu": 1500, "unacked": 10, "last_ack_recv": 9000, "backoff": again}
    row = socket("ESTABLISHED", "10.0.0.1:80", remote, inode=1, send_q=send_q, timer=1)
    return row | {"retrans": again, "info": info | {"rto": 3_000_000, "bytes_acked": 1}}


def small(heard_ms: int = 200) -> Row:
    info = {"last_ack_recv": heard_ms, "snd_mss": 1448}
    return socket("ESTABLISHED", "10.0.0.1:80", "10.0.0.9:5556", inode=1, cookie=77) | {
        "info": info
    }


def found(*rows: Row, probing: str = "0") -> Findings:
    limits = (kernel(sysctls={"net.ipv4.tcp_mtu_probing": probing}),)
    return once(list(rows), owners=HELD, kernel=limits)


def passed(row: Row, backoff: int) -> Row:
    """A hundred full segments were acknowledged before, some at the second try."""
    info = {"bytes_acked": 144_800, "data_segs_out": 130, "total_retrans": 20, "backoff": backoff}
    return row | {"info": row["info"] | info}


def local() -> Row:
    """Tried each half second, as the device of this host drops it."""
    row = full()
    return row | {"info": row["info"] | {"backoff": 0}}


@pytest.mark.parametrize("row", [passed(full(), 5), local(), full(again=3)])
def test_of_one_segment_that_is_lost_again_and_again(row: Row) -> None:
    (finding,) = of(found(row, small()), MTU)
    assert ("drops them" in " ".join(finding.evidence)) is (row["info"]["backoff"] == 0)


def test_a_filter_may_take_the_message_that_tells_the_size() -> None:
    sysctls = {"net.ipv4.tcp_mtu_probing": "0"}

    def told(**taken: float) -> str:
        made = counters({"InSegs": 2.0, **taken}, sysctls)
        every = watch(7, lambda _: [full(), small()], kernel=made, owners=HELD)
        (finding,) = of(every[-1], MTU)
        return " ".join(finding.evidence)

    sentence = "This host lets 18 incoming packets/s not pass meanwhile"
    assert sentence in told(**TAKEN)
    assert sentence not in told()
    assert 'no ICMP "fragmentation needed" has reached TCP' in told()


def test_full_segments_are_lost_and_small_ones_are_not() -> None:
    every = found(full(), small())
    (finding,) = of(every, MTU)
    assert finding.severity == "warning"
    assert finding.title == (
        "Large packets to 10.0.0.9 are lost: 1 connection of nginx retransmits full segments, "
        "small ones get through"
    )
    assert finding.values == {"connections": 1, "small": 1, "mss": 1448, "pmtu": 1500}
    assert "ping -M do -s 1472 10.0.0.9" in finding.advice
    assert of(every, "black-hole") == ()


@pytest.mark.parametrize(
    "rows",
    [
        [full()],  # nothing there is answered: a black hole
        [full(), small(heard_ms=8900)],
        [full(again=2), small()],
        [full(send_q=700), small()],
        [full(), small(), full("10.0.0.9:5557", send_q=700)],  # small ones are lost too
        [passed(full(), 4), small()],  # full ones pass: four timeouts in a row are chance
        [passed(full(), 0), small()],
        [local(), small(), passed(full("10.0.7.7:5558"), 0)],  # a queue that is full drops
    ],
)
def test_else_it_is_not_the_size(rows: list[Row]) -> None:
    rows = [row | {"cookie": 100 + n} for n, row in enumerate(rows)]
    assert of(found(*rows), MTU) == ()


def test_where_the_kernel_looks_for_the_size_itself() -> None:
    assert of(found(full(), small(), probing="1"), MTU) == ()


def test_a_neighbour_that_does_not_answer_fails_every_three_seconds() -> None:
    """All that waited for it are rejected at once then."""

    def at(number: int) -> tuple[Kernel]:
        rejected = 1000 + 21 * (number // 3)
        made = {"OutDestUnreachs": rejected, "InDestUnreachs": 0, "InSegs": 100 * number}
        return (replace(kernel(), counters={"Tcp": {}, "TcpExt": made}),)

    every = watch(9, lambda _: [], kernel=at)
    found = [each for findings in every[6:] for each in of(findings, REJECTED)]
    assert found
    assert {each.key.rpartition("/")[2] for each in found} == {"filter"}


@pytest.mark.parametrize(
    ("per_s", "told"),
    [
        ({"OutNoRoutes": 12}, "warning"),
        ({"OutNoRoutes": 4}, None),
        ({"OutNoRoutes": 12, "ListenDrops": 12}, None),  # answers, as listener-drops tells
        ({"OutNoRoutes": 20, "ListenDrops": 12}, "warning"),
    ],
)
def test_calls_without_a_route(per_s: Mapping[str, float], told: str | None) -> None:
    found = [each for each in seen(per_s) if each.key.endswith("no-route")]
    assert [each.severity for each in found] == ([told] if told else [])
    for finding in found:
        assert f"IpOutNoRoutes rises by {per_s['OutNoRoutes']}/s" in finding.evidence[0]
        assert "ip route get" in finding.advice


@pytest.mark.parametrize(("own", "severity"), [([], "info"), (["10.0.0.9:80"], "warning")])
def test_a_host_of_ipv6_that_tries_both_addresses_of_names(own: list[str], severity: str) -> None:
    """getaddrinfo() asks for a route of each (RFC 6724), and every call goes well."""
    heard = {"last_ack_recv": 10, "last_data_recv": 10}
    there = [f"[2001:db8::{n:x}]:443" for n in range(1, 81)]
    rows = [socket("ESTABLISHED", "[2001:db8:1::1]:40000", to, info=heard) for to in there]
    rows += [socket("ESTABLISHED", "10.0.0.1:40000", to, info=heard) for to in own]
    known = counters({"OutNoRoutes": 8, "InSegs": 100})
    (finding,) = of(watch(7, lambda _: rows, kernel=known)[-1], REJECTED)
    assert finding.severity == severity
