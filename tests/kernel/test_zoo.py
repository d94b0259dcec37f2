"""The zoo holds what it says; `ss` is the witness."""

from dataclasses import dataclass

import pytest

from tcptop.demo import veth
from tests.kernel.ss import SsRow, between, of_inode, ss_rows, with_state
from tests.kernel.zoo import KINDS, Zoo

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


def both_ends(rows: list[SsRow], client: int, server: int) -> tuple[Expected | None, ...]:
    return seen(between(rows, client, server)), seen(between(rows, server, client))


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
