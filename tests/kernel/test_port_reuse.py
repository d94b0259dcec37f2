"""Ports in TIME_WAIT: when connect() takes them again, and what tcptop says of them."""

import errno
import socket
from contextlib import suppress

import numpy as np
import pytest

from tcptop.demo import held, sockets
from tcptop.demo.held import HeldSockets, until
from tcptop.demo.namespace import DemoNamespace
from tcptop.model import tcp
from tcptop.model.snapshot import Snapshot
from tcptop.model.table import I64
from tests.kernel import states
from tests.kernel.ports import Watch, dial, group, left, set_range

DELAY_MS = 100  # tcp_tw_reuse_delay, where the kernel has it


def short(namespace: DemoNamespace, reuse: int, timestamps: int) -> None:
    """Four ports, and TIME_WAIT soon old enough."""
    set_range(namespace, 4)
    namespace.sysctl("net.ipv4.tcp_tw_reuse", reuse)
    namespace.sysctl("net.ipv4.tcp_timestamps", timestamps)
    with suppress(FileNotFoundError):  # before 6.14: a second
        namespace.sysctl("net.ipv4.tcp_tw_reuse_delay", DELAY_MS)


def open_and_close(namespace: DemoNamespace, listener: HeldSockets, device: str = "") -> None:
    """A connection that leaves TIME_WAIT at its client."""
    made = namespace.run(connected_on, listener.local[0], listener.local[1], device)
    other = namespace.run(sockets.accepted, listener.fd)
    namespace.run(held.close, made.fd)
    namespace.run(held.receive, other.fd, 1)
    namespace.run(held.close, other.fd)


def connected_on(host: str, port: int, device: str) -> HeldSockets:
    made = socket.socket()
    if device:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
    made.connect((host, port))
    return held.hold(made)


def all_old(snapshot: Snapshot) -> bool:
    """Whether each TIME_WAIT is old enough for connect(), with a few ticks to spare."""
    (kernel,) = snapshot.sample.kernel
    delay = int(kernel.sysctls.get("net.ipv4.tcp_tw_reuse_delay", "1000"))
    old = ages(snapshot, tcp.TIME_WAIT)
    return len(old) == 4 and bool((old > delay + 20).all())


@pytest.mark.parametrize(
    ("reuse", "timestamps", "reusable"),
    [(0, 1, False), (1, 1, True), (2, 1, True), (1, 0, False), (2, 0, False)],
)
def test_time_wait_on_loopback(
    namespace: DemoNamespace, reuse: int, timestamps: int, reusable: bool
) -> None:
    short(namespace, reuse, timestamps)
    listener = namespace.run(sockets.listening, "127.0.0.1", 80, 128)
    check_reuse(namespace, listener, reusable)


@pytest.mark.parametrize(
    ("reuse", "device", "reusable"), [(1, "", True), (2, "", False), (2, "lo", True)]
)
def test_time_wait_on_other_addresses(
    namespace: DemoNamespace, reuse: int, device: str, reusable: bool
) -> None:
    """An own address is reached over the device lo, but only a socket bound to it counts."""
    namespace.command(["ip", "addr", "add", "10.99.0.1/32", "dev", "lo"])
    short(namespace, reuse, 1)
    listener = namespace.run(sockets.listening, "10.99.0.1", 80, 128)
    check_reuse(namespace, listener, reusable, device)


def check_reuse(
    namespace: DemoNamespace, listener: HeldSockets, reusable: bool, device: str = ""
) -> None:
    """Until they are old the kernel takes none, and none is said to be left; then all, or none."""
    host, port = listener.local
    for _ in range(4):
        open_and_close(namespace, listener, device)
    with Watch(namespace) as watch:
        early, taken = watch.snapshot(), namespace.run(dials_on, host, port, device)
        assert taken <= reusable
        assert left(early, port, host) == 0 or taken
        if taken:  # the machine was slow: they were old already
            return
        until(lambda: all_old(watch.snapshot()), "TIME_WAIT to be old")
        snapshot = watch.snapshot()
        place = group(snapshot, port, host)
        assert snapshot.ports.headroom[place] == (4 if reusable else 0)
        assert snapshot.ports.time_wait[place] == 4
        assert snapshot.ports.used[place] == (0 if reusable else 4)
        assert namespace.run(dials_on, host, port, device) == reusable


def dials_on(host: str, port: int, device: str) -> bool:
    try:
        connected_on(host, port, device)
    except OSError as error:
        if error.errno != errno.EADDRNOTAVAIL:
            raise
        return False
    return True


def test_a_second_is_the_usual_delay(namespace: DemoNamespace) -> None:
    set_range(namespace, 4)
    listener = namespace.run(sockets.listening, "127.0.0.1", 80, 128)
    for _ in range(4):
        open_and_close(namespace, listener)
    with Watch(namespace) as watch:
        until(lambda: left(watch.snapshot()) == 4, "TIME_WAIT to be old enough")
        assert (ages(watch.snapshot(), tcp.TIME_WAIT) > 1000).all()
        until(lambda: all_old(watch.snapshot()), "a few milliseconds more")
        assert namespace.run(dial, "127.0.0.1", 80)


def ages(snapshot: Snapshot, state: int) -> I64:
    """Milliseconds since mini-sockets of a state were made."""
    table = snapshot.sample.sockets
    return np.asarray(60_000 - table.expires[table.state == state].astype(np.int64))


def test_fin_wait2_is_not_reused(namespace: DemoNamespace) -> None:
    short(namespace, 1, 1)
    listener = namespace.run(sockets.listening, "127.0.0.1", 80, 128)
    for _ in range(4):
        made = namespace.run(sockets.connected, "127.0.0.1", 80)
        namespace.run(sockets.accepted, listener.fd)
        namespace.run(held.close, made.fd)
    with Watch(namespace) as watch:
        old = DELAY_MS + 50
        until(lambda: bool((ages(watch.snapshot(), tcp.FIN_WAIT2) > old).all()), "them to be old")
        snapshot = watch.snapshot()
        assert len(ages(snapshot, tcp.FIN_WAIT2)) == 4
        assert left(snapshot) == 0
        assert namespace.run(dial, "127.0.0.1", 80) is None


def test_bind_to_port_0_takes_no_port_in_time_wait(namespace: DemoNamespace) -> None:
    """However old it is: tcp_tw_reuse is for connect()."""
    short(namespace, 1, 1)
    listener = namespace.run(sockets.listening, "127.0.0.1", 80, 128)
    for _ in range(4):
        open_and_close(namespace, listener)
    with Watch(namespace) as watch:
        until(lambda: all_old(watch.snapshot()), "TIME_WAIT to be old")
        snapshot = watch.snapshot()
        assert snapshot.ports.headroom_bind.tolist() == [0]
        assert left(snapshot) == 4
        with pytest.raises(OSError, match="Address already in use"):
            namespace.run(states.bound)
        assert namespace.run(dial, "127.0.0.1", 80)
