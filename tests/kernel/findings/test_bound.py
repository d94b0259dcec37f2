"""Ports lost to sockets that are bound and idle are put down to their process."""

from __future__ import annotations

from tcptop.demo.namespace import DemoNamespace
from tests.kernel import states
from tests.kernel.snapshots import snapshot_of


def bind_many(count: int) -> int:
    """How many sockets were bound; they stay open."""
    return len([states.bound() for _ in range(count)])


def test_who_binds_all_the_ports_is_named() -> None:
    with DemoNamespace() as namespace:
        namespace.sysctl("net.ipv4.ip_local_port_range", "40000 40099")
        assert namespace.run(bind_many, 90) == 90
        (found,) = snapshot_of(namespace).findings
        assert found.id == "ephemeral-port-exhaustion"
        assert found.subject.pids == (namespace.pid,)
