"""Notices of sockets that end: read as they come, bounded, and none unaccounted for."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from tcptop.analysis.unopened import FailedConnect, failed_connects
from tcptop.demo.namespace import DemoNamespace
from tcptop.model import address
from tcptop.model.sample import Deaths
from tcptop.model.table import concat
from tcptop.sources.deaths import DeathListener, DeathReader, subscribed
from tests.unit.prepared import sample
from tests.unit.prepared import socket as row

PATIENCE_S = 30.0
BLOCKING, SOON = None, 2.0
SMALL = 4096  # bytes, doubled by the kernel: it holds six notices


@pytest.fixture
def listener() -> Iterator[DeathListener]:
    made = DeathListener()
    yield made
    made.close()


@pytest.fixture
def reader(namespace: DemoNamespace, listener: DeathListener) -> Iterator[DeathReader]:
    """That listens already; the test runs inside the namespace."""
    with namespace.entered():
        made = listener.open(namespace.inode)
        yield made
        made.close()


def refused(host: str, port: int, timeout_s: float | None) -> int:
    """The local port of a connect that somebody refused."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as calling:
        calling.settimeout(timeout_s)
        calling.bind((host, 0))
        with pytest.raises(ConnectionRefusedError):
            calling.connect((host, port))
        return int(calling.getsockname()[1])


def told(reader: DeathReader, number: int) -> Deaths:
    """So many that come; notices are sent a little later than sockets end."""
    deadline, found = time.monotonic() + PATIENCE_S, [reader.read()]
    while sum(len(each.at) + (each.lost or 0) for each in found) < number:
        assert time.monotonic() < deadline, found
        time.sleep(0.02)
        found.append(reader.read())
    sockets, at = concat([each.sockets for each in found]), np.concatenate([e.at for e in found])
    return Deaths(reader.netns, sockets, at, sum(each.lost or 0 for each in found))


def failed(reader: DeathReader, listening: int = 0) -> set[FailedConnect]:
    rows = [row("LISTEN", f"127.0.0.1:{listening}", netns=reader.netns)] if listening else []
    deadline, found = time.monotonic() + PATIENCE_S, set[FailedConnect]()
    while not found and time.monotonic() < deadline:
        time.sleep(0.02)
        found = set(failed_connects(sample(rows, deaths=(reader.read(),))) or ())
    return found


def connect(netns: int, host: str, port: int, answered: bool) -> FailedConnect:
    return FailedConnect(netns, 0, *address.halves(host), port, answered, 1)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_the_port_is_told_where_connect_did_not_wait(
    namespace: DemoNamespace, reader: DeathReader, host: str
) -> None:
    refused(host, 81, SOON)
    assert failed(reader) == {connect(namespace.inode, host, 81, answered=True)}
    refused(host, 81, BLOCKING)
    assert failed(reader) == {connect(namespace.inode, host, 0, answered=False)}


@pytest.mark.parametrize("linger", [b"", struct.pack("ii", 1, 0)])
@pytest.mark.parametrize("who", ["server", "client"])
def test_what_was_open_is_no_failure(
    namespace: DemoNamespace, reader: DeathReader, linger: bytes, who: str
) -> None:
    """Whoever closes or resets it, though the kernel has forgotten what it was then."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        calling = socket.create_connection(("127.0.0.1", port))
        served, _ = listener.accept()
        first, second = (served, calling) if who == "server" else (calling, served)
        if linger:
            first.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        first.close()
        with suppress(OSError):
            second.recv(1)
        second.close()
        refused("127.0.0.1", 81, SOON)
        assert failed(reader) == {connect(namespace.inode, "127.0.0.1", 81, True)}


def test_listeners_and_unused_sockets_are_no_connections(reader: DeathReader) -> None:
    for host, family in (("127.0.0.1", socket.AF_INET), ("::1", socket.AF_INET6)):
        socket.create_server((host, 0), family=family).close()
        socket.socket(family).close()
    refused("127.0.0.1", 81, SOON)
    assert told(reader, 1).sockets.remote_port.tolist() == [81]


def test_what_finds_no_room_is_counted(namespace: DemoNamespace, listener: DeathListener) -> None:
    with namespace.entered():
        reader = DeathReader(namespace.inode, small := subscribed(SMALL))
        for _ in range(300):
            refused("127.0.0.1", 81, SOON)
        found = told(reader, 300)
        assert found.lost
        assert len(found.at) + found.lost == 300
        refused("127.0.0.1", 81, SOON)  # it goes on
        assert len(told(reader, 1).at) == 1
        reader.close()
        assert small.fileno() == -1


def test_too_many_are_let_go_and_taken_up_again(
    reader: DeathReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tcptop.sources.deaths.REST_S", 0.0)
    reader.most_per_s = 5
    for _ in range(50):
        refused("127.0.0.1", 81, SOON)
    deadline, deaf_s, came = time.monotonic() + PATIENCE_S, 0.0, 0
    while not deaf_s and time.monotonic() < deadline:
        refused("127.0.0.1", 81, SOON)
        found = reader.read()
        came, deaf_s = came + len(found.at), found.deaf_s
    assert deaf_s > 0
    assert came >= 20
    reader.read()
    refused("127.0.0.1", 81, SOON)
    assert failed(reader)


def test_where_too_many_open_their_ends_are_not_waited_for(
    reader: DeathReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the kernel's count, for what ends may be told late, and keeps its memory until then."""
    monkeypatch.setattr("tcptop.sources.deaths.REST_S", 0.0)
    reader.expect(reader.most_per_s + 1)
    refused("127.0.0.2", 81, SOON)
    assert all(reader.read().deaf_s > 0 for _ in range(3))
    reader.expect(reader.most_per_s - 1)
    assert reader.read().deaf_s > 0  # until now
    assert reader.read().deaf_s == 0
    refused("127.0.0.3", 81, SOON)
    # That of the first may come as late as this one: then it is not waited for, but not lost.
    ends = told(reader, 1).sockets
    while not (ends.remote_lo & np.uint64(0xFF) == 3).any():
        ends = told(reader, 1).sockets


def test_it_sleeps_while_nothing_ends(reader: DeathReader) -> None:
    refused("127.0.0.1", 81, SOON)
    assert failed(reader)
    thread = next(each for each in threading.enumerate() if each.name == "deaths")
    time.sleep(0.2)  # a thread that polls would wake in it
    before = _switches(thread)
    time.sleep(0.5)
    assert _switches(thread) == before


def _switches(thread: threading.Thread) -> str:
    status = Path(f"/proc/self/task/{thread.native_id}/status").read_text()
    return status[status.index("voluntary_ctxt_switches") :]


def test_of_two_namespaces_each_has_its_own(
    namespace: DemoNamespace, listener: DeathListener
) -> None:
    """With the same ends, by one thread."""
    with DemoNamespace() as other:
        readers = []
        for each in (namespace, other):
            with each.entered():
                readers.append(listener.open(each.inode))
                refused("127.0.0.1", 81, SOON)
        for reader, each in zip(readers, (namespace, other), strict=True):
            found = told(reader, 1)
            assert np.unique(found.sockets.netns).tolist() == [each.inode]
            assert len(found.at) == 1
            reader.close()
