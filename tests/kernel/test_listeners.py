"""Accept queues and SYN queues: whose they are, how full, and what was dropped."""

import os
import socket

import numpy as np
import pytest

from tcptop.analysis.listeners import match
from tcptop.analysis.selection import select
from tcptop.columns import listeners as columns
from tcptop.demo import held, sockets, veth
from tcptop.demo.held import HeldSockets, until
from tcptop.demo.namespace import DemoNamespace
from tcptop.model import owner, tcp
from tcptop.model.snapshot import Snapshot
from tcptop.sources.counters import read_kernel
from tcptop.views import listener_rows
from tests.kernel import queues
from tests.kernel.snapshots import Watch, row_of, snapshot_of
from tests.kernel.zoo import Zoo

Linked = tuple[DemoNamespace, DemoNamespace]


def place(snapshot: Snapshot, made: HeldSockets) -> int:
    """Where a listener is in the list of listeners."""
    row = row_of(snapshot.sample.sockets, made)
    return list(snapshot.listeners.row).index(row)


def waiting_at(snapshot: Snapshot, made: HeldSockets) -> int:
    """Connections that are attributed to a listener's accept queue."""
    at = snapshot.queue == row_of(snapshot.sample.sockets, made)
    return int(np.count_nonzero(at & (snapshot.owner == owner.ACCEPT_QUEUE)))


def queued(snapshot: Snapshot, made: HeldSockets) -> int:
    """What the kernel says of its length."""
    return int(snapshot.sample.sockets.recv_q[row_of(snapshot.sample.sockets, made)])


def listen_drops(namespace: DemoNamespace) -> int:
    return namespace.in_thread(read_kernel, namespace.inode).counters["TcpExt"]["ListenDrops"]


def dial_again(port: int, count: int) -> None:
    for _ in range(count):
        sockets.dialing(sockets.LOOPBACK, port)


def accept_all(listener: HeldSockets, count: int) -> None:
    for _ in range(count):
        sockets.accepted(listener.fd)


def test_every_waiting_connection_is_at_its_listener(zoo: Zoo) -> None:
    snapshot = snapshot_of(zoo.namespace)
    table = snapshot.sample.sockets
    waiting = snapshot.owner == owner.ACCEPT_QUEUE
    assert np.count_nonzero(waiting) >= 16
    assert (snapshot.queue[waiting] >= 0).all()
    counted = np.bincount(snapshot.queue[waiting], minlength=len(table))
    listening = table.state == tcp.LISTEN
    assert (counted[listening] == table.recv_q[listening]).all()
    assert {tcp.CLOSE_WAIT, tcp.ESTABLISHED} == set(table.state[waiting].tolist())
    half_open = table.state == tcp.SYN_RECV
    assert np.count_nonzero(half_open) >= 4
    assert (table.local_port[snapshot.queue[half_open]] == table.local_port[half_open]).all()
    assert snapshot.listeners.syn_queue.sum() == np.count_nonzero(half_open)


REACHED = [  # where the listener is bound, what the client dials
    ("127.0.0.1", "127.0.0.1"),
    ("0.0.0.0", "127.0.0.1"),
    ("::1", "::1"),
    ("::", "::1"),
    ("::", "127.0.0.1"),
    ("::ffff:127.0.0.1", "127.0.0.1"),
    ("::ffff:0.0.0.0", "127.0.0.1"),
]


@pytest.mark.parametrize("device", [None, "lo"])
@pytest.mark.parametrize(("host", "to"), REACHED)
def test_a_connection_finds_its_listener(
    namespace: DemoNamespace, host: str, to: str, device: str | None
) -> None:
    listener = namespace.run(sockets.listening, host, 7000, device=device)
    for _ in range(2):
        namespace.run(sockets.connected, to, 7000)
    snapshot = snapshot_of(namespace)
    assert (queued(snapshot, listener), waiting_at(snapshot, listener)) == (2, 2)


def test_a_link_local_connection_finds_its_listener(linked: Linked) -> None:
    client, server = linked
    for port, host in ((7000, veth.SERVER.local), (7001, "::")):
        listener = server.run(sockets.listening, host, port)
        client.run(sockets.connected, veth.SERVER.local, port)
        snapshot = snapshot_of(server)
        assert (queued(snapshot, listener), waiting_at(snapshot, listener)) == (1, 1)


