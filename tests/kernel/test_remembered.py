"""Who holds a socket, who held it, and why nobody can be named."""

import os
import socket
import time
from collections.abc import Callable

import numpy as np
import pytest

from tcptop.demo import held, sockets, veth
from tcptop.demo.held import HeldSockets, until
from tcptop.demo.namespace import DemoNamespace
from tcptop.model import owner, tcp
from tcptop.model.snapshot import Snapshot
from tcptop.sources.owners import LOOK_S
from tests.kernel import states
from tests.kernel.snapshots import Watch, kind, note, pids, row_between, row_of, snapshot_of
from tests.kernel.states import SocketPair

Linked = tuple[DemoNamespace, DemoNamespace]


def client_row(snapshot: Snapshot, pair: SocketPair) -> int:
    return row_between(snapshot.sample.sockets, pair.client.local[1], pair.server.local[1])


@pytest.mark.parametrize("ends", ["the process lives", "the process has ended"])
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_time_wait_remembers_its_process(namespace: DemoNamespace, host: str, ends: str) -> None:
    helper = namespace.helper()
    listener = namespace.run(sockets.listening, host)
    client = helper.run(sockets.connected, host, listener.local[1])
    server = namespace.run(sockets.accepted, listener.fd)
    with Watch(namespace) as watch:
        before, pid = watch.snapshot(), helper.pid
        assert pids(before, row_of(before.sample.sockets, client)) == [pid]
        if ends == "the process lives":
            helper.run(held.close, client.fd)
        else:
            helper.close()
        namespace.run(held.receive, server.fd, 1)
        namespace.run(held.close, server.fd)
        for _ in range(3):
            snapshot = watch.snapshot()
            row = row_between(snapshot.sample.sockets, client.local[1], server.local[1])
            assert snapshot.sample.sockets.state[row] == tcp.TIME_WAIT
            assert kind(snapshot, row) == "remembered"
            assert note(snapshot, row) == owner.CLOSED_BY_REMEMBERED
            assert [(p.pid, fd) for p, fd in snapshot.holders.of(row)] == [(pid, -1)]
            assert snapshot.totals.attributed == 1  # the listener


def test_orphans_and_mini_sockets_remember_their_process(linked: Linked) -> None:
    """FIN_WAIT1, LAST_ACK and CLOSING with the FIN lost; FIN_WAIT2 without."""
    client, server = linked
    listener = server.run(sockets.listening, veth.SERVER.v4)
    pairs = {}
    for name in ("FIN_WAIT1", "FIN_WAIT2", "LAST_ACK"):
        made = client.run(sockets.connected, veth.SERVER.v4, listener.local[1])
        pairs[name] = SocketPair(made, server.run(sockets.accepted, listener.fd))
    with Watch(client) as watch:
        watch.snapshot()
        client.run(held.close, pairs["FIN_WAIT2"].client.fd)
        server.run(held.shut, pairs["LAST_ACK"].server.fd)
        client.run(held.receive, pairs["LAST_ACK"].client.fd, 1)
        until(lambda: state(watch, pairs["FIN_WAIT2"]) == tcp.FIN_WAIT2, "the FIN to be answered")
        veth.black_hole(client, veth.SERVER)
        client.run(held.close, pairs["LAST_ACK"].client.fd, pairs["FIN_WAIT1"].client.fd)
        snapshot = watch.snapshot()
        for name, pair in pairs.items():
            row = client_row(snapshot, pair)
            assert tcp.STATES[snapshot.sample.sockets.state[row]] == name
            assert (kind(snapshot, row), pids(snapshot, row)) == ("remembered", [client.pid])
            assert bool(snapshot.sample.sockets.mini()[row]) == (name == "FIN_WAIT2")
    fresh = snapshot_of(client)
    notes = [note(fresh, client_row(fresh, pair)) for pair in pairs.values()]
    assert notes == [owner.ORPHAN, owner.KERNEL_KEEPS, owner.ORPHAN]


def state(watch: Watch, pair: SocketPair) -> int:
    snapshot = watch.snapshot()
    return int(snapshot.sample.sockets.state[client_row(snapshot, pair)])


def test_the_whole_life_of_a_connection_is_one_socket(namespace: DemoNamespace) -> None:
    """Half-open, queued, accepted, closed: one cookie, and each owner in its turn."""
    with Watch(namespace) as watch:
        watch.snapshot()
        _, listener = namespace.run(states.syn_recv)
        half_open = watch.snapshot()
        (row,) = np.flatnonzero(half_open.sample.sockets.state == tcp.SYN_RECV).tolist()
        cookie = half_open.sample.sockets.cookie[row]
        peer = int(half_open.sample.sockets.remote_port[row])
        assert kind(half_open, row) == "unknown"
        namespace.run(send_by_port, peer, b"now")
        queued = watch.snapshot()
        assert kind(queued, at(queued, cookie)) == "accept-queue"
        assert queued.queue[at(queued, cookie)] == row_of(queued.sample.sockets, listener)
        accepted = namespace.run(sockets.accepted, listener.fd)
        taken = watch.snapshot()
        assert kind(taken, at(taken, cookie)) == "process"
        assert at(taken, cookie) == row_of(taken.sample.sockets, accepted)
        assert taken.age_s[at(taken, cookie)] > queued.age_s[at(queued, cookie)] > 0
        namespace.run(held.receive, accepted.fd, 10)
        namespace.run(held.close, accepted.fd)
        closed = watch.snapshot()
        assert kind(closed, at(closed, cookie)) == "remembered"
        assert closed.seen_s[at(closed, cookie)] > taken.seen_s[at(taken, cookie)]


