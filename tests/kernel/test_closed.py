"""Connections that end while tcptop watches: which, when, how, and whose."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from tcptop.analysis.derive import derive
from tcptop.analysis.history import History
from tcptop.analysis.selection import ended, everything
from tcptop.demo import held, sockets
from tcptop.demo.holder import Holder
from tcptop.demo.namespace import DemoNamespace
from tcptop.model.snapshot import Snapshot
from tcptop.sources import deaths
from tcptop.sources.deaths import DeathListener
from tcptop.sources.live import LiveSource
from tcptop.views.closed_rows import columns
from tests.kernel.nobody import become_nobody
from tests.kernel.snapshots import Watch, row_of

PATIENCE_S = 30.0
PORT = 9090
NUMBER = 10_000  # connections, each of two ends
LINGER = struct.pack("ii", 1, 0)


@pytest.fixture
def watch(namespace: DemoNamespace) -> Iterator[Watch]:
    with Watch(namespace) as made:
        yield made


@pytest.fixture
def server(namespace: DemoNamespace) -> Holder:
    return namespace.helper()


def closed(watch: Watch, *ports: int) -> tuple[Snapshot, list[dict[str, Any]]]:
    """All that are told, the oldest first, when those with these local ports are."""
    deadline, snapshot = time.monotonic() + PATIENCE_S, watch.snapshot()
    while not {*ports} <= {*ended(snapshot).local_port.tolist()}:
        assert time.monotonic() < deadline, ended(snapshot).local_port
        time.sleep(0.02)
        snapshot = watch.snapshot()
    selection, number = everything(snapshot), len(ended(snapshot))
    assert np.array_equal(np.sort(selection.closed()), np.arange(number))
    found = columns(selection, np.arange(number))
    values = [(name, list(column)) for name, column in found.items()]
    return snapshot, [{name: column[row] for name, column in values} for row in range(number)]


def client_first(calling: socket.socket, served: socket.socket) -> None:
    calling.close()
    served.recv(1)
    served.close()


def server_first(calling: socket.socket, served: socket.socket) -> None:
    client_first(served, calling)


def client_resets(calling: socket.socket, served: socket.socket) -> None:
    calling.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER)
    calling.close()
    with pytest.raises(ConnectionResetError):
        served.recv(1)
    served.close()


def server_resets(calling: socket.socket, served: socket.socket) -> None:
    client_resets(served, calling)


def server_leaves_unread(calling: socket.socket, served: socket.socket) -> None:
    calling.send(b"late")
    served.recv(1, socket.MSG_PEEK)
    served.close()
    with pytest.raises(ConnectionResetError):
        calling.recv(1)
    calling.close()


@pytest.mark.parametrize(
    ("ending", "reset", "by"),
    [
        (client_first, (False, False), ("here", "there")),
        (server_first, (False, False), ("there", "here")),
        (client_resets, (True, True), ("here", None)),
        (server_resets, (True, True), (None, "here")),
        (server_leaves_unread, (True, True), (None, None)),
    ],
)
def test_what_no_sample_saw_is_told_with_how_it_ended(
    namespace: DemoNamespace,
    watch: Watch,
    server: Holder,
    ending: Callable[[socket.socket, socket.socket], None],
    reset: tuple[bool, bool],
    by: tuple[str | None, str | None],
) -> None:
    """Of both ends, the client's and the server's."""
    server.run(sockets.listening, "127.0.0.1", PORT)  # which still listens when it is told
    watch.snapshot()
    near = server.run(short, ending.__name__)
    _, rows = closed(watch, near, PORT)
    assert len(rows) == 2
    rows.sort(key=lambda row: row["local_port"] != near)
    forgets = [ending is client_resets, ending is server_resets]
    for row, far, forgotten in zip(rows, (PORT, near), forgets, strict=True):
        assert row["netns"] == namespace.inode
        assert row["remote_address"] == "127.0.0.1"
        assert row["remote_port"] == (None if forgotten else far)
        assert (row["bytes_sent"] is None) is forgotten
        # An accepted connection is bound to its address: that is kept.
        unbound = forgotten and far == PORT
        assert row["local_address"] == (None if unbound else "127.0.0.1")
        accepted = row["local_port"] == PORT
        assert row["owner"] == ("remembered" if accepted else "unknown")
        assert [each["pid"] for each in row["processes"]] == [server.pid] * accepted
        assert row["owner_note"].startswith("inferred: " if accepted else "no sample has seen it")
        assert row["last_state"] is None
        assert row["opened"]
        assert 0 < row["shorter_than_s"] < PATIENCE_S
        assert row["life_s"] is None or row["life_s"] <= row["shorter_than_s"]
    assert rows[0]["bytes_sent"] in (None, 100, 104)
    assert rows[1]["bytes_received"] in (None, 100, 101, 104)
    assert tuple(row["reset"] for row in rows) == reset
    assert tuple(row["ended_by"] for row in rows) == by


def short(ending: str) -> int:
    """A connection that is over at once, in the process of the listener; the client's port."""
    listener = next(each for each in held._sockets.values() if each.getsockname()[1] == PORT)
    calling = socket.create_connection(("127.0.0.1", PORT))
    served, _ = listener.accept()
    calling.send(b"x" * 100)
    served.recv(100, socket.MSG_WAITALL)
    near = int(calling.getsockname()[1])
    globals()[ending](calling, served)
    return near