@pytest.mark.parametrize(
    ("hosts", "devices"),
    [
        (("127.0.0.1", "0.0.0.0"), (None, "lo")),
        (("127.0.0.1", "0.0.0.0"), (None, None)),
        (("127.0.0.1", "127.0.0.1"), (None, "lo")),
        (("0.0.0.0", "0.0.0.0"), ("lo", None)),
    ],
)
def test_the_closest_listener_is_found(
    namespace: DemoNamespace, hosts: tuple[str, str], devices: tuple[str | None, str | None]
) -> None:
    """As the kernel chose: the queues say which of two on one port it was."""
    made = [
        namespace.run(sockets.listening, host, 7000, reuse_port=True, device=device)
        for host, device in zip(hosts, devices, strict=True)
    ]
    for _ in range(4):
        namespace.run(sockets.connected, "127.0.0.1", 7000)
    snapshot = snapshot_of(namespace)
    truth = [queued(snapshot, each) for each in made]
    assert sorted(truth) == [0, 4]
    assert [waiting_at(snapshot, each) for each in made] == truth


def test_a_listener_of_another_device_is_not_it(linked: Linked) -> None:
    """Their own is gone, and the one that is left serves another device."""
    _, server = linked
    own = server.run(sockets.listening, "0.0.0.0", 7000, reuse_port=True, device="lo")
    server.run(sockets.connected, "127.0.0.1", 7000)
    accepted = server.run(sockets.accepted, own.fd)
    server.run(held.option, own.fd, socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, 60)
    server.run(sockets.connected, "127.0.0.1", 7000)
    table = snapshot_of(server).sample.sockets
    children = np.flatnonzero((table.local_port == 7000) & (table.state != tcp.LISTEN))
    assert sorted(table.state[children].tolist()) == [tcp.ESTABLISHED, tcp.SYN_RECV]
    assert match(table, children).tolist() == [row_of(table, own)] * 2

    other = server.run(sockets.listening, "0.0.0.0", 7000, reuse_port=True, device=veth.DEVICE)
    server.run(held.close, own.fd)
    snapshot = snapshot_of(server)
    table = snapshot.sample.sockets
    children = np.flatnonzero((table.local_port == 7000) & (table.state != tcp.LISTEN))
    assert row_of(table, accepted) in children
    assert len(children) == 2
    assert match(table, children).tolist() == [-1, -1]
    assert snapshot.listeners.syn_queue[place(snapshot, other)] == 0


def test_overflow(namespace: DemoNamespace) -> None:
    listener = namespace.run(queues.accept_overflow, "127.0.0.1", 5, 12)
    with Watch(namespace) as watch:
        before = listen_drops(namespace)
        snapshot = watch.snapshot()
        after = listen_drops(namespace)
        table, row = snapshot.sample.sockets, row_of(snapshot.sample.sockets, listener)
        assert before >= 6
        assert before <= table.memory_of("drops")[row] <= after
        assert (table.recv_q[row], table.send_q[row]) == (6, 5)
        at = np.array([place(snapshot, listener)])
        assert columns.fill(select(snapshot), at).tolist() == [1.0]
        assert waiting_at(snapshot, listener) == 6
        assert np.isnan(snapshot.listeners.drops_per_s[at]).all()  # of one look there is no rate
        namespace.run(dial_again, listener.local[1], 3)
        again = watch.snapshot()
        assert again.over_s
        dropped = again.listeners.drops_per_s[place(again, listener)] * again.over_s
        assert 3 <= round(float(dropped)) <= listen_drops(namespace) - before


def test_a_peak_between_two_looks_is_remembered(namespace: DemoNamespace) -> None:
    listener = namespace.run(sockets.listening, "127.0.0.1", 7000, 9)
    with Watch(namespace) as watch:
        assert watch.snapshot().listeners.peak.tolist() == [0]
        for _ in range(7):
            namespace.run(sockets.connected, "127.0.0.1", 7000)
        watch.poll_listeners()
        namespace.run(accept_all, listener, 7)
        watch.poll_listeners()
        for _ in range(3):
            snapshot = watch.snapshot()
            assert queued(snapshot, listener) == 0
            assert snapshot.listeners.peak.tolist() == [7]
        namespace.run(held.close, listener.fd)
        other = namespace.run(sockets.listening, "127.0.0.1", 7000, 9)
        assert watch.snapshot().listeners.peak.tolist() == [0]  # another socket, another queue
        assert other.inode != listener.inode