def at(snapshot: Snapshot, cookie: int) -> int:
    (row,) = np.flatnonzero(snapshot.sample.sockets.cookie == cookie).tolist()
    return int(row)


def send_by_port(port: int, data: bytes) -> None:
    for made in held._sockets.values():
        if made.getsockname()[1] == port:
            made.send(data)


def test_a_closed_listener_leaves_half_open_connections_alone(namespace: DemoNamespace) -> None:
    _, listener = namespace.run(states.syn_recv, "::", "127.0.0.1")
    snapshot = snapshot_of(namespace)
    (row,) = np.flatnonzero(snapshot.sample.sockets.state == tcp.SYN_RECV).tolist()
    assert snapshot.queue[row] == row_of(snapshot.sample.sockets, listener)
    namespace.run(held.close, listener.fd)
    snapshot = snapshot_of(namespace)
    (row,) = np.flatnonzero(snapshot.sample.sockets.state == tcp.SYN_RECV).tolist()
    assert snapshot.queue[row] == -1
    assert note(snapshot, row) == owner.HALF_OPEN


def in_flight(fd: int) -> None:
    """Only a message that nobody reads holds the socket now (unix(7))."""
    sender, receiver = socket.socketpair()
    socket.send_fds(sender, [b"x"], [fd])
    held.close(fd)
    _kept.extend((sender, receiver))


_kept: list[socket.socket] = []


def unheld(snapshot: Snapshot) -> int:
    """The reason if all was searched; some hosts keep a process of ours from being read."""
    hidden = os.getuid() in snapshot.sample.owners.unreadable_uids
    return owner.HIDDEN if hidden else owner.NOT_FOUND


def read_again(watch: Watch, find: Callable[[Snapshot], int]) -> Snapshot:
    """The look by which the holder's descriptors were read again, which they are some seconds
    later while no socket comes or goes: on a busy host after those of others."""
    latest = time.monotonic() + 5 * LOOK_S
    snapshot = watch.snapshot()
    while kind(snapshot, find(snapshot)) == "process" and time.monotonic() < latest:
        time.sleep(0.05)
        snapshot = watch.snapshot()
    return snapshot


def test_a_socket_in_flight_has_a_reason(namespace: DemoNamespace) -> None:
    made = namespace.run(sockets.listening)
    with Watch(namespace) as watch:
        watch.snapshot()
        namespace.run(in_flight, made.fd)
        snapshot = read_again(watch, lambda seen: row_of(seen.sample.sockets, made))
        row = row_of(snapshot.sample.sockets, made)
        assert (kind(snapshot, row), note(snapshot, row)) == ("unknown", unheld(snapshot))


def test_it_is_remembered_when_it_was_in_flight_before_its_end(namespace: DemoNamespace) -> None:
    """As it is when a look falls between the closing and the search for owners."""
    pair = namespace.run(states.established)
    with Watch(namespace) as watch:
        watch.snapshot()
        namespace.run(in_flight, pair.client.fd)
        between = read_again(watch, lambda seen: client_row(seen, pair))
        assert note(between, client_row(between, pair)) == unheld(between)
        namespace.run(forget_messages)
        namespace.run(held.receive, pair.server.fd, 1)
        namespace.run(held.close, pair.server.fd)
        snapshot = watch.snapshot()
        row = client_row(snapshot, pair)
        assert snapshot.sample.sockets.state[row] == tcp.TIME_WAIT
        assert (kind(snapshot, row), pids(snapshot, row)) == ("remembered", [namespace.pid])


def forget_messages() -> None:
    while _kept:
        _kept.pop().close()


def open_pairs(listener: HeldSockets, count: int) -> list[int]:
    """Both ends of new connections, accepted."""
    fds = []
    for _ in range(count):
        fds.append(sockets.connected(listener.local[0], listener.local[1]).fd)
        fds.append(sockets.accepted(listener.fd).fd)
    return fds


def open_and_reset(listener: HeldSockets, count: int) -> None:
    for _ in range(count):
        client, server = open_pairs(listener, 1)
        held.reset(client)
        held.close(server)


@pytest.mark.parametrize(("events", "seen"), [(True, 1.0), (False, 0.5)])
def test_openings_that_no_look_saw(namespace: DemoNamespace, events: bool, seen: float) -> None:
    """Where the kernel tells what ends, they are seen all the same."""
    listener = namespace.run(sockets.listening)
    namespace.run(open_pairs, listener, 3)  # before the watch: in neither number
    with Watch(namespace, events=events) as watch:
        assert watch.snapshot().totals.opens_seen_ratio is None
        assert watch.snapshot().totals.opens_seen_ratio is None  # nothing was counted yet
        lasting = namespace.run(open_pairs, listener, 10)
        assert watch.snapshot().totals.opens_seen_ratio == 1.0
        namespace.run(held.close, *lasting)
        assert watch.snapshot().totals.opens_seen_ratio == 1.0
        namespace.run(open_and_reset, listener, 10)
        ratios = [watch.snapshot().totals.opens_seen_ratio]
        while ratios[-1] != seen and len(ratios) < 500:  # it may be told a little later
            time.sleep(0.02)
            ratios.append(watch.snapshot().totals.opens_seen_ratio)
        assert set(ratios) == {seen} if not events else ratios[-1] == seen
