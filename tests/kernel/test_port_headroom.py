"""Ports that are said to be left, against connect() and bind() until the kernel has none."""

import errno
import random
import socket
from contextlib import suppress

import numpy as np
import pytest

from tcptop.demo import held, sockets, veth
from tcptop.demo.held import HeldSockets
from tcptop.demo.namespace import DemoNamespace
from tcptop.model import tcp
from tests.kernel import snapshots, states
from tests.kernel.ports import COUNT, FIRST, Watch, dial, group, left, set_range, snapshot_of
from tests.kernel.snapshots import row_of

Linked = tuple[DemoNamespace, DemoNamespace]


@pytest.fixture
def small(namespace: DemoNamespace) -> DemoNamespace:
    """Twenty ephemeral ports and a server on port 80."""
    set_range(namespace, COUNT)
    namespace.run(sockets.listening, "127.0.0.1", 80, 128)
    return namespace


def bind(host: str) -> HeldSockets | None:
    """A socket bound to port 0, or None if there is no port for it."""
    try:
        return states.bound(host)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return None
        raise


def count_down(
    namespace: DemoNamespace,
    expected: int,
    *,
    port: int = 80,
    hosts: tuple[str, ...] = ("127.0.0.1",),
) -> None:
    """Connect until the kernel refuses; each time, what is said to be left is what is left."""
    with Watch(namespace) as watch:
        for number in range(expected):
            assert namespace.run(dial, hosts[number % len(hosts)], port)
            assert left(watch.snapshot(), port, hosts[0]) == expected - number - 1
        assert namespace.run(dial, hosts[0], port) is None
        snapshot = watch.snapshot()
        place = group(snapshot, port, hosts[0])
        ports = snapshot.ports
        assert (ports.headroom[place], ports.used[place]) == (0, expected)


def test_every_port_to_the_last(small: DemoNamespace) -> None:
    count_down(small, 20)


def test_every_port_of_ipv6(small: DemoNamespace) -> None:
    small.run(sockets.listening, "::1", 80, 128)
    count_down(small, 20, hosts=("::1",))


def test_mapped_sockets_take_ports_of_ipv4(small: DemoNamespace) -> None:
    count_down(small, 20, hosts=("127.0.0.1", "::ffff:127.0.0.1"))


@pytest.mark.parametrize(("count", "usable"), [(1, 1), (2, 2), (3, 2)])
def test_tiny_ranges(small: DemoNamespace, count: int, usable: int) -> None:
    set_range(small, count)
    count_down(small, usable)


def test_an_odd_range_has_one_port_less(small: DemoNamespace) -> None:
    """Which one a search leaves out changes, so that once in a while all are used."""
    set_range(small, 19)
    made = 0
    with Watch(small) as watch:
        while small.run(dial, "127.0.0.1", 80):
            made += 1
            snapshot = watch.snapshot()
            assert left(snapshot) == max(18 - made, 0)
            assert snapshot.ports.used[group(snapshot)] == made
    assert made in (18, 19)


def test_reserved_ports_are_not_to_be_had(small: DemoNamespace) -> None:
    small.sysctl("net.ipv4.ip_local_reserved_ports", "32770,32775-32779,50000")
    count_down(small, 14)


def test_another_destination_has_ports_of_its_own(small: DemoNamespace) -> None:
    small.run(sockets.listening, "127.0.0.1", 81, 128)
    small.run(sockets.listening, "127.0.0.9", 80, 128)
    count_down(small, 20)
    count_down(small, 20, port=81)
    count_down(small, 20, hosts=("127.0.0.9",))


def test_a_listener_in_the_range_takes_its_port_from_all(small: DemoNamespace) -> None:
    small.run(sockets.listening, "127.0.0.7", FIRST + 3)
    small.run(sockets.listening, "::1", FIRST + 4)
    small.run(states.bound, "127.0.0.8", FIRST + 5)
    small.run(states.bound, "::1", FIRST + 6)
    count_down(small, 16)
    blocked = snapshot_of(small).ports.blocked
    assert blocked.tolist() == [4]


def test_connections_of_a_listener_in_the_range_take_no_more(small: DemoNamespace) -> None:
    listener = small.run(sockets.listening, "127.0.0.1", FIRST + 3)
    for _ in range(5):
        small.run(sockets.connected, "127.0.0.1", FIRST + 3)
        small.run(sockets.accepted, listener.fd)
    snapshot = snapshot_of(small)
    assert len(snapshot.ports) == 1  # that of the clients: their servers' ends are in none
    assert left(snapshot, FIRST + 3) == 20 - 1 - 5
    count_down(small, 19)


