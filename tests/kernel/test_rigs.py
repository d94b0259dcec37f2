"""Each rig makes the condition that it names; `ss` is the witness."""

import errno
from dataclasses import dataclass
from pathlib import Path

import pytest

from tcptop.demo import held, owners, queues, sockets, states, syn, veth
from tcptop.demo.held import Held, until
from tcptop.demo.namespace import Namespace
from tests.kernel.ss import SsRow, ss_rows
from tests.kernel.zoo import KINDS, Zoo, retransmitting

Linked = tuple[Namespace, Namespace]
FAMILIES = ["v4", "v6"]


@dataclass(frozen=True)
class Expected:
    """A row of ss: state, queues, timer, and whether a process holds it."""

    state: str
    recv_q: int = 0
    send_q: int = 0
    timer: str | None = None
    owned: bool = True


IDLE = Expected("ESTAB")
STUCK = Expected("ESTAB", 0, 8192, "persist")
UNREAD = Expected("ESTAB", 12288)
HALF_CLOSED = Expected("FIN-WAIT-2", 12288)
OF_PAIRS = {  # the client's row, the server's row
    "established": (IDLE, IDLE),
    "syn-recv": (IDLE, Expected("SYN-RECV", timer="on", owned=False)),
    "not accepted": (IDLE, Expected("ESTAB", owned=False)),
    "fin-wait2": (Expected("FIN-WAIT-2"), Expected("CLOSE-WAIT", 1)),
    "time-wait": (Expected("TIME-WAIT", timer="timewait", owned=False), None),
    "zero window": (STUCK, UNREAD),
    "unread": (IDLE, Expected("ESTAB", 1000)),
    "keepalive": (Expected("ESTAB", timer="keepalive"), IDLE),
}
MINI = Expected("FIN-WAIT-2", timer="timewait", owned=False)
OF_SERVERS = {  # the client's row, the server's row
    "close-wait": (MINI, Expected("CLOSE-WAIT")),
    "close-wait unread": (MINI, Expected("CLOSE-WAIT", 11)),
}
OF_THE_END = {  # the client's row; the server's row
    "fin-wait1": (Expected("FIN-WAIT-1", 0, 8193, "persist"), UNREAD),
    "closing": (Expected("CLOSING", 1, 8193, "persist"), HALF_CLOSED),
    "last-ack": (Expected("LAST-ACK", 1, 8193, "persist"), HALF_CLOSED),
}


def seen(row: SsRow | None) -> Expected | None:
    if row is None:
        return None
    timer = row.timer.name if row.timer else None
    return Expected(row.state, row.recv_q, row.send_q, timer, bool(row.users))


def between(rows: list[SsRow], local: int, remote: int) -> SsRow | None:
    """The row with these ports, of which there is at most one."""
    found = [row for row in rows if (row.local_port, row.remote_port) == (local, remote)]
    assert len(found) <= 1
    return found[0] if found else None


def both_ends(rows: list[SsRow], client: int, server: int) -> tuple[Expected | None, ...]:
    return seen(between(rows, client, server)), seen(between(rows, server, client))


def of_inode(rows: list[SsRow], made: Held) -> SsRow:
    (row,) = (row for row in rows if row.inode == made.inode)
    return row


def with_state(rows: list[SsRow], state: str) -> list[SsRow]:
    return [row for row in rows if row.state == state]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", OF_PAIRS)
def test_both_ends_are_in_their_states(zoo: Zoo, name: str, kind: str) -> None:
    client, server = zoo.pairs[f"{name} {kind}"]
    ends = both_ends(ss_rows(zoo.namespace), client.local[1], server.local[1])
    assert ends == OF_PAIRS[name]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", OF_SERVERS)
def test_the_client_closed_and_the_server_did_not(zoo: Zoo, name: str, kind: str) -> None:
    server = zoo.sockets[f"{name} {kind}"]
    assert server.remote
    ends = both_ends(ss_rows(zoo.namespace), server.remote[1], server.local[1])
    assert ends == OF_SERVERS[name]


@pytest.mark.parametrize("kind", KINDS)
def test_a_connection_was_closed_before_anyone_accepted_it(zoo: Zoo, kind: str) -> None:
    port = zoo.sockets[f"close-wait not accepted {kind}"].local[1]
    rows = [row for row in ss_rows(zoo.namespace) if row.local_port == port]
    assert {row.state: row.recv_q for row in rows} == {"LISTEN": 1, "CLOSE-WAIT": 1}
    assert [row.inode for row in with_state(rows, "CLOSE-WAIT")] == [0]


