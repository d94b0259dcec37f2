"""What the texts say of connections that are opened, tried on real sockets."""

from __future__ import annotations

import errno
import socket
import time

import pytest

from tcptop.demo import veth
from tcptop.demo.namespace import DemoNamespace
from tcptop.model import tcp
from tests.kernel.texts.inside import (
    OPTIONS,
    SACK,
    SCALED,
    TIMESTAMPS,
    connected,
    counted,
    error_within,
    info_byte,
    listener,
    states,
)

Link = tuple[DemoNamespace, DemoNamespace]
ABSENT = "10.78.0.50"  # on the link, and asked for by ARP in vain


def test_a_dead_neighbour_is_noticed_after_three_seconds(linked: Link) -> None:
    """Not after two minutes, and no SYN is repeated: see connect-unanswered."""
    client, _ = linked
    with counted(client) as risen, client.entered(), socket.socket() as made:
        began = time.monotonic()
        with pytest.raises(OSError, match="No route to host") as failed:
            made.connect((ABSENT, 80))
        took = time.monotonic() - began
    assert failed.value.errno == errno.EHOSTUNREACH
    assert 2.5 < took < 6
    assert risen["TCPSynRetrans"] == 0
    assert risen["TCPAbortOnTimeout"] == 0


def test_an_open_connection_to_a_dead_neighbour_takes_as_long_as_any(linked: Link) -> None:
    """ARP only says with which error it ends: see black-hole."""
    client, server = linked
    client.sysctl("net.ipv4.tcp_retries2", 3)
    client.sysctl(f"net.ipv4.neigh.{veth.DEVICE}.retrans_time_ms", 300)  # ARP fails after 0.9 s
    ends = connected(client, server, veth.SERVER.v4)
    server.command(["ip", "link", "set", veth.DEVICE, "arp", "off"])
    client.command(["ip", "neigh", "del", veth.SERVER.v4, "dev", veth.DEVICE])
    ends.client.settimeout(30)
    ends.client.send(b"x")
    began = time.monotonic()
    with pytest.raises(OSError, match="No route to host") as failed:
        ends.client.recv(1)
    assert failed.value.errno == errno.EHOSTUNREACH
    assert time.monotonic() - began > 3.0  # model: 0.2 + 0.4 + 0.8 + 1.6


def test_syns_that_are_given_up_count_as_aborted_on_timeout(linked: Link) -> None:
    client, _ = linked
    client.sysctl("net.ipv4.tcp_syn_retries", 1)
    with counted(client) as risen, client.entered(), socket.socket() as made:
        made.setblocking(False)
        made.connect_ex((veth.NOBODY, 80))
        assert error_within(made, 10)[0] == errno.ETIMEDOUT
    assert risen["TCPAbortOnTimeout"] == 1
    assert risen["TCPSynRetrans"] >= 1


@pytest.mark.parametrize(("timestamps", "kept"), [(1, TIMESTAMPS | SACK | SCALED), (0, 0)])
def test_a_cookie_keeps_options_by_timestamps_alone(
    namespace: DemoNamespace, timestamps: int, kept: int
) -> None:
    namespace.sysctl("net.ipv4.tcp_syncookies", 2)  # always
    namespace.sysctl("net.ipv4.tcp_timestamps", timestamps)
    with counted(namespace) as risen:
        ends = connected(namespace, namespace, "127.0.0.1")
        ends.client.send(b"x")
        ends.server.recv(1)
    assert risen["SyncookiesRecv"] == 1
    options = TIMESTAMPS | SACK | SCALED
    assert [info_byte(end, OPTIONS) & options for end in ends] == [kept, kept]


def test_without_cookies_scaling_does_not_depend_on_timestamps(namespace: DemoNamespace) -> None:
    namespace.sysctl("net.ipv4.tcp_timestamps", 0)
    ends = connected(namespace, namespace, "127.0.0.1")
    assert info_byte(ends.client, OPTIONS) & (TIMESTAMPS | SACK | SCALED) == SACK | SCALED


