"""What the texts say of data that is sent, tried on real sockets."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from tcptop.demo import veth
from tcptop.demo.held import until
from tcptop.demo.namespace import DemoNamespace
from tests.kernel.texts.inside import (
    BACKOFF,
    NOTSENT_BYTES,
    SND_MSS,
    UNACKED,
    Ends,
    connected,
    counted,
    info_byte,
    info_number,
    listener,
    row,
)

Link = tuple[DemoNamespace, DemoNamespace]
DELAYED_ACK_S = 0.04  # TCP_DELACK_MIN; timers end with a tick, which may come a little early
FAR = "10.9.0.1"


@pytest.mark.parametrize(("first_is_full", "waits"), [(True, 0), (False, 10)])
def test_only_a_small_segment_in_flight_holds_a_small_one_back(
    linked: Link, first_is_full: bool, waits: int
) -> None:
    """Minshall's variant of Nagle's rule (tcp_minshall_check, net/ipv4/tcp_output.c)."""
    client, server = linked
    made, _peer = connected(client, server, veth.SERVER.v4)
    veth.black_hole(client, veth.SERVER)  # nothing is acknowledged
    made.send(bytes(info_number(made, SND_MSS) if first_is_full else 10))
    made.send(bytes(10))
    assert info_number(made, NOTSENT_BYTES) == waits
    assert info_number(made, UNACKED) == (2 if first_is_full else 1)


def test_write_write_read_waits_for_a_delayed_ack(namespace: DemoNamespace) -> None:
    ends = connected(namespace, namespace, "127.0.0.1")
    for _ in range(30):  # at first the receiver acknowledges at once (quick acks)
        exchange(ends, b"ab")
    slow = [exchange(ends, b"a", b"b") for _ in range(10)][2:]
    fast = [exchange(ends, b"ab") for _ in range(10)]
    ends.client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    undelayed = [exchange(ends, b"a", b"b") for _ in range(10)]
    assert min(slow) > 0.8 * DELAYED_ACK_S
    assert max(min(fast), min(undelayed)) < 0.5 * DELAYED_ACK_S


def exchange(ends: Ends, *parts: bytes) -> float:
    """Seconds from a request of two bytes, in one write or two, to its answer."""
    began = time.monotonic()
    for part in parts:
        ends.client.send(part)
    assert ends.server.recv(2, socket.MSG_WAITALL) == b"ab"
    ends.server.send(b"!")
    assert ends.client.recv(1) == b"!"
    return time.monotonic() - began


def test_what_the_own_device_drops_is_tried_twice_a_second(linked: Link) -> None:
    """The other end of the veth has become narrower than what was agreed."""
    client, server = linked
    made, _peer = connected(client, server, veth.SERVER.v4)
    server.command(["ip", "link", "set", veth.DEVICE, "mtu", "1000"])
    made.send(bytes(1400))
    began = time.monotonic()
    until(lambda: row(client, made).retrans == 6, "six tries", 20)
    took = time.monotonic() - began
    assert info_byte(made, BACKOFF) == 0
    assert row(client, made).expires <= 600
    assert 2.0 < took < 8.0  # 12.6 s if each wait were twice the one before


class Path(NamedTuple):
    """A client, a router whose way on is narrow, and a server that answers by another way."""

    client: DemoNamespace
    router: DemoNamespace
    server: DemoNamespace


@pytest.fixture
def narrow() -> Iterator[Path]:
    """The router's ICMP errors do not get back, for it has no route to where the client is."""
    with (
        DemoNamespace() as client,
        DemoNamespace(beside=client) as router,
        DemoNamespace(beside=client) as server,
    ):
        join(client, "10.1.0.1", router, "10.1.0.2")
        join(router, "10.2.0.1", server, "10.2.0.2", mtu=1200)
        join(client, "10.3.0.1", server, "10.3.0.2")
        server.command(["ip", "addr", "add", f"{FAR}/32", "dev", "lo"])
        client.command(["ip", "route", "add", FAR, "via", "10.1.0.2", "src", "10.3.0.1"])
        router.command(["ip", "route", "add", FAR, "via", "10.2.0.2"])
        router.sysctl("net.ipv4.ip_forward", 1)
        yield Path(client, router, server)


def join(one: DemoNamespace, here: str, other: DemoNamespace, there: str, mtu: int = 1500) -> None:
    """A veth pair named by its ends' addresses; `mtu` is that of this end."""
    for namespace in (one, other):
        for which in ("all", "default"):
            namespace.sysctl(f"net.ipv4.conf.{which}.rp_filter", 0)
    words = f"ip link add {here} type veth peer name {there} netns {other.pid}"
    one.command(words.split())
    for namespace, address in ((one, here), (other, there)):
        namespace.command(f"ip addr add {address}/24 dev {address}".split())
        namespace.command(f"ip link set {address} up".split())
    one.command(f"ip link set {here} mtu {mtu}".split())


@pytest.mark.parametrize("probing", [0, 1])
def test_mtu_probing_gets_large_segments_through(narrow: Path, probing: int) -> None:
    """Without it the connection hangs, though it works for what is small: see mtu."""
    narrow.client.sysctl("net.ipv4.tcp_mtu_probing", probing)
    with narrow.server.entered():
        waiting = listener(FAR)
    with narrow.client.entered():
        made = socket.create_connection(waiting.getsockname(), timeout=5)
    peer, _ = waiting.accept()
    made.send(b"small")
    assert peer.recv(5) == b"small"
    with counted(narrow.client) as risen:
        made.send(bytes(1400))
        if probing:
            until(lambda: row(narrow.client, made).send_q == 0, "all to arrive", 20)
        else:
            until(lambda: info_byte(made, BACKOFF) >= 5, "five timeouts", 20)
            assert row(narrow.client, made).send_q == 1400
    assert risen["TCPTimeouts"] >= 3
    assert info_number(made, SND_MSS) == (1024 if probing else 1448)