@pytest.mark.parametrize("kind", FAMILIES)
@pytest.mark.parametrize("orphan", ["", "orphan "])
@pytest.mark.parametrize("name", OF_THE_END)
def test_a_connection_that_cannot_end(zoo: Zoo, name: str, orphan: str, kind: str) -> None:
    client, server = zoo.pairs[f"{name} {orphan}{kind}"]
    rows = ss_rows(zoo.namespace)
    row = between(rows, client.local[1], server.local[1])
    expected, expected_server = OF_THE_END[name]
    assert row is not None
    assert (row.state, row.recv_q, row.send_q) == (expected.state, expected.recv_q, 8193)
    assert row.timer is not None
    assert row.timer.name == "persist"
    assert row.inode == (0 if orphan else client.inode)
    assert seen(between(rows, server.local[1], client.local[1])) == expected_server


@pytest.mark.parametrize("kind", [*FAMILIES, "nobody", "nobody6"])
def test_syn_sent_waits_for_an_answer(zoo: Zoo, kind: str) -> None:
    made = zoo.sockets[f"syn-sent {kind}"]
    assert seen(of_inode(ss_rows(zoo.namespace), made)) == Expected("SYN-SENT", 0, 1, "on")


@pytest.mark.parametrize("kind", KINDS)
def test_addresses_are_of_the_kind_that_was_asked_for(zoo: Zoo, kind: str) -> None:
    rows, pair = ss_rows(zoo.namespace), zoo.pairs[f"established {kind}"]
    mapped, plain = "::ffff:127.0.0.1", KINDS[kind][0]
    expected = {
        "mapped": ("127.0.0.1", mapped),
        "both-mapped": (mapped, mapped),
    }.get(kind, (plain, plain))
    assert tuple(of_inode(rows, end).local_address for end in pair) == expected


def test_listeners_of_each_kind(zoo: Zoo) -> None:
    rows = ss_rows(zoo.namespace, "state", "listening")
    made = {name: of_inode(rows, one) for name, one in zoo.sockets.items() if "listen" in name}
    shown = {name: (row.local_address, row.v6only) for name, row in made.items()}
    link_local = shown.pop("listen link-local")
    assert shown == {
        "listen 127.0.0.1": ("127.0.0.1", None),
        "listen 0.0.0.0": ("0.0.0.0", None),
        "listen ::1": ("::1", True),
        "listen ::": ("*", False),
        "listen v6only": ("::", True),
        "listen device": ("127.0.0.1", None),
    }
    assert link_local[0].startswith("fe80::")
    assert made["listen link-local"].interface == veth.DEVICE
    assert made["listen device"].interface == "lo"


def test_a_socket_bound_to_a_scope_shows_it(zoo: Zoo) -> None:
    row = of_inode(ss_rows(zoo.namespace), zoo.sockets["remote link-local"])
    assert (row.interface, row.remote_address[:6]) == (veth.DEVICE, "fe80::")


def test_some_sockets_are_in_no_dump(zoo: Zoo) -> None:
    """Bound and inactive ones, and one that its peer has reset; their descriptors are open."""
    rows = ss_rows(zoo.namespace)
    for name in ("bound v4", "bound v6", "reset v4", "reset v6"):
        made = zoo.sockets[name]
        assert made.inode not in {row.inode for row in rows}
        link = zoo.namespace.command(["readlink", f"/proc/{made.pid}/fd/{made.fd}"])
        assert link.strip() == f"socket:[{made.inode}]"


def test_listeners_share_a_port(zoo: Zoo) -> None:
    made = [zoo.sockets[f"reuse-port {number}"] for number in range(3)]
    rows = [of_inode(ss_rows(zoo.namespace), one) for one in made]
    assert len({row.local_port for row in rows}) == 1
    assert {row.state for row in rows} == {"LISTEN"}


def test_a_bound_socket_keeps_its_port(namespace: Namespace) -> None:
    port = namespace.run(sockets.bound).local[1]
    with pytest.raises(OSError, match="Address already in use") as caught:
        namespace.run(sockets.bound, "127.0.0.1", port)
    assert caught.value.errno == errno.EADDRINUSE


