"""What the texts say of connections that are closed, tried on real sockets."""

from __future__ import annotations

from tcptop.demo import held
from tcptop.demo.namespace import DemoNamespace
from tcptop.model import tcp
from tests.kernel import states as demo
from tests.kernel.texts.inside import connected, counted, counter, row, states


def test_reading_exactly_the_last_byte_takes_the_fin_along(namespace: DemoNamespace) -> None:
    """So Recv-Q 0 does not prove that the end of file was seen: see close-wait."""
    client, server = connected(namespace, namespace, "127.0.0.1")
    client.send(b"hello")
    client.close()
    held.until(lambda: row(namespace, server).state == tcp.CLOSE_WAIT, "CLOSE_WAIT")
    assert row(namespace, server).recv_q == 6
    assert server.recv(5) == b"hello"
    assert row(namespace, server)[:2] == (tcp.CLOSE_WAIT, 0)


def test_an_idle_pool_whose_server_closed_looks_like_a_stuck_server(
    namespace: DemoNamespace,
) -> None:
    client, server = connected(namespace, namespace, "127.0.0.1")
    client.send(b"request")
    server.recv(7)
    server.send(b"answer")
    client.recv(6)
    server.close()
    held.until(lambda: row(namespace, client).state == tcp.CLOSE_WAIT, "CLOSE_WAIT")
    assert row(namespace, client)[:3] == (tcp.CLOSE_WAIT, 1, 0)


def test_data_after_close_counts_only_before_the_fin_is_acknowledged(
    namespace: DemoNamespace,
) -> None:
    late = connected(namespace, namespace, "127.0.0.1")
    late.server.close()
    held.until(lambda: states(namespace).count(tcp.FIN_WAIT2) == 1, "FIN_WAIT2")
    with counted(namespace) as after:
        late.client.send(b"x")
        held.until(lambda: states(namespace) == [], "the reset")
    assert (after["TCPAbortOnData"], after["OutRsts"]) == (0, 1)
    early = namespace.run(demo.fin_wait1, orphan=True)
    with counted(namespace) as before:
        namespace.run(held.send, early.server.fd, 1)
        held.until(lambda: states(namespace) == [], "the reset")
    assert (before["TCPAbortOnData"], before["OutRsts"]) == (1, 1)


def test_after_close_a_shut_window_is_given_up(namespace: DemoNamespace) -> None:
    """As soon as the probes are as far apart as they may be: 120 s, here 1 s (tcp_probe_timer)."""
    namespace.sysctl("net.ipv4.tcp_rto_max_ms", 1000)  # 6.15
    with counted(namespace) as risen:
        open_still = namespace.run(demo.zero_window)
        namespace.run(demo.fin_wait1, orphan=True)
        held.until(lambda: tcp.FIN_WAIT1 not in states(namespace), "it to be given up", 30)
        sent = counter(namespace, "TCPWinProbe")  # from now on by the one that is still held
        held.until(lambda: counter(namespace, "TCPWinProbe") >= sent + 3, "three probes", 20)
    assert risen["TCPAbortOnTimeout"] == 1
    assert risen["OutRsts"] == 0
    assert states(namespace) == [tcp.ESTABLISHED] * 3  # the peer of the lost one is not told
    assert namespace.run(held.unread, open_still.server.fd) > 0


def test_a_closed_fin_wait_2_counts_as_time_wait(namespace: DemoNamespace) -> None:
    with counted(namespace) as risen:
        client, _server = connected(namespace, namespace, "127.0.0.1")
        client.close()
        held.until(lambda: tcp.FIN_WAIT2 in states(namespace), "FIN_WAIT2")
    assert risen["TW"] == 1
