"""Each rig makes the condition that it names; `ss` is the witness."""

import errno
import os
from pathlib import Path

import pytest

from tcptop.demo import held, linux, sockets, veth
from tcptop.demo.held import HeldSockets, until
from tcptop.demo.namespace import DemoNamespace
from tests.kernel import owners, queues, states
from tests.kernel.ss import between, of_inode, ss_rows, with_state
from tests.kernel.zoo import retransmitting

Linked = tuple[DemoNamespace, DemoNamespace]


def test_a_bound_socket_keeps_its_port(namespace: DemoNamespace) -> None:
    port = namespace.run(states.bound).local[1]
    with pytest.raises(OSError, match="Address already in use") as caught:
        namespace.run(states.bound, "127.0.0.1", port)
    assert caught.value.errno == errno.EADDRINUSE


def test_accept_overflow(namespace: DemoNamespace) -> None:
    listener = namespace.run(queues.accept_overflow, "127.0.0.1", 5, 12)
    rows = ss_rows(namespace)
    row = of_inode(rows, listener)
    assert (row.recv_q, row.send_q) == (6, 5)
    assert row.skmem["d"] >= 6  # more, once a SYN has been sent again
    assert len(with_state(rows, "SYN-SENT")) == 6
    queued = [row for row in with_state(rows, "ESTAB") if row.local_port == listener.local[1]]
    assert [row.inode for row in queued] == [0] * 6


def test_the_window_opens_when_the_reader_reads(namespace: DemoNamespace) -> None:
    client, server = namespace.run(states.zero_window)
    while of_inode(ss_rows(namespace), client).send_q:
        namespace.run(held.receive, server.fd, 65536)
    assert of_inode(ss_rows(namespace), client).timer is None


@pytest.mark.parametrize("bind_to", [None, "127.0.0.1"])
def test_ports_run_out(namespace: DemoNamespace, bind_to: str | None) -> None:
    namespace.sysctl("net.ipv4.ip_local_port_range", "32768 32787")
    listener = namespace.run(sockets.listening, "127.0.0.1", 80, 128)
    made = namespace.run(queues.exhaust, "127.0.0.1", 80, bind_to=bind_to)
    assert len(made) == 20
    assert len(ss_rows(namespace, "dport", "=", f":{listener.local[1]}")) == 20


def test_a_black_hole_makes_a_sender_retransmit_until_it_is_healed(linked: Linked) -> None:
    client, server = linked
    made = retransmitting(client, server)
    until(lambda: _retransmits(client, made) >= 1, "a retransmission")
    row = of_inode(ss_rows(client), made)
    assert (row.state, row.send_q, row.number("unacked")) == ("ESTAB", 500, 1)
    veth.heal(client, veth.SERVER)
    until(lambda: of_inode(ss_rows(client), made).send_q == 0, "an answer")


@pytest.mark.parametrize("state", ["FIN-WAIT-1", "LAST-ACK", "CLOSING"])
def test_a_fin_is_lost(linked: Linked, state: str) -> None:
    client, server = linked
    listener = server.run(sockets.listening, veth.SERVER.v4)
    made = client.run(sockets.connected, veth.SERVER.v4, listener.local[1])
    other = server.run(sockets.accepted, listener.fd)
    if state == "LAST-ACK":
        server.run(held.shut, other.fd)
        client.run(held.receive, made.fd, 1)
    veth.black_hole(client, veth.SERVER)
    client.run(held.shut, made.fd)
    if state == "CLOSING":
        server.run(held.shut, other.fd)
    until(lambda: of_inode(ss_rows(client), made).state == state, state)
    row = of_inode(ss_rows(client), made)
    assert row.send_q == 1
    assert row.timer is not None
    assert row.timer.name == "on"


def _retransmits(namespace: DemoNamespace, made: HeldSockets) -> int:
    timer = of_inode(ss_rows(namespace), made).timer
    return timer.retransmits if timer and timer.name == "on" else 0