def test_accept_overflow(namespace: Namespace) -> None:
    listener = namespace.run(queues.accept_overflow, "127.0.0.1", 5, 12)
    rows = ss_rows(namespace)
    row = of_inode(rows, listener)
    assert (row.recv_q, row.send_q) == (6, 5)
    assert row.skmem["d"] >= 6  # more, once a SYN has been sent again
    assert len(with_state(rows, "SYN-SENT")) == 6
    queued = [row for row in with_state(rows, "ESTAB") if row.local_port == listener.local[1]]
    assert [row.inode for row in queued] == [0] * 6


def test_the_window_opens_when_the_reader_reads(namespace: Namespace) -> None:
    client, server = namespace.run(states.zero_window)
    while of_inode(ss_rows(namespace), client).send_q:
        namespace.run(held.receive, server.fd, 65536)
    assert of_inode(ss_rows(namespace), client).timer is None


@pytest.mark.parametrize("bind_to", [None, "127.0.0.1"])
def test_ports_run_out(namespace: Namespace, bind_to: str | None) -> None:
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


def _retransmits(namespace: Namespace, made: Held) -> int:
    timer = of_inode(ss_rows(namespace), made).timer
    return timer.retransmits if timer and timer.name == "on" else 0


def test_keepalive_probes_go_unanswered(linked: Linked) -> None:
    client, server = linked
    listener = server.run(sockets.listening, veth.SERVER.v4)
    made = client.run(sockets.connected, veth.SERVER.v4, listener.local[1])
    veth.black_hole(client, veth.SERVER)
    client.run(queues.keep_alive, made.fd, 1, 1)
    until(lambda: _timer(client, made) == ("keepalive", True), "a probe")


def _timer(namespace: Namespace, made: Held) -> tuple[str, bool]:
    timer = of_inode(ss_rows(namespace), made).timer
    return (timer.name, timer.retransmits > 0) if timer else ("", False)


def test_spoofed_syns_fill_the_syn_queue(linked: Linked) -> None:
    _, server = linked
    server.sysctl("net.ipv4.tcp_syncookies", 0)
    listener = server.run(sockets.listening, veth.SERVER.v4, 7000, 16)
    server.run(syn.send, veth.SERVER.v4, 7000, 30)
    until(lambda: len(ss_rows(server, "state", "syn-recv")) == 17, "17 half-open connections")
    row = of_inode(ss_rows(server), listener)
    assert row.recv_q == 0
    assert row.skmem["d"] == 13


def test_a_full_fin_wait2_orphan(namespace: Namespace) -> None:
    """With a tcp_fin_timeout of more than a minute it is no mini-socket at first."""
    namespace.sysctl("net.ipv4.tcp_fin_timeout", 100)
    server = namespace.run(states.close_wait)
    assert server.remote
    row = between(ss_rows(namespace), server.remote[1], server.local[1])
    assert seen(row) == Expected("FIN-WAIT-2", timer="keepalive", owned=False)
    assert "rto" in row.info if row else False  # unlike a mini-socket


def test_workers_share_a_listener(namespace: Namespace) -> None:
    made = namespace.run(sockets.listening)
    other = namespace.run(sockets.listening)
    workers = namespace.run(owners.share_by_fork, made.fd, 3)
    workers.append(namespace.run(owners.share_by_message, made.fd))
    rows = ss_rows(namespace)
    assert {pid for _, pid, _ in of_inode(rows, made).users} == {namespace.pid, *workers}
    assert {pid for _, pid, _ in of_inode(rows, other).users} == {namespace.pid}


def test_a_process_may_have_a_hostile_name(namespace: Namespace) -> None:
    helper = namespace.helper()
    helper.run(owners.rename, owners.HOSTILE_NAME)
    made = helper.run(sockets.listening)
    comm = Path(f"/proc/{helper.pid}/comm").read_bytes()
    assert comm == owners.HOSTILE_NAME + b"\n"
    ((_, pid, fd),) = of_inode(ss_rows(namespace), made).users
    assert (pid, fd) == (helper.pid, made.fd)


def test_sockets_show_the_cgroup_they_were_made_in(namespace: Namespace) -> None:
    name = f"tcptop test {namespace.pid}"
    helper = namespace.helper()
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


def test_a_reset_leaves_nothing_behind(namespace: Namespace) -> None:
    client, server = namespace.run(states.established)
    namespace.run(held.reset, client.fd)
    assert ss_rows(namespace) == []
    with pytest.raises(ConnectionResetError):
        namespace.run(held.receive, server.fd, 1)