def test_a_known_connection_has_its_life_and_its_process(
    namespace: DemoNamespace, watch: Watch, server: Holder
) -> None:
    listener = server.run(sockets.listening)
    watch.snapshot()
    client = namespace.run(sockets.connected, "127.0.0.1", listener.local[1])
    served = server.run(sockets.accepted, listener.fd)
    namespace.run(held.send, client.fd, 100)
    server.run(held.receive, served.fd, 100)
    first = watch.snapshot()
    cookies = first.sample.sockets.cookie[
        [row_of(first.sample.sockets, s) for s in (client, served)]
    ]
    server.run(held.reset, served.fd)
    watch.snapshot()
    namespace.run(held.close, client.fd)
    last, rows = closed(watch, client.local[1], listener.local[1])
    assert len(rows) == 2
    rows.sort(key=lambda row: row["local_port"] == listener.local[1])
    assert [row["cookie"] for row in rows] == [f"{cookie:x}" for cookie in cookies.tolist()]
    assert [row["processes"][0]["pid"] for row in rows] == [namespace.pid, server.pid]
    assert {row["owner"] for row in rows} == {"remembered"}
    assert {row["last_state"] for row in rows} == {"ESTABLISHED"}
    assert {row["shorter_than_s"] for row in rows} == {None}
    assert {row["reset"] for row in rows} == {True}
    # The kernel has forgotten who was at the other end, the sample before has not.
    assert rows[1]["remote_port"] == client.local[1]
    watched = last.sample.clock - first.sample.clock
    assert all(0 <= row["life_s"] <= watched + 1 for row in rows)


def test_a_socket_that_was_reset_long_before_it_is_closed_did_not_live_shortly(
    namespace: DemoNamespace, watch: Watch, server: Holder
) -> None:
    """It is in no dump meanwhile; one was reset before the first look."""
    listener = server.run(sockets.listening)
    ends = [namespace.run(sockets.connected, "127.0.0.1", listener.local[1]) for _ in range(2)]
    served = [server.run(sockets.accepted, listener.fd) for _ in ends]
    server.run(held.reset, served[0].fd)
    time.sleep(0.2)  # by the kernel's clock it was open before the first look
    watch.snapshot()
    server.run(held.reset, served[1].fd)
    for _ in range(4):
        snapshot = watch.snapshot()
        time.sleep(0.05)
    assert snapshot.totals.opened == 0
    namespace.run(held.close, *(end.fd for end in ends))
    last, rows = closed(watch, *(end.local[1] for end in ends))
    by_port = {row["local_port"]: row for row in rows}
    for end in ends:
        assert by_port[end.local[1]]["shorter_than_s"] is None
    assert by_port[ends[0].local[1]]["owner_note"].startswith("inferred: ")
    assert by_port[ends[1].local[1]]["owner_note"].startswith("held by")
    assert by_port[ends[0].local[1]]["processes"][0]["pid"] == namespace.pid
    assert by_port[ends[1].local[1]]["processes"][0]["pid"] == namespace.pid
    assert last.totals.opened == 0
    assert len(watch.history.vanished) == 0


