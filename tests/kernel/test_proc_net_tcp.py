"""/proc/net/tcp row by row against ss."""

import os
import time

from tcptop.demo.namespace import DemoNamespace
from tcptop.demo.sockets import connected, listening
from tcptop.model import tcp
from tcptop.model.address import text
from tcptop.model.table import SocketTable
from tcptop.sources import proc_net_tcp
from tests.kernel.ss import SsRow, ss_rows
from tests.kernel.zoo import Zoo

SS_STATES = {"ESTAB": "ESTABLISHED", "UNCONN": "CLOSE"}
TIMERS = {"on": "retransmit"}


def ours(table: SocketTable, row: int) -> tuple[object, ...]:
    state = int(table.state[row])
    return (
        tcp.STATES[state],
        text(int(table.local_hi[row]), int(table.local_lo[row])),
        int(table.local_port[row]),
        text(int(table.remote_hi[row]), int(table.remote_lo[row])),
        int(table.remote_port[row]),
        int(table.recv_q[row]),
        0 if state == tcp.LISTEN else int(table.send_q[row]),
        int(table.inode[row]),
        tcp.TIMERS[table.timer[row]],
    )


def theirs(row: SsRow) -> tuple[object, ...]:
    timer = TIMERS.get(row.timer.name, row.timer.name) if row.timer else ""
    listens = row.state == "LISTEN"
    return (
        SS_STATES.get(row.state, row.state.replace("-", "_").replace("WAIT_", "WAIT")),
        _plain(row.local_address),
        row.local_port,
        _any(row) if listens else _plain(row.remote_address),
        row.remote_port,
        row.recv_q,
        0 if listens else row.send_q,
        row.inode or 0,
        timer,
    )


def _plain(address: str) -> str:
    """ss shows a mapped address as ::ffff:a.b.c.d and a dual-stack any as *."""
    return "::" if address == "*" else address.removeprefix("::ffff:")


def _any(row: SsRow) -> str:
    """The unspecified peer of a listener; ss shows * for both families of some."""
    local = _plain(row.local_address)
    return "::" if ":" in local else "0.0.0.0"


def test_every_row_is_as_ss_shows_it(zoo: Zoo) -> None:
    table = zoo.namespace.in_thread(proc_net_tcp.read, zoo.namespace.inode)
    expected = ss_rows(zoo.namespace)
    assert len(expected) > 100
    assert sorted(map(repr, (ours(table, row) for row in range(len(table))))) == sorted(
        map(repr, map(theirs, expected))
    )
    assert len(set(table.cookie.tolist())) == len(table)


def test_uids_are_as_ss_shows_them(zoo: Zoo) -> None:
    zoo.namespace.helper().run(_become_user_with_a_socket, 4242)
    table = zoo.namespace.in_thread(proc_net_tcp.read, zoo.namespace.inode)
    found = {inode: uid for inode, uid in zip(table.inode, table.uid, strict=True) if inode}
    assert found == {row.inode: row.uid or 0 for row in ss_rows(zoo.namespace) if row.inode}
    assert 4242 in found.values() or os.getuid() != 0


def _become_user_with_a_socket(uid: int) -> None:
    listening()  # imports what the other user may not be able to read
    if os.getuid() == 0:
        os.setuid(uid)
    listening()


def test_timers_run_as_ss_shows_them(zoo: Zoo) -> None:
    """Those that end only once; a retransmission may begin anew between the two looks."""
    began = time.monotonic()
    table = zoo.namespace.in_thread(proc_net_tcp.read, zoo.namespace.inode)
    found = {ours(table, row)[1:5]: int(table.expires[row]) for row in range(len(table))}
    expected = ss_rows(zoo.namespace)
    apart = (time.monotonic() - began) * 1000
    names = []
    for row in expected:
        if row.timer and row.timer.name in ("keepalive", "timewait"):
            rounded = 1000 if row.timer.expires_ms < 60_000 else 60_000
            assert abs(found[theirs(row)[1:5]] - row.timer.expires_ms) <= rounded + apart
            names.append(row.timer.name)
    assert names.count("keepalive") >= 4
    assert names.count("timewait") >= 4


def test_accept_queue_of_a_listener(namespace: DemoNamespace) -> None:
    listener = namespace.run(listening, "127.0.0.1", 0, 7)
    for _ in range(3):
        namespace.run(connected, "127.0.0.1", listener.local[1])
    table = namespace.in_thread(proc_net_tcp.read, namespace.inode)
    row = table.inode.tolist().index(listener.inode)
    assert (table.recv_q[row], table.send_q[row]) == (3, 0)


def test_an_empty_namespace(namespace: DemoNamespace) -> None:
    assert len(namespace.in_thread(proc_net_tcp.read, namespace.inode)) == 0
