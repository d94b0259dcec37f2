"""When the kernel really gives up, against what was computed before it did.

Timers may fire late by an eighth of their time (kernel/time/timer.c). When something happened is
known from before and after: on a busy machine those lie apart.
"""

from __future__ import annotations

import errno
import socket
import time
from collections.abc import Callable
from typing import NamedTuple, TypeVar

import numpy as np
import pytest

from tcptop.analysis import timeouts
from tcptop.demo import held, sockets, veth
from tcptop.demo.held import keep_alive
from tcptop.demo.namespace import DemoNamespace
from tcptop.model import tcp
from tcptop.model.sysctls import Sysctls
from tcptop.model.table import SocketTable
from tcptop.sources.counters import read_kernel
from tcptop.sources.sock_diag import SockDiag
from tests.kernel.states import SocketPair

SLACK_S = 0.25  # interrupts and ticks of a loaded machine
DEADLINE_S = 30.0
LOOKS_S = 0.02

Link = tuple[DemoNamespace, DemoNamespace]
T = TypeVar("T")


class Span(NamedTuple):
    """Something happened between these two moments of the monotonic clock."""

    after: float
    before: float


class Dump(NamedTuple):
    """A socket's timer, and when it was read."""

    at: Span
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


def timed(do: Callable[[], T]) -> tuple[T, Span]:
    """What a call returns, and when it was made."""
    began = time.monotonic()
    return do(), Span(began, time.monotonic())


def dumps(namespace: DemoNamespace, inode: int) -> tuple[list[Dump], Span]:
    """Looks at one socket until it is gone, and when it went."""
    seen: list[Dump] = []
    end = time.monotonic() + DEADLINE_S
    with namespace.entered(), SockDiag(namespace.inode) as diag:
        while time.monotonic() < end:
            table, at = timed(diag.dump)
            rows = np.flatnonzero(table.inode == inode)
            if not len(rows):
                return seen, Span(seen[-1].at.after, at.before)
            seen.append(_dump(table.take(rows), at))
            time.sleep(LOOKS_S)
    pytest.fail(f"still there after {DEADLINE_S} s")


def _dump(row: SocketTable, at: Span) -> Dump:
    return Dump(
        at,
        int(row.timer[0]),
        int(row.expires[0]),
        int(row.retrans[0]),
        int(row.tcp_info("rto")[0]),
        int(row.tcp_info("backoff")[0]),
    )


def as_predicted(left_s: float, began: Span, ended: Span, timers_s: float) -> bool:
    """Whether `left_s` may lie between; `timers_s` is the full length of the timers that run out
    in that time."""
    least, most = ended.after - began.before, ended.before - began.after
    return left_s - SLACK_S <= most and least <= left_s + timers_s / 8 + SLACK_S


@pytest.mark.parametrize("retries", [1, 3])
def test_a_black_hole_is_given_up_when_computed(linked: Link, retries: int) -> None:
    client, server = linked
    client.sysctl("net.ipv4.tcp_retries2", retries)
    values = sysctls(client)
    pair = joined(client, server)
    veth.black_hole(client, veth.SERVER)
    _, sent = timed(lambda: client.run(held.send, pair.client.fd, 100))
    looks, gone = dumps(client, pair.client.inode)
    seen = [dump for dump in looks if dump.backoff]
    assert {dump.backoff for dump in seen} >= set(range(1, retries + 1))
    limit = timeouts.give_up_s(values)
    assert limit is not None
    assert gone.before - sent.after > limit
    for dump in seen:
        left = timeouts.give_up_in_s(values, dump.rto_us, dump.backoff, dump.expires_ms)
        assert left is not None
        timeout = dump.rto_us / 1e6
        assert as_predicted(left, dump.at, gone, left + timeout), dump
        spent = timeouts.retransmitting_for_s(dump.rto_us, dump.backoff, dump.expires_ms)
        # A loss probe may come before the first timeout, and take as long.
        first = timeout / 2**dump.backoff
        assert spent - SLACK_S <= dump.at.before - sent.after, dump
        assert dump.at.after - sent.before <= (spent + first) * 9 / 8 + SLACK_S, dump
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
    made, began = timed(lambda: client.run(sockets.dialing, veth.NOBODY, 80))
    seen, gone = dumps(client, made.inode)
    assert as_predicted(limit, began, gone, limit)
    for dump in seen:
        left = timeouts.syn_give_up_in_s(values, dump.retrans, dump.expires_ms)
        assert left is not None
        assert as_predicted(left, dump.at, gone, limit), dump
    assert client.run(error, made.fd) == errno.ETIMEDOUT


def test_a_vanished_peer_is_noticed_when_computed(linked: Link) -> None:
    client, server = linked
    client.sysctl("net.ipv4.tcp_keepalive_probes", 2)
    pair = joined(client, server)
    veth.black_hole(client, veth.SERVER)
    _, began = timed(lambda: client.run(keep_alive, pair.client.fd, 1, 1))
    seen, gone = dumps(client, pair.client.inode)
    assert {dump.timer for dump in seen} == {tcp.TIMERS.index("keepalive")}
    assert as_predicted(timeouts.keepalive_s(1, 1, 2), began, gone, 3)
    assert client.run(error, pair.client.fd) == errno.ETIMEDOUT
