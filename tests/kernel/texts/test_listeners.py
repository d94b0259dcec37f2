"""What the texts say of listeners, tried on real sockets."""

from __future__ import annotations

import errno
import socket

import pytest

from tcptop.demo.held import until
from tcptop.demo.namespace import DemoNamespace
from tcptop.model import tcp
from tests.kernel.texts.inside import error, listener, row, states


def test_somaxconn_counts_from_the_next_listen(namespace: DemoNamespace) -> None:
    with namespace.entered():
        made = listener("127.0.0.1", 300)
    namespace.sysctl("net.core.somaxconn", 20)
    assert row(namespace, made).send_q == 300
    made.listen(300)
    assert row(namespace, made).send_q == 20


@pytest.mark.parametrize("migrate", [0, 1])
def test_a_closed_listener_resets_its_queue(namespace: DemoNamespace, migrate: int) -> None:
    """Although another one shares the port, unless tcp_migrate_req hands it over."""
    namespace.sysctl("net.ipv4.tcp_migrate_req", migrate)
    with namespace.entered():
        closing = listener("127.0.0.1", shared=True)
        staying = listener("127.0.0.1", port=closing.getsockname()[1], shared=True)
        clients = [socket.create_connection(closing.getsockname()) for _ in range(16)]
    lost, kept = (row(namespace, each).recv_q for each in (closing, staying))
    assert lost > 0  # one of 65,536 chances is that the hash gives all to the other
    closing.close()
    if migrate:
        until(lambda: row(namespace, staying).recv_q == 16, "the queue to be handed over")
        assert [error(each) for each in clients] == [0] * 16
    else:
        until(lambda: states(namespace).count(tcp.ESTABLISHED) == 2 * kept, "the resets")
        assert [error(each) for each in clients].count(errno.ECONNRESET) == lost