@pytest.mark.parametrize("timestamps", [1, 0])
def test_a_server_s_time_wait_lets_the_same_port_in(linked: Link, timestamps: int) -> None:
    client, server = linked
    client.sysctl("net.ipv4.tcp_timestamps", timestamps)
    with server.entered():
        waiting = listener(veth.SERVER.v4)
    with client.entered():
        first = socket.create_connection(waiting.getsockname())
    source = first.getsockname()
    waiting.accept()[0].close()
    assert first.recv(1) == b""
    first.close()
    assert states(server) == [tcp.TIME_WAIT]
    with client.entered():
        again = socket.create_connection(waiting.getsockname(), 5, source)
    assert again.getsockname() == source
    assert states(server) == [tcp.ESTABLISHED]


def test_a_client_may_have_the_port_of_a_service(namespace: DemoNamespace) -> None:
    """Hence reserve first, then widen the range: see ports."""
    namespace.sysctl("net.ipv4.ip_local_port_range", "40000 40001")
    with namespace.entered():
        waiting = listener("127.0.0.1", port=7000)
        taken = socket.create_connection(waiting.getsockname()).getsockname()[1]
        with pytest.raises(OSError, match="Address already in use") as failed:
            listener("127.0.0.1", port=taken)
        assert failed.value.errno == errno.EADDRINUSE
        namespace.sysctl("net.ipv4.ip_local_reserved_ports", "40000-40001")
        with pytest.raises(OSError, match="Cannot assign requested address"):
            socket.create_connection(waiting.getsockname())


def test_abort_on_overflow_leaves_syns_unanswered(namespace: DemoNamespace) -> None:
    namespace.sysctl("net.ipv4.tcp_abort_on_overflow", 1)
    with counted(namespace) as risen, namespace.entered():
        full = listener("127.0.0.1", backlog=0)
        with socket.create_connection(full.getsockname()), socket.socket() as late:
            late.settimeout(0.5)
            with pytest.raises(TimeoutError):
                late.connect(full.getsockname())
    assert risen["ListenOverflows"] >= 1
    assert risen["OutRsts"] == 0


def test_a_client_that_retries_in_the_range_meets_itself(namespace: DemoNamespace) -> None:
    """And takes the port from the service that it waits for: see self-connect."""
    namespace.sysctl("net.ipv4.ip_local_port_range", "40000 40003")
    with namespace.entered():
        ours = _retrying(("127.0.0.1", 40000), 100)
        assert ours.getsockname() == ours.getpeername()
        ours.send(b"echo")
        assert ours.recv(4) == b"echo"
        service = socket.socket()
        service.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with pytest.raises(OSError, match="Address already in use"):
            service.bind(("0.0.0.0", 40000))


def _retrying(to: tuple[str, int], tries: int) -> socket.socket:
    for _ in range(tries):
        made = socket.socket()
        if made.connect_ex(to) == 0:
            return made
        made.close()
    raise TimeoutError(f"not connected after {tries} tries")


def test_a_syn_without_a_way_back_counts_at_the_listener(linked: Link) -> None:
    """With strict filtering of sources it is dropped before, and counts elsewhere."""
    client, server = linked
    elsewhere = "10.99.0.1"
    client.command(["ip", "addr", "add", f"{elsewhere}/32", "dev", "lo"])
    with server.entered():
        waiting = listener(veth.SERVER.v4)
    for strict, rising in ((0, "ListenDrops"), (1, "IPReversePathFilter")):
        for which in ("all", veth.DEVICE):
            server.sysctl(f"net.ipv4.conf.{which}.rp_filter", strict)
        with counted(server) as risen, client.entered(), socket.socket() as made:
            made.settimeout(0.3)
            made.bind((elsewhere, 0))
            with pytest.raises(TimeoutError):
                made.connect(waiting.getsockname())
        names = ("ListenDrops", "IPReversePathFilter")
        assert [name for name in names if risen[name]] == [rising]