def test_a_port_stays_lost_while_connections_of_its_listener_live(small: DemoNamespace) -> None:
    listener = small.run(sockets.listening, "127.0.0.1", FIRST + 3)
    small.run(sockets.connected, "127.0.0.1", FIRST + 3)
    server = small.run(sockets.accepted, listener.fd)
    assert small.run(dial, "127.0.0.1", 80)
    with Watch(small) as watch:
        assert left(watch.snapshot()) == 18
        small.run(held.close, listener.fd)
        for number in range(18):
            snapshot = watch.snapshot()
            assert left(snapshot) == 18 - number
            assert small.run(dial, "127.0.0.1", 80)
        assert left(watch.snapshot()) == 0
        assert small.run(dial, "127.0.0.1", 80) is None
        small.run(held.reset, server.fd)
        assert left(watch.snapshot()) == 1
        assert small.run(dial, "127.0.0.1", 80)
        assert left(watch.snapshot()) == 0


def test_bind_to_port_0_until_there_is_none(small: DemoNamespace) -> None:
    assert small.run(dial, "127.0.0.1", 80)
    assert small.run(dial, "127.0.0.1", 80, "127.0.0.2")
    with Watch(small) as watch:
        first, other = bind_left(watch, "127.0.0.1"), bind_left(watch, "127.0.0.2")
        assert (first, other) == (19, 19)
        for number in range(19):
            assert small.run(bind, "127.0.0.1")
            assert bind_left(watch, "127.0.0.1") == 18 - number
        assert small.run(bind, "127.0.0.1") is None
        snapshot = watch.snapshot()
        ours = group(snapshot, local="127.0.0.1")
        assert snapshot.ports.headroom[ours] == 0
        assert small.run(dial, "127.0.0.1", 80) is None  # all ports but one are bound
        for number in range(19):
            assert bind_left(watch, "127.0.0.2") == 19 - number
            assert small.run(bind, "127.0.0.2")
        assert bind_left(watch, "127.0.0.2") == 0
        assert small.run(bind, "127.0.0.2") is None


def bind_left(watch: snapshots.Watch, local: str) -> int:
    snapshot = watch.snapshot()
    return int(snapshot.ports.headroom_bind[group(snapshot, local=local)])


def test_bind_then_connect_runs_out_where_headroom_bind_says(small: DemoNamespace) -> None:
    """A dump does not tell a bound socket once it is connected: headroom is an upper bound."""
    with Watch(small) as watch:
        for number in range(20):
            assert small.run(dial, "127.0.0.1", 80, "127.0.0.1")
            assert bind_left(watch, "127.0.0.1") == 19 - number
        assert small.run(dial, "127.0.0.1", 80, "127.0.0.1") is None


def test_sockets_bound_to_any_address_count_everywhere(small: DemoNamespace) -> None:
    assert small.run(dial, "127.0.0.1", 80)
    for _ in range(4):
        assert small.run(bind, "0.0.0.0")
    with Watch(small) as watch:
        assert bind_left(watch, "127.0.0.1") == 15


def test_the_forecast_needs_growth(small: DemoNamespace) -> None:
    with Watch(small) as watch:
        small.run(sockets.connected, "127.0.0.1", 80)
        first = watch.snapshot()
        assert np.isnan(first.ports.exhausted_in_s).all()
        same = watch.snapshot()
        assert np.isnan(same.ports.exhausted_in_s).all()
        assert same.ports.opens_per_s.tolist() == [0]
        for _ in range(4):
            small.run(sockets.connected, "127.0.0.1", 80)
        more = watch.snapshot()
        elapsed = more.sample.clock - first.sample.clock
        assert more.ports.exhausted_in_s[group(more)] == pytest.approx(15 / (4 / elapsed))
        since = more.sample.clock - same.sample.clock
        assert more.ports.opens_per_s[group(more)] == pytest.approx(4 / since)


def test_half_done_connections_hold_ports_too(linked: Linked) -> None:
    client, _ = linked
    set_range(client, COUNT)
    made = [client.run(sockets.dialing, veth.NOBODY, 80) for _ in range(3)]
    snapshot = snapshot_of(client)
    assert left(snapshot, 80, veth.NOBODY) == 17
    rows = [row_of(snapshot.sample.sockets, each) for each in made]
    assert set(snapshot.ports.group[rows].tolist()) == {group(snapshot, 80, veth.NOBODY)}


