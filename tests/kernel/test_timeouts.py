"""When the kernel really gives up, against what was computed before it did.

Timers may fire late by an eighth of their time (kernel/time/timer.c).
"""

from __future__ import annotations

import errno
import socket
import time
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pytest

from tcptop.analysis import timeouts
from tcptop.demo import held, sockets, veth
from tcptop.demo.held import keep_alive
from tcptop.demo.namespace import DemoNamespace
from tcptop.model import tcp
from tcptop.model.sysctls import Sysctls
from tcptop.sources.counters import read_kernel
from tcptop.sources.sock_diag import SockDiag
from tests.kernel.states import SocketPair

SLACK_S = 0.25  # a loaded machine, and the interval of the looks
DEADLINE_S = 10.0
LOOKS_S = 0.02

Link = tuple[DemoNamespace, DemoNamespace]


class Dump(NamedTuple):
    """A socket's timer, and when it was read (monotonic clock)."""

    at: float
    timer: int
    expires_ms: int
    retrans: int
    rto_us: int
    backoff: int


def sysctls(namespace: DemoNamespace) -> Sysctls:
    return namespace.in_thread(read_kernel, namespace.inode).sysctls


def joined(client: DemoNamespace, server: DemoNamespace) -> SocketPair:
    """A connection over the link that the two namespaces share."""
    listener = server.run(sockets.listening, veth.SERVER.v4)
    ours = client.run(sockets.connected, veth.SERVER.v4, listener.local[1])
    return SocketPair(ours, server.run(sockets.accepted, listener.fd))


def dumps(namespace: DemoNamespace, inode: int) -> Iterator[Dump]:
    """Looks at one socket until it is gone."""
    end = time.monotonic() + DEADLINE_S
    with namespace.entered(), SockDiag(namespace.inode) as diag:
        while time.monotonic() < end:
            table = diag.dump()
            rows = np.flatnonzero(table.inode == inode)
            if not len(rows):
                return
            row = table.take(rows)
            yield Dump(
                time.monotonic(),
                int(row.timer[0]),
                int(row.expires[0]),
                int(row.retrans[0]),
                int(row.tcp_info("rto")[0]),
                int(row.tcp_info("backoff")[0]),
            )
            time.sleep(LOOKS_S)
    pytest.fail(f"still there after {DEADLINE_S} s")


def as_predicted(left_s: float, real_s: float, timers_s: float) -> bool:
    """`timers_s` is the full length of the timers that run out in that time."""
    return left_s - SLACK_S <= real_s <= left_s + timers_s / 8 + SLACK_S


@pytest.mark.parametrize("retries", [1, 3])
def test_a_black_hole_is_given_up_when_computed(linked: Link, retries: int) -> None:
    client, server = linked
    client.sysctl("net.ipv4.tcp_retries2", retries)
    values = sysctls(client)
    pair = joined(client, server)
    veth.black_hole(client, veth.SERVER)
    sent = time.monotonic()
    client.run(held.send, pair.client.fd, 100)
    seen = [dump for dump in dumps(client, pair.client.inode) if dump.backoff]
    gone = time.monotonic()
    assert {dump.backoff for dump in seen} >= set(range(1, retries + 1))
    limit = timeouts.give_up_s(values)
    assert limit is not None
    assert gone - sent > limit
    for dump in seen:
        left = timeouts.give_up_in_s(values, dump.rto_us, dump.backoff, dump.expires_ms)
        assert left is not None
        timeout = dump.rto_us / 1e6
        assert as_predicted(left, gone - dump.at, left + timeout), dump
        spent = timeouts.retransmitting_for_s(dump.rto_us, dump.backoff, dump.expires_ms)
        # A loss probe may come before the first timeout, and take as long.
        first = timeout / 2**dump.backoff
        assert spent - SLACK_S <= dump.at - sent <= (spent + first) * 9 / 8 + SLACK_S
    assert client.run(error, pair.client.fd) == errno.ETIMEDOUT


def error(fd: int) -> int:
    return held.get(fd).getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)


@pytest.mark.parametrize(("retries", "linear"), [(1, 0), (1, 1), (1, 4)])
def test_a_connect_is_given_up_when_computed(linked: Link, retries: int, linear: int) -> None:
    client, _ = linked
    client.sysctl("net.ipv4.tcp_syn_retries", retries)
    if "net.ipv4.tcp_syn_linear_timeouts" in sysctls(client):  # 6.5
        client.sysctl("net.ipv4.tcp_syn_linear_timeouts", linear)
    values = sysctls(client)
    limit = timeouts.syn_give_up_s(values)
    assert limit is not None
    began = time.monotonic()
    made = client.run(sockets.dialing, veth.NOBODY, 80)
    seen = list(dumps(client, made.inode))
    gone = time.monotonic()
    assert as_predicted(limit, gone - began, limit)
    assert seen
    for dump in seen:
        left = timeouts.syn_give_up_in_s(values, dump.retrans, dump.expires_ms)
        assert left is not None
        assert as_predicted(left, gone - dump.at, limit), dump
    assert client.run(error, made.fd) == errno.ETIMEDOUT


def test_a_vanished_peer_is_noticed_when_computed(linked: Link) -> None:
    client, server = linked
    client.sysctl("net.ipv4.tcp_keepalive_probes", 2)
    pair = joined(client, server)
    veth.black_hole(client, veth.SERVER)
    began = time.monotonic()
    client.run(keep_alive, pair.client.fd, 1, 1)
    timers = {dump.timer for dump in dumps(client, pair.client.inode)}
    assert timers == {tcp.TIMERS.index("keepalive")}
    assert as_predicted(timeouts.keepalive_s(1, 1, 2), time.monotonic() - began, 3)
    assert client.run(error, pair.client.fd) == errno.ETIMEDOUT
