"""Who holds each socket of a look, and why nobody can be named."""

import numpy as np

from tcptop.analysis.selection import select
from tcptop.demo import held, sockets
from tcptop.demo.namespace import DemoNamespace
from tcptop.model import owner, tcp
from tcptop.model.snapshot import Snapshot
from tcptop.views import socket_rows
from tests.kernel import owners
from tests.kernel.snapshots import kind, note, pids, row_between, row_of, snapshot_of
from tests.kernel.zoo import Zoo


def sockets_of(snapshot: Snapshot, pid: int) -> tuple[int, int]:
    """How many sockets a process has in processes[], and how many of them others hold too."""
    found = snapshot.processes
    processes = snapshot.holders.processes
    (place,) = (
        n for n, p in enumerate(found.process.tolist()) if p >= 0 and processes[p].pid == pid
    )
    return int(found.sockets[place]), int(found.shared[place])


def test_every_socket_with_an_inode_has_its_process(zoo: Zoo) -> None:
    snapshot = snapshot_of(zoo.namespace)
    table = snapshot.sample.sockets
    attributed = snapshot.owner == owner.PROCESS
    assert (attributed == (table.inode != 0)).all()
    assert snapshot.totals.attributed == np.count_nonzero(attributed) > 80
    assert (snapshot.note[attributed] == owner.NONE).all()
    assert {p.pid for p in snapshot.holders.processes} == {zoo.namespace.pid}
    for name, made in zoo.sockets.items():
        if made.inode in table.inode:
            row = row_of(table, made)
            assert [fd for _, fd in snapshot.holders.of(row)] == [made.fd], name


def test_reasons_of_a_single_look(zoo: Zoo) -> None:
    snapshot = snapshot_of(zoo.namespace)
    table = snapshot.sample.sockets
    alone = np.flatnonzero(snapshot.owner != owner.PROCESS)
    reasons = {(tcp.STATES[table.state[row]], note(snapshot, row)) for row in alone.tolist()}
    assert reasons == {
        ("ESTABLISHED", owner.IN_ACCEPT_QUEUE),
        ("CLOSE_WAIT", owner.IN_ACCEPT_QUEUE),
        ("SYN_RECV", owner.HALF_OPEN),
        ("TIME_WAIT", owner.KERNEL_KEEPS),
        ("FIN_WAIT2", owner.KERNEL_KEEPS),
        ("FIN_WAIT1", owner.ORPHAN),
        ("LAST_ACK", owner.ORPHAN),
        ("CLOSING", owner.ORPHAN),
    }


def test_fillers_of_the_kernel_are_never_shown(zoo: Zoo) -> None:
    snapshot = snapshot_of(zoo.namespace)
    table = snapshot.sample.sockets
    rows = np.arange(len(table))
    shown = socket_rows.columns(select(snapshot), rows)
    expected = (table.inode == 0) & np.isin(table.state, (tcp.TIME_WAIT, tcp.SYN_RECV))
    expected |= (table.inode == 0) & (table.state == tcp.FIN_WAIT2)
    assert (snapshot.sample.sockets.mini() == expected).all()
    assert np.count_nonzero(expected) >= 16
    for row in np.flatnonzero(expected).tolist():
        for name in ("user", "uid", "inode", "cgroup"):
            assert shown[name][row] is None  # type: ignore[index]
    for row in np.flatnonzero(~expected).tolist():
        assert shown["user"][row] is not None  # type: ignore[index]


def test_a_shared_listener_counts_once_in_totals(namespace: DemoNamespace) -> None:
    made = namespace.run(sockets.listening)
    namespace.run(sockets.listening)
    workers = namespace.run(owners.share_by_fork, made.fd, 3)
    workers.append(namespace.run(owners.share_by_message, made.fd))
    snapshot = snapshot_of(namespace)
    row = row_of(snapshot.sample.sockets, made)
    assert sorted(pids(snapshot, row)) == sorted([namespace.pid, *workers])
    assert snapshot.totals.sockets == snapshot.totals.attributed == 2
    assert sockets_of(snapshot, namespace.pid) == (2, 1)
    assert [sockets_of(snapshot, pid) for pid in workers] == [(1, 1)] * 4


def test_two_descriptors_are_one_holder(namespace: DemoNamespace) -> None:
    made = namespace.run(sockets.listening)
    namespace.run(duplicate, made.fd)
    snapshot = snapshot_of(namespace)
    assert pids(snapshot, row_of(snapshot.sample.sockets, made)) == [namespace.pid]
    assert sockets_of(snapshot, namespace.pid) == (1, 0)


def duplicate(fd: int) -> None:
    held.hold(held.get(fd).dup())


def test_connections_of_one_process_to_another(namespace: DemoNamespace) -> None:
    helper = namespace.helper()
    listener = namespace.run(sockets.listening)
    client = helper.run(sockets.connected, "127.0.0.1", listener.local[1])
    snapshot = snapshot_of(namespace)
    assert pids(snapshot, row_of(snapshot.sample.sockets, client)) == [helper.pid]
    row = row_between(snapshot.sample.sockets, listener.local[1], client.local[1])
    assert kind(snapshot, row) == "accept-queue"
    words = socket_rows.owner_note(snapshot, row)
    assert f"listener 127.0.0.1:{listener.local[1]}" in words
    assert str(namespace.pid) in words
