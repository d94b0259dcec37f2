"""Real MPTCP: what TCP's diagnostics show of it are its subflows, whose queues are not the
application's."""

from __future__ import annotations

import socket

import numpy as np
import pytest

from tcptop.analysis.selection import everything
from tcptop.analysis.verdicts import verdicts
from tcptop.columns import SOCKETS
from tcptop.demo import held
from tcptop.demo.held import HeldSockets
from tcptop.demo.namespace import DemoNamespace
from tcptop.model import tcp
from tests.kernel.snapshots import Watch, pids
from tests.unit.written import snapshot_json


def mptcp_pair() -> tuple[HeldSockets, HeldSockets, HeldSockets]:
    """A listener, and both ends of a connection whose receiver does not read."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_MPTCP)
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    client = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_MPTCP)
    client.connect(listener.getsockname())
    server, _ = listener.accept()
    client.setblocking(False)
    try:
        while True:
            client.send(bytes(1 << 20))
    except BlockingIOError:
        pass
    return held.hold(listener), held.hold(client), held.hold(server)


@pytest.fixture
def mptcp(namespace: DemoNamespace) -> DemoNamespace:
    namespace.sysctl("net.mptcp.enabled", 1)
    return namespace


def test_subflows_are_tagged_and_not_taken_for_unread(mptcp: DemoNamespace) -> None:
    listener, client, server = mptcp.run(mptcp_pair)
    with Watch(mptcp) as watch:
        watch.snapshot()
        snapshot = watch.snapshot()
    table, selection = snapshot.sample.sockets, everything(snapshot)
    assert set(table.ulp.tolist()) == {b"mptcp"}
    assert set(table.inode.tolist()) == {listener.inode, client.inode, server.inode}
    assert {*map(tuple, (pids(snapshot, row) for row in range(len(table))))} == {(mptcp.pid,)}
    rows = np.flatnonzero((table.state == tcp.ESTABLISHED) & (table.inode == server.inode))
    assert verdicts(snapshot, rows) == [None]
    assert {row["ulp"] for row in snapshot_json(selection)["sockets"]} == {"mptcp"}
    assert {*SOCKETS.column("ulp").texts(selection, selection.rows)} == {"mptcp"}


def test_plain_tcp_has_no_tag(namespace: DemoNamespace) -> None:
    namespace.run(plain)
    with Watch(namespace) as watch:
        snapshot = watch.snapshot()
    assert {row["ulp"] for row in snapshot_json(everything(snapshot))["sockets"]} == {None}


def plain() -> HeldSockets:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    return held.hold(listener)
