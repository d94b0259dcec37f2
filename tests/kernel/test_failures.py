"""Connects that fail, as the kernel's notices of destroyed sockets tell of them."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from tcptop.demo.namespace import DemoNamespace
from tcptop.model import address
from tcptop.model.sample import FailedConnect
from tcptop.model.source import Requests
from tcptop.sources.failures import MOST, FailureReader
from tcptop.sources.live import LiveSource

PATIENCE_S = 10.0
BLOCKING, SOON = None, 2.0


@pytest.fixture
def reader(namespace: DemoNamespace) -> Iterator[FailureReader]:
    """That listens already; the test runs inside the namespace."""
    with namespace.entered():
        made = FailureReader(namespace.inode)
        made.request(True)
        assert made.read(frozenset()) is None
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


def told(reader: FailureReader, listening: frozenset[int] = frozenset()) -> set[FailedConnect]:
    """What comes; notices are sent a little later than sockets end."""
    deadline, found = time.monotonic() + PATIENCE_S, set[FailedConnect]()
    while not found and time.monotonic() < deadline:
        time.sleep(0.02)
        found = set(reader.read(listening) or ())
    return found


def failed(netns: int, host: str, port: int, answered: bool) -> FailedConnect:
    return FailedConnect(netns, 0, *address.halves(host), port, answered, 1)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_the_port_is_told_where_connect_did_not_wait(
    namespace: DemoNamespace, reader: FailureReader, host: str
) -> None:
    refused(host, 81, SOON)
    assert told(reader) == {failed(namespace.inode, host, 81, answered=True)}
    refused(host, 81, BLOCKING)
    assert told(reader) == {failed(namespace.inode, host, 0, answered=False)}


def test_what_was_open_is_no_failure(namespace: DemoNamespace, reader: FailureReader) -> None:
    """Whoever closes or resets it; after the reset the kernel has forgotten the listener's port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        for linger in (b"", struct.pack("ii", 1, 0)):
            calling = socket.create_connection(("127.0.0.1", port))
            served, _ = listener.accept()
            if linger:
                served.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            served.close()
            with suppress(OSError):
                calling.recv(1)
            calling.close()
        refused("127.0.0.1", 81, SOON)
        assert told(reader, frozenset({port})) == {failed(namespace.inode, "127.0.0.1", 81, True)}


def test_it_is_asked_for_and_bounded(namespace: DemoNamespace) -> None:
    with namespace.entered():
        source = LiveSource()
        try:
            assert source.sample().failed is None
            source.request(Requests(failures=True))
            assert source.sample().failed is None
            assert source.sample().failed == ()
            for _ in range(MOST + 200):
                refused("127.0.0.1", 81, SOON)
                source.poll_listeners()
            found = source.sample().failed
            assert found
            assert MOST / 2 < sum(each.number for each in found) <= MOST
            source.request(Requests())
            source.sample()
            assert source.sample().failed is None
        finally:
            source.close()