def test_half_open_connections_are_counted(linked: Linked) -> None:
    _, server = linked
    server.sysctl("net.ipv4.tcp_syncookies", 0)
    spared = server.run(sockets.listening, veth.SERVER.v4, 7001, 16)
    listener = server.run(sockets.listening, "0.0.0.0", 7000, 16)
    server.run(queues.send_syns, veth.SERVER.v4, 7000, 30)
    until(lambda: syn_queue(server, listener) == 17, "17 half-open connections")
    snapshot = snapshot_of(server)
    table = snapshot.sample.sockets
    half_open = table.state == tcp.SYN_RECV
    assert np.count_nonzero(half_open) == 17
    assert (snapshot.note[half_open] == owner.HALF_OPEN).all()
    assert (snapshot.queue[half_open] == row_of(table, listener)).all()
    assert snapshot.sample.sockets.mini()[half_open].all()
    assert snapshot.listeners.syn_queue[place(snapshot, spared)] == 0
    assert table.memory_of("drops")[row_of(table, listener)] == 13
    assert queued(snapshot, listener) == 0


def syn_queue(namespace: DemoNamespace, listener: HeldSockets) -> int:
    snapshot = snapshot_of(namespace)
    return int(snapshot.listeners.syn_queue[place(snapshot, listener)])


def test_so_reuseport_members_have_their_own_queues(namespace: DemoNamespace) -> None:
    made = namespace.run(queues.reuse_port, 3)
    single = namespace.run(sockets.listening)
    for _ in range(20):
        namespace.run(sockets.connected, "127.0.0.1", made[0].local[1])
    snapshot = snapshot_of(namespace)
    assert [queued(snapshot, each) for each in made] == in_queues(namespace, made)
    assert sum(queued(snapshot, each) for each in made) == 20
    assert sum(waiting_at(snapshot, each) for each in made) == 20
    assert [snapshot.listeners.siblings[place(snapshot, each)] for each in made] == [3, 3, 3]
    assert snapshot.listeners.siblings[place(snapshot, single)] == 1


def in_queues(namespace: DemoNamespace, made: list[HeldSockets]) -> list[int]:
    """The truth: how many connections each listener can accept."""
    return [namespace.run(accept_until_empty, each.fd) for each in made]


def accept_until_empty(fd: int) -> int:
    count = 0
    held.get(fd).setblocking(False)
    try:
        while True:
            held.hold(held.get(fd).accept()[0])
            count += 1
    except BlockingIOError:
        return count


def test_kinds(zoo: Zoo) -> None:
    snapshot = snapshot_of(zoo.namespace)
    table = snapshot.sample.sockets
    shown = {
        name: columns.kind(table, row_of(table, made))
        for name, made in zoo.sockets.items()
        if name.startswith("listen ")
    }
    assert shown == {
        "listen 127.0.0.1": "v4",
        "listen 0.0.0.0": "v4",
        "listen ::1": "v6",
        "listen ::": "v4+v6",
        "listen v6only": "v6 only",
        "listen device": "v4",
        "listen link-local": "v6",
    }


def test_mapped_listeners_serve_ipv4(namespace: DemoNamespace) -> None:
    for host in ("::ffff:127.0.0.1", "::ffff:0.0.0.0"):
        namespace.run(sockets.listening, host)
    snapshot = snapshot_of(namespace)
    table = snapshot.sample.sockets
    assert [columns.kind(table, row) for row in snapshot.listeners.row.tolist()] == ["v4", "v4"]


def test_a_backlog_that_somaxconn_cut_down_is_marked(namespace: DemoNamespace) -> None:
    namespace.sysctl("net.core.somaxconn", 40)
    made = [namespace.run(sockets.listening, "127.0.0.1", 0, backlog) for backlog in (16, 400)]
    snapshot = snapshot_of(namespace)
    rows = listener_rows.columns(select(snapshot), np.array([place(snapshot, m) for m in made]))
    assert (rows["backlog"], rows["capacity"]) == ([16, 40], [17, 41])
    assert rows["backlog_clamped"] == [False, True]


def test_listeners_of_a_namespace_are_owned(zoo: Zoo) -> None:
    snapshot = snapshot_of(zoo.namespace)
    for row in snapshot.listeners.row.tolist():
        assert [process.pid for process, _ in snapshot.holders.of(row)] == [zoo.namespace.pid]
    assert all(p.uid == os.getuid() for p in snapshot.holders.processes)
