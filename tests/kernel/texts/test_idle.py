"""What the texts say of keepalive, tried on real sockets."""

from __future__ import annotations

import errno
import socket

from tcptop.demo import veth
from tcptop.demo.namespace import DemoNamespace
from tests.kernel.texts.inside import connected, error_within, row

Link = tuple[DemoNamespace, DemoNamespace]
TCP_USER_TIMEOUT = 18  # linux/tcp.h


def keep_alive(made: socket.socket, **options: int) -> None:
    """Options by their names without TCP_."""
    for name, value in options.items():
        made.setsockopt(socket.IPPROTO_TCP, getattr(socket, f"TCP_{name}"), value)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)


def test_a_sysctl_does_not_touch_a_timer_that_is_set(namespace: DemoNamespace) -> None:
    old, _peer = connected(namespace, namespace, "127.0.0.1")
    keep_alive(old)
    namespace.sysctl("net.ipv4.tcp_keepalive_time", 60)
    assert row(namespace, old).expires > 7_000_000
    new, _other = connected(namespace, namespace, "127.0.0.1")
    keep_alive(new)
    assert 50_000 < row(namespace, new).expires <= 61_000
    old.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 50)  # the socket's own acts at once
    assert 40_000 < row(namespace, old).expires <= 51_000


def test_user_timeout_takes_the_place_of_the_count_of_probes(linked: Link) -> None:
    client, server = linked
    counted_out, _peer = connected(client, server, veth.SERVER.v4)
    timed_out, _other = connected(client, server, veth.SERVER.v4)
    veth.black_hole(client, veth.SERVER)
    timed_out.setsockopt(socket.IPPROTO_TCP, TCP_USER_TIMEOUT, 2000)
    keep_alive(timed_out, KEEPIDLE=1, KEEPINTVL=1, KEEPCNT=9)
    failed, took = error_within(timed_out, 8)
    assert failed == errno.ETIMEDOUT
    assert 1.9 < took < 4
    keep_alive(counted_out, KEEPIDLE=1, KEEPINTVL=1, KEEPCNT=3)
    failed, took = error_within(counted_out, 12)
    assert failed == errno.ETIMEDOUT
    assert 3.9 < took < 7
