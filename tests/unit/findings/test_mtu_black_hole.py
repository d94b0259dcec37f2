"""mtu-black-hole: full segments are lost, small ones get through."""

from __future__ import annotations

import numpy as np
import pytest

from tcptop.model.route import Route, RouteKey
from tcptop.model.sample import Deaths
from tests.unit.findings.watched import Findings, watch
from tests.unit.prepared import NETNS, NGINX, TAKEN_AT, Row, kernel, owners, socket, table

ID, HOLE = "mtu-black-hole", "black-hole"
KERNEL = (kernel(sysctls={"net.ipv4.tcp_mtu_probing": "0", "net.ipv4.tcp_retries2": "15"}),)
LISTENER = socket("LISTEN", "10.0.0.1:5432", inode=9, cookie=99)
REMOTE = "10.0.0.7"


def stuck(number: int, **info: int) -> Row:
    """400 bytes were acknowledged in small segments, and then no full one."""
    rto = 204_000 * 2**5
    known = {"rto": rto, "backoff": 5, "last_ack_recv": 20_000, "snd_mss": 1448, "unacked": 10}
    known |= {"bytes_acked": 410, "data_segs_out": 18, "total_retrans": 5, "pmtu": 1500}
    row = socket("ESTABLISHED", "10.0.0.1:5432", f"{REMOTE}:5000{number}", timer=1, retrans=5)
    return row | {
        "inode": number,
        "cookie": number,
        "send_q": 80_000,
        "expires": 3000,
        "info": known | info,
    }


def answered(number: int, remote: str) -> tuple[Deaths, ...]:
    """A short connection that went well has ended."""
    info = {"bytes_received": 100, "bytes_acked": 202, "last_data_recv": 5, "data_segs_in": 1}
    info |= {"segs_out": 4, "segs_in": 3, "data_segs_out": 1, "bytes_sent": 200, "rtt": 200}
    row = socket("CLOSE", "10.0.0.1:5432", f"{remote}:40001", inode=0, cookie=1000 + number)
    some = table([row | {"info": info}])
    return (Deaths(NETNS, some, np.full(1, TAKEN_AT + number)),)


def found(remote: str, **info: int) -> Findings:
    rows = [LISTENER, *(stuck(n, **info) for n in range(1, 5))]
    held = owners(*((n, NGINX, n) for n in range(1, 10)))
    return watch(
        8,
        lambda _: rows,
        owners=held,
        kernel=KERNEL,
        deaths=lambda number: answered(number, remote),
    )[-1]


def test_short_connections_tell_that_the_path_works() -> None:
    (finding,) = found(REMOTE)
    assert (finding.id, finding.severity) == (ID, "critical")
    assert finding.values["small"] == 8
    assert "8 other connections with the same address were acknowledged" in finding.evidence[1]


def test_others_tell_nothing_of_it_but_it_is_suspected() -> None:
    (finding,) = found("10.0.9.9")
    assert finding.id == HOLE
    assert finding.title.startswith("Nothing comes back from 10.0.0.7: 4 connections")
    assert "tcptop explain mtu-black-hole" in finding.advice


def test_who_had_large_segments_acknowledged_is_a_host_that_is_gone() -> None:
    (finding,) = found(REMOTE, bytes_acked=900_000, data_segs_out=640)
    assert finding.id == HOLE
    assert "Nothing comes back" not in finding.title
    assert "8 other connections of this listener had an answer" in " ".join(finding.evidence)
    assert "mtu-black-hole" not in finding.advice


def mixed(full: int, **info: int) -> Findings:
    """Full segments beside requests of a few bytes that nobody answers either, and one that is."""
    rows = [stuck(n, **info) for n in range(1, full + 1)]
    small = [stuck(n, data_segs_out=3, unacked=1) | {"send_q": 9} for n in (6, 7)]
    heard = stuck(8, last_ack_recv=10, backoff=0, unacked=0)
    others = [heard | {"send_q": 0, "timer": 0, "retrans": 0}]
    held = owners(*((n, NGINX, n) for n in range(1, 10)))
    return watch(3, lambda _: [LISTENER, *rows, *small, *others], owners=held, kernel=KERNEL)[-1]


def test_what_a_device_of_this_host_refuses_is_told_beside_small_ones_that_wait() -> None:
    """The host's end of a veth has the usual MTU, the container's jumbo frames."""
    cause, effect = sorted(mixed(3, backoff=0, rto=204_000), key=lambda each: each.id != ID)
    assert (cause.id, cause.values["connections"]) == (ID, 3)
    assert cause.advice.startswith("Look at this host first")
    assert (effect.id, effect.because) == (HOLE, cause.key)


def test_small_ones_that_wait_too_are_a_state_that_was_lost() -> None:
    assert [each.id for each in mixed(3)] == [HOLE]
    assert [each.id for each in mixed(2, backoff=0, rto=204_000)] == [HOLE]


@pytest.mark.parametrize("gateway", [None, "10.0.0.254"])
def test_on_the_link_no_router_tells(gateway: str | None) -> None:
    way = Route(1000.0, kind="unicast", gateway=gateway)
    rows = [LISTENER, *(stuck(n) for n in range(1, 5))]
    finding = watch(
        8,
        lambda _: rows,
        kernel=KERNEL,
        deaths=lambda number: answered(number, REMOTE),
        routes={RouteKey(NETNS, "10.0.0.1", REMOTE): way},
    )[-1][0]
    assert (f"{REMOTE} is on the link, with no router" in finding.advice) is (gateway is None)
    assert ("ICMP type 3 code 4" in finding.advice) is (gateway is not None)