def test_the_servers_side_takes_no_ephemeral_port(small: DemoNamespace) -> None:
    """Its TIME_WAIT is at port 80."""
    pair = small.run(states.established)
    small.run(held.close, pair.server.fd)
    small.run(held.receive, pair.client.fd, 1)
    small.run(held.close, pair.client.fd)
    snapshot = snapshot_of(small)
    assert np.count_nonzero(snapshot.sample.sockets.state == tcp.TIME_WAIT) == 1
    assert len(snapshot.ports) <= 1


def taken_from(device: str, host: str | None = None) -> bool:
    """Whether a socket that is bound to a device (empty: to none) got a port: by connect() towards
    nobody, or by bind() to an address."""
    made = socket.socket()
    made.setblocking(False)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
    try:
        made.bind((host, 0)) if host else made.connect((veth.NOBODY, 80))
    except BlockingIOError:
        pass
    except OSError as error:
        if error.errno in (errno.EADDRNOTAVAIL, errno.EADDRINUSE):
            return False
        raise
    held.hold(made)
    return True


def by_device(namespace: DemoNamespace) -> dict[str, tuple[int, int]]:
    """What is said to be left for connect() and for bind()."""
    snapshot = snapshot_of(namespace)
    ports = snapshot.ports
    names = [snapshot.sample.device(namespace.inode, i) or "" for i in ports.interface.tolist()]
    both = zip(ports.headroom.tolist(), ports.headroom_bind.tolist(), strict=True)
    return dict(zip(names, both, strict=True))


def test_a_device_has_ports_of_its_own_but_for_those_of_none(linked: Linked) -> None:
    client, _ = linked
    set_range(client, COUNT)
    for device in [veth.DEVICE] * 4 + [""] * 6:
        assert client.run(taken_from, device)
    for device in (veth.DEVICE, ""):
        said, _ = by_device(client)[device]
        assert [client.run(taken_from, device) for _ in range(said + 1)] == [True] * said + [False]
    assert by_device(client).keys() == {"", veth.DEVICE}


def test_what_is_bound_to_another_device_leaves_ports_to_bind_to(linked: Linked) -> None:
    client, _ = linked
    set_range(client, COUNT)
    assert client.run(taken_from, veth.DEVICE)
    for device in [veth.DEVICE] * 3 + ["lo"] * 5:
        assert client.run(taken_from, device, veth.CLIENT.v4)
    _, said = by_device(client)[veth.DEVICE]
    more = [client.run(taken_from, veth.DEVICE, veth.CLIENT.v4) for _ in range(said + 1)]
    assert more == [True] * said + [False]


DESTINATIONS = [("127.0.0.1", 80), ("127.0.0.1", 81), ("::1", 80), ("127.0.0.9", 80)]


def do_something(dice: random.Random) -> None:
    """Connect, close a connection in one way or another, listen or bind on some port."""
    port = FIRST + dice.randrange(COUNT)
    action = dice.choice(["dial"] * 6 + ["close", "reset", "listen", "bind", "visit"])
    connections = [fd for fd, made in held._sockets.items() if made.getsockname()[1] > 1000]
    if action == "dial":
        dial(*dice.choice(DESTINATIONS))
    elif action in ("close", "reset"):
        clients = [fd for fd in connections if held._describe(held.get(fd)).remote]
        if clients:
            getattr(held, action)(dice.choice(clients))
    else:
        with suppress(OSError):  # the port is taken
            visit(port) if action == "visit" else taking[action]("127.0.0.5", port)


taking = {"listen": sockets.listening, "bind": states.bound}


def visit(port: int) -> None:
    """A listener in the range with a connection that it has accepted."""
    listener = sockets.listening("127.0.0.6", port)
    dial("127.0.0.6", port)
    sockets.accepted(listener.fd)


def dial_all(host: str, port: int) -> int:
    """How many connections there are ports for."""
    count = 0
    while dial(host, port):
        count += 1
    return count


@pytest.mark.parametrize("seed", range(16))
def test_whatever_was_done_before(namespace: DemoNamespace, seed: int) -> None:
    """What is said to be left is what can be had, for each destination in its turn."""
    set_range(namespace, COUNT)
    namespace.sysctl("net.ipv4.tcp_tw_reuse", 0)
    dice = random.Random(seed)
    for host, port in DESTINATIONS:
        namespace.run(sockets.listening, host, port, 256)
        namespace.run(dial, host, port)
    for number in range(dice.randrange(10, 60)):
        namespace.run(do_something, random.Random(f"{seed} {number}"))
    for host, port in DESTINATIONS:
        if namespace.run(dial, host, port):  # so that it has a row
            said = left(snapshot_of(namespace), port, host)
            assert said == namespace.run(dial_all, host, port)