@pytest.mark.parametrize("room", [1 << 22, 1 << 14])
def test_seen_and_lost_are_what_the_kernel_counts(
    namespace: DemoNamespace, room: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten thousand connections, each over before the next begins; with a small buffer that is
    read seldom most of their ends are lost, and counted."""
    monkeypatch.setattr(deaths, "MOST_PER_S", 1 << 30)
    monkeypatch.setattr(DeathListener.open, "__defaults__", (room,))
    monkeypatch.setattr(deaths, "PAUSE_S", 0.02 if room > 1 << 20 else 0.5)
    client = namespace.helper()
    port = namespace.run(serving)
    with Watch(namespace) as watch:
        before = watch.snapshot()
        for _ in range(20):
            client.run(calls, port, NUMBER // 20)
            snapshot = watch.snapshot()
        counted = opens(snapshot) - opens(before)
        assert counted >= 2 * NUMBER
        deadline = time.monotonic() + PATIENCE_S
        while snapshot.totals.closes_seen + snapshot.totals.closes_lost < counted:
            assert time.monotonic() < deadline, snapshot.totals
            time.sleep(0.02)
            snapshot = watch.snapshot()
    totals = snapshot.totals
    assert totals.closes_seen + totals.closes_lost == counted == totals.counted
    assert totals.closes_lost or room > 1 << 20
    if not totals.closes_lost:
        assert totals.opens_seen_ratio == 1.0
        assert len(ended(snapshot)) == counted
        names = ("local_port", "remote_port")
        assert all((np.bincount(getattr(ended(snapshot), n)).max() == NUMBER) for n in names)
    else:
        assert 0 < (totals.opens_seen_ratio or 0) < 1.0


def opens(snapshot: Snapshot) -> int:
    (kernel,) = snapshot.sample.kernel
    return kernel.counters["Tcp"]["ActiveOpens"] + kernel.counters["Tcp"]["PassiveOpens"]


def serving() -> int:
    """The port of a thread that closes what it accepts."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=4096)

    def serve() -> None:
        while True:
            listener.accept()[0].close()

    threading.Thread(target=serve, daemon=True).start()
    return int(listener.getsockname()[1])


def calls(port: int, number: int) -> None:
    for _ in range(number):
        with socket.create_connection(("127.0.0.1", port)) as calling:
            calling.recv(1)


def test_another_user_is_told_the_same(namespace: DemoNamespace) -> None:
    """In the namespace that he is in; whose they were he may not read."""
    server, other = namespace.helper(), namespace.helper()
    server.run(sockets.listening, "127.0.0.1", PORT)
    other.run(begin)  # imports what the other user may not be able to read
    other.run(end)
    other.run(become_nobody)
    other.run(begin)
    near = server.run(short, "client_first")
    ports = other.run(told_ports, near)
    assert sorted(ports) == sorted([near, PORT])


_watched: list[tuple[LiveSource, History]] = []


def begin() -> None:
    source = LiveSource()
    _watched.append((source, derive(source.sample(), History())[1]))


def end() -> None:
    _watched.pop()[0].close()


def told_ports(near: int) -> list[int]:
    """The local ports of what has ended, when that one has."""
    source, history = _watched[-1]
    deadline, ports = time.monotonic() + PATIENCE_S, list[int]()
    while near not in ports and time.monotonic() < deadline:
        time.sleep(0.02)
        snapshot, history = derive(source.sample(), history)
        ports = ended(snapshot).local_port.tolist()
    end()
    return ports


def test_two_namespaces_with_the_same_ends_at_once(namespace: DemoNamespace) -> None:
    """By one source, which reads both; each connection is of its own."""
    with DemoNamespace() as other:
        near = {}
        for each in (namespace, other):
            each.run(sockets.listening, "127.0.0.1", PORT)
        with namespace.entered():
            source = LiveSource(everywhere=True)
            try:
                history = derive(source.sample(), History())[1]
                history = derive(source.sample(), history)[1]
                for each in (namespace, other):
                    near[each.inode] = each.run(short, "client_first")
                deadline, told = time.monotonic() + PATIENCE_S, set[tuple[int, int]]()
                wanted = {(inode, port) for inode, far in near.items() for port in (far, PORT)}
                while not wanted <= told:
                    assert time.monotonic() < deadline, (told, wanted)
                    time.sleep(0.02)
                    snapshot, history = derive(source.sample(), history)
                    rows = ended(snapshot)
                    pairs = zip(rows.netns.tolist(), rows.local_port.tolist(), strict=True)
                    told = {pair for pair in pairs if pair[0] in near}
            finally:
                source.close()
        assert told == wanted
        reset = rows.reset[np.isin(rows.netns, [*near])]
        assert set(reset.tolist()) == {0}
