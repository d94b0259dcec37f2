"""Local ports of the real kernel that run out, and those that do not."""

from __future__ import annotations

import pytest

from tcptop.demo import held, sockets
from tcptop.demo.namespace import DemoNamespace
from tcptop.demo.veth import CLIENT, SERVER
from tests.kernel.findings import limits
from tests.kernel.findings.limits import SetWatch

ID = "ephemeral-port-exhaustion"
RANGE, SIZE = "40000 40099", 100
Linked = tuple[DemoNamespace, DemoNamespace]


@pytest.fixture
def ranged(linked: Linked) -> Linked:
    linked[0].sysctl("net.ipv4.ip_local_port_range", RANGE)
    return linked


@pytest.mark.parametrize("there", [SERVER.v4, SERVER.v6])
def test_a_pool_takes_them_all_and_gives_them_back(ranged: Linked, there: str) -> None:
    client, server = ranged
    server.run(sockets.listening, there, 6379, 200)
    pool = client.run(limits.connected, there, 6379, SIZE)
    with SetWatch(client, {}) as watch:
        found = watch.findings()[ID]
        assert found.severity == "critical"
        assert "has no local ports left to" in found.title
        assert found.subject.pids == (client.pid,)
        assert found.values["headroom"] == 0
        with pytest.raises(OSError, match="Cannot assign requested address"):
            client.run(sockets.connected, there, 6379)
        client.run(limits.reset_all, [each.fd for each in pool])
        watch.until(lambda found: not found, "ports that are free again")


def test_time_wait_holds_them_unless_the_kernel_takes_them_again(ranged: Linked) -> None:
    client, server = ranged
    for where in (client, server):
        where.sysctl("net.ipv4.tcp_tw_reuse", 0)
    address = SERVER.v4
    server_fd = server.run(sockets.listening, address, 80, 200).fd
    made = client.run(limits.connected, address, 80, 85)
    taken = [server.run(sockets.accepted, server_fd).fd for _ in made]
    client.run(held.close, *(each.fd for each in made))
    for fd in taken:
        server.run(held.receive, fd, 1)
    server.run(held.close, *taken)
    with SetWatch(client, {}) as watch:
        found = watch.until(lambda found: ID in found, "ports in TIME_WAIT")[ID]
        assert found.values["time_wait"] == 85
        assert found.subject.destination == f"{address}:80"
        client.sysctl("net.ipv4.tcp_tw_reuse", 1)
        watch.until(lambda found: ID not in found, "ports that connect() would take again")


def test_idle_bound_sockets_take_them_from_everybody(ranged: Linked) -> None:
    client, _ = ranged
    made = client.run(limits.bound, CLIENT.v4, 90)
    with SetWatch(client, {}) as watch:
        found = watch.findings()[ID]
        assert "90 of 100 are bound" in found.title
        client.run(held.close, *(each.fd for each in made))
        watch.until(lambda found: not found, "ports that nobody has")


def test_connections_that_were_bound_first_share_one_range(ranged: Linked) -> None:
    client, server = ranged
    for port in (80, 81):
        server.run(sockets.listening, SERVER.v4, port, 200)
        client.run(limits.bound_and_connected, CLIENT.v4, SERVER.v4, port, SIZE // 2)
    with pytest.raises(OSError, match="Address already in use"):
        client.run(limits.bound_and_connected, CLIENT.v4, SERVER.v4, 80, 1)
    with SetWatch(client, {}) as watch:
        found = watch.findings()[ID]
        assert f"to bind() on {CLIENT.v4}: 0 of 100 left" in found.title


def test_two_pools_of_plain_connections_have_a_range_each(ranged: Linked) -> None:
    client, server = ranged
    for port in (80, 81):
        server.run(sockets.listening, SERVER.v4, port, 200)
        client.run(limits.connected, SERVER.v4, port, 75)
    with SetWatch(client, {}) as watch:
        assert ID not in watch.findings()