def test_keepalive_probes_go_unanswered(linked: Linked) -> None:
    client, server = linked
    listener = server.run(sockets.listening, veth.SERVER.v4)
    made = client.run(sockets.connected, veth.SERVER.v4, listener.local[1])
    veth.black_hole(client, veth.SERVER)
    client.run(held.keep_alive, made.fd, 1, 1)
    until(lambda: _timer(client, made) == ("keepalive", True), "a probe")


def _timer(namespace: DemoNamespace, made: HeldSockets) -> tuple[str, bool]:
    timer = of_inode(ss_rows(namespace), made).timer
    return (timer.name, timer.retransmits > 0) if timer else ("", False)


def test_spoofed_syns_fill_the_syn_queue(linked: Linked) -> None:
    _, server = linked
    server.sysctl("net.ipv4.tcp_syncookies", 0)
    listener = server.run(sockets.listening, veth.SERVER.v4, 7000, 16)
    server.run(queues.send_syns, veth.SERVER.v4, 7000, 30)
    until(lambda: len(ss_rows(server, "state", "syn-recv")) == 17, "17 half-open connections")
    row = of_inode(ss_rows(server), listener)
    assert row.recv_q == 0
    assert row.skmem["d"] == 13


def test_a_full_fin_wait2_orphan(namespace: DemoNamespace) -> None:
    """With a tcp_fin_timeout of more than a minute it is no mini-socket at first."""
    namespace.sysctl("net.ipv4.tcp_fin_timeout", 100)
    server = namespace.run(states.close_wait)
    assert server.remote
    ends = server.remote[1], server.local[1]

    def acknowledged() -> bool:
        seen = between(ss_rows(namespace), *ends)
        return seen is not None and seen.state == "FIN-WAIT-2"

    until(acknowledged, "the FIN acknowledged")
    row = between(ss_rows(namespace), *ends)
    assert row is not None
    assert row.inode == 0
    assert row.timer is not None
    assert row.timer.name == "keepalive"
    assert "rto" in row.info  # unlike a mini-socket


def test_workers_share_a_listener(namespace: DemoNamespace) -> None:
    made = namespace.run(sockets.listening)
    other = namespace.run(sockets.listening)
    workers = namespace.run(owners.share_by_fork, made.fd, 3)
    workers.append(namespace.run(owners.share_by_message, made.fd))
    rows = ss_rows(namespace)
    assert {pid for _, pid, _ in of_inode(rows, made).users} == {namespace.pid, *workers}
    assert {pid for _, pid, _ in of_inode(rows, other).users} == {namespace.pid}


def test_a_process_may_have_a_hostile_name(namespace: DemoNamespace) -> None:
    helper = namespace.helper()
    helper.run(linux.set_name, owners.HOSTILE_NAME)
    made = helper.run(sockets.listening)
    comm = Path(f"/proc/{helper.pid}/comm").read_bytes()
    assert comm == owners.HOSTILE_NAME + b"\n"
    ((_, pid, fd),) = of_inode(ss_rows(namespace), made).users
    assert (pid, fd) == (helper.pid, made.fd)


def test_sockets_show_the_cgroup_they_were_made_in(namespace: DemoNamespace) -> None:
    name = f"tcptop test {namespace.pid}"
    helper = namespace.helper()
    if os.geteuid():
        with pytest.raises(PermissionError):
            helper.run(owners.enter_cgroup, name)
        return
    try:
        number = helper.run(owners.enter_cgroup, name)
        made = helper.run(sockets.listening)
        assert f"/{name}" in namespace.command(["ss", "-HOltn", "--cgroup"])
        assert number > 1
        assert of_inode(ss_rows(namespace), made).state == "LISTEN"
    finally:
        helper.close()
        until(lambda: _removed(name), "an empty cgroup")


def _removed(name: str) -> bool:
    try:
        owners.remove_cgroup(name)
    except OSError as error:
        return error.errno == errno.ENOENT
    return True


def test_a_reset_leaves_nothing_behind(namespace: DemoNamespace) -> None:
    client, server = namespace.run(states.established)
    namespace.run(held.reset, client.fd)
    assert ss_rows(namespace) == []
    with pytest.raises(ConnectionResetError):
        namespace.run(held.receive, server.fd, 1)
