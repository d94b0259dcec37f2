"""Accept and SYN queues of the real kernel: what is found, what it explains, and when it ends."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping

import pytest

from tcptop.demo import linux, sockets, syn, veth
from tcptop.demo.namespace import DemoNamespace
from tcptop.model.finding import Finding
from tests.kernel import queues, snapshots
from tests.kernel.findings import listeners
from tests.kernel.snapshots import Watch

OVERFLOW, FULL, FLOOD = "accept-queue-overflow", "syn-queue-full", "syn-flood"
UNANSWERED, HOLE = "connect-unanswered", "black-hole"
Linked = tuple[DemoNamespace, DemoNamespace]


@pytest.mark.parametrize(("host", "to"), [("127.0.0.1", "127.0.0.1"), ("::", "127.0.0.1")])
def test_an_accept_queue_overflows(namespace: DemoNamespace, host: str, to: str) -> None:
    server = namespace.helper()
    server.run(linux.set_name, b"slowpoke")
    listener = server.run(sockets.listening, host, 8080, 5)
    namespace.run(listeners.dial, to, 8080, 12)
    with Watch(namespace) as watch:
        (first,) = watch.snapshot().findings
        assert (first.id, first.severity) == (OVERFLOW, "critical")
        assert first.subject.pids == (server.pid,)
        assert "slowpoke on " in first.title
        assert ":8080 is too slow to accept" in first.title
        found = listeners.until(watch, lambda f: UNANSWERED in f, "clients that wait")
        assert found[UNANSWERED].because == found[OVERFLOW].key == first.key
        assert found[OVERFLOW].values["queued"] == 6
        assert found[OVERFLOW].values["oldest_s"] > 1
        server.run(listeners.drain, listener.fd)
        listeners.until(
            watch, lambda f: server.run(listeners.drain, listener.fd) == 0 and not f, "an end"
        )
        table = watch.snapshot().sample.sockets
        row = snapshots.row_of(table, listener)
        assert table.memory_of("drops")[row] > 0  # it is no sign that it goes on


def test_a_burst_that_drains_is_silent(namespace: DemoNamespace) -> None:
    listener = namespace.run(sockets.listening, "127.0.0.1", 8080, 15)
    with Watch(namespace) as watch:
        watch.snapshot()
        namespace.run(listeners.dial, "127.0.0.1", 8080, 16)
        assert watch.snapshot().findings == ()
        namespace.run(listeners.drain, listener.fd)
        assert listeners.during(watch, 4) == set()


def test_a_tiny_queue_may_be_full(namespace: DemoNamespace) -> None:
    namespace.run(queues.accept_overflow, "127.0.0.1", 0, 1)
    with Watch(namespace) as watch:
        assert listeners.during(watch, 5) == set()


def test_bare_acks_are_no_overflow(namespace: DemoNamespace) -> None:
    """Clients that send no request raise the drop counter of a deferring listener."""
    deferring = namespace.run(listeners.deferring, 81, 16)
    with Watch(namespace) as watch:
        watch.snapshot()
        namespace.run(listeners.dial, "127.0.0.1", 81, 5)
        full = namespace.run(queues.accept_overflow, "127.0.0.1", 1, 4)
        snapshot = watch.snapshot()
        table = snapshot.sample.sockets
        assert table.memory_of("drops")[snapshots.row_of(table, deferring)] == 5
        (finding,) = snapshot.findings
        assert finding.subject.listener == f"127.0.0.1:{full.local[1]}"


def test_clients_whose_last_ack_is_dropped(namespace: DemoNamespace) -> None:
    listener = namespace.run(listeners.deferring, 81, 3)
    made = namespace.run(listeners.dial, "127.0.0.1", 81, 4)
    namespace.run(listeners.shrink, listener.fd, 0)
    with Watch(namespace) as watch:
        watch.snapshot()
        namespace.run(listeners.send, [each.fd for each in made], 9)
        found = listeners.until(watch, lambda f: {OVERFLOW, HOLE} <= f.keys(), "a black hole")
        assert found[HOLE].because == found[OVERFLOW].key


def test_one_of_a_reuse_port_group_is_full(namespace: DemoNamespace) -> None:
    first, *rest = namespace.run(queues.reuse_port, 3)
    namespace.run(listeners.dial, "127.0.0.1", first.local[1], 24)
    namespace.run(listeners.shrink, first.fd, 0)
    for other in rest:
        namespace.run(listeners.drain, other.fd)
    with Watch(namespace) as watch:
        watch.snapshot()
        namespace.run(listeners.dial, "127.0.0.1", first.local[1], 24)
        finding = listeners.until(watch, lambda f: OVERFLOW in f, "an overflow")[OVERFLOW]
        assert "1 of 3 sockets that share the port" in " ".join(finding.evidence)


def _send(server: DemoNamespace, numbers: Iterable[int], senders: int) -> None:
    for number in numbers:
        server.run(syn.send_one, veth.SERVER.v4, 7000, number, senders)


@pytest.mark.parametrize(("cookies", "severity"), [(1, "warning"), (0, "critical")])
def test_a_syn_queue_is_full(linked: Linked, cookies: int, severity: str) -> None:
    _, server = linked
    server.sysctl("net.ipv4.tcp_syncookies", cookies)
    server.run(sockets.listening, veth.SERVER.v4, 7000, 16)
    _send(server, range(17), senders=4)
    numbers = itertools.count(17)
    with Watch(server) as watch:
        watch.snapshot()

        def more(found: Mapping[str, Finding]) -> bool:
            _send(server, itertools.islice(numbers, 3), senders=4)
            return FULL in found

        found = listeners.until(watch, more, "a full SYN queue")
        assert found[FULL].severity == severity
        assert found[FULL].values["half_open"] == found[FULL].values["limit"] == 17
        assert found[FULL].subject.pids == (server.pid,)
        assert not found.keys() & {FLOOD, OVERFLOW}
        listeners.until(watch, lambda f: FULL not in f, "an end, though the rows stay")


def test_senders_that_never_finish_are_a_flood(linked: Linked) -> None:
    _, server = linked
    server.run(sockets.listening, veth.SERVER.v4, 7000, 128)
    _send(server, range(20), senders=20)
    with Watch(server) as watch:
        watch.snapshot()
        found = listeners.until(watch, lambda f: FLOOD in f, "a flood")
        assert found.keys() == {FLOOD}
        assert found[FLOOD].subject.listener == f"{veth.SERVER.v4}:7000"
        assert "(suspected)" in found[FLOOD].title


def test_a_host_that_does_not_answer(linked: Linked) -> None:
    client, _ = linked
    client.run(listeners.dial, veth.NOBODY, 443, 10)
    client.run(listeners.dial, veth.NOBODY6, 443, 1)
    with Watch(client) as watch:
        assert watch.snapshot().findings == ()
        listeners.until(watch, lambda f: UNANSWERED in f, "unanswered connects")
    with Watch(client) as watch:
        (found,) = watch.snapshot().findings  # one program, and one trouble
        assert found.severity == "critical"
        assert f"{veth.NOBODY}:443 and [{veth.NOBODY6}]:443" in found.title
        assert found.subject.pids == (client.pid,)
        assert found.values == {"destinations": 2, "sockets": 11, "attempts": 11}


def test_a_risky_sysctl(namespace: DemoNamespace) -> None:
    namespace.sysctl("net.ipv4.tcp_abort_on_overflow", 1)
    (finding,) = snapshots.snapshot_of(namespace).findings
    assert (finding.id, finding.severity) == ("risky-sysctl", "info")
    assert finding.title == "tcp_abort_on_overflow = 1 is risky"
