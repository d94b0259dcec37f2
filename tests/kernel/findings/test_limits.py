"""Limits of the kernel, half-closed connections and loss, on real sockets."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tcptop.demo import held, pools, sockets, veth
from tcptop.demo.namespace import DemoNamespace
from tcptop.demo.veth import SERVER
from tcptop.model.finding import Finding
from tests.kernel import states
from tests.kernel.findings import limits
from tests.kernel.findings.limits import SetWatch
from tests.kernel.snapshots import snapshot_of

OVERFLOW, ORPHANS, CONNTRACK = (
    "time-wait-pressure",
    "orphan-or-memory-pressure",
    "conntrack-full",
)
HALF, LEAK, LOSS = "half-closed", "close-wait-leak", "retransmission-rate"
Linked = tuple[DemoNamespace, DemoNamespace]


def test_time_wait_that_overflows(namespace: DemoNamespace) -> None:
    namespace.sysctl("net.ipv4.tcp_max_tw_buckets", 4)
    listener = namespace.run(sockets.listening, "127.0.0.1", 80, 64)
    with SetWatch(namespace, {}) as watch:
        assert watch.findings() == {}
        namespace.run(limits.churned, "127.0.0.1", 80, listener.fd, 10)
        found = watch.findings()[OVERFLOW]
        assert found.severity == "critical"
        namespace.sysctl("net.ipv4.tcp_max_tw_buckets", 1000)
        watch.until(lambda found: not found, "room for TIME_WAIT")


def test_orphans_are_counted_and_their_limit_is_known(namespace: DemoNamespace) -> None:
    """The limit is the host's: a share of it that one orphan reaches.

    In a thread, as the live view looks: it is read where the first thread is.
    """
    namespace.run(states.fin_wait1, orphan=True)

    def findings() -> dict[str, Finding]:
        with SetWatch(namespace, {ORPHANS: {"orphan_share": 1e-9}}) as watch:
            return watch.findings()

    found = namespace.in_thread(findings)[ORPHANS]
    assert found.values["orphans"] >= 1
    assert found.values["max_orphans"] >= 1024


def test_conntrack_is_judged_where_it_is_there(namespace: DemoNamespace) -> None:
    (kernel,) = snapshot_of(namespace).sample.kernel
    there = {f"net.netfilter.nf_conntrack_{name}" for name in ("count", "max")}
    with SetWatch(namespace, {CONNTRACK: {"share": 0}}) as watch:
        assert (CONNTRACK in watch.findings()) == (there <= kernel.sysctls.keys())


def test_the_other_end_on_this_host_is_the_cause(namespace: DemoNamespace) -> None:
    client, server = namespace.helper(), namespace.helper()
    listener = server.run(sockets.listening, "127.0.0.1", 80, 64)
    made = [each.fd for each in client.run(pools.connect, "127.0.0.1", 80, 25)]
    taken = [each.fd for each in server.run(pools.accept, listener.fd, 25)]
    client.run(pools.shut, made)
    server.run(pools.read_to_the_end, taken)
    with SetWatch(namespace, {HALF: {"age_s": 2}, LEAK: {"age_s": 2}}) as watch:
        assert HALF not in watch.findings()
        found = watch.until(lambda found: HALF in found and LEAK in found, "both ends")
        assert found[HALF].because == found[LEAK].key
        assert found[HALF].subject.pids == (client.pid,)
        assert found[LEAK].subject.pids == (server.pid,)
        server.run(held.close, *taken)
        watch.until(lambda found: not {HALF, LEAK} & found.keys(), "an end")


def test_what_was_closed_is_not_half_closed(namespace: DemoNamespace) -> None:
    for _ in range(25):
        namespace.run(states.close_wait)
    with SetWatch(namespace, {HALF: {"age_s": 0}}) as watch:
        assert HALF not in watch.during(1)


def test_orphans_that_nobody_answers(linked: Linked) -> None:
    client, server = linked
    server.run(sockets.listening, SERVER.v4, 80, 64)
    made = [each.fd for each in client.run(pools.connect, SERVER.v4, 80, 22)]
    veth.lose(client, SERVER.v4)
    client.run(held.close, *made)
    with SetWatch(client, {HALF: {"age_s": 3}}) as watch:
        assert HALF not in watch.findings()
        found = watch.until(lambda found: HALF in found, "FINs without an answer")[HALF]
        assert found.values["sockets"] == 22
        assert f"to {SERVER.v4}:80" in found.title
    with SetWatch(client, {HALF: {"age_s": 2}}) as single:
        assert HALF in single.findings()  # the retransmissions of the FIN tell how long
        veth.heal(client, SERVER)
        single.until(lambda found: HALF not in found, "an end")


@contextmanager
def flapping(namespace: DemoNamespace) -> Iterator[None]:
    """A path that loses all for a moment, again and again."""
    over = threading.Event()

    def work() -> None:
        while not over.wait(0.15):
            veth.lose(namespace, SERVER.v4)
            time.sleep(0.03)
            veth.heal(namespace, SERVER)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def test_loss(linked: Linked) -> None:
    client, server = linked
    server.run(sockets.listening, SERVER.v4, 80, 64)
    writer = client.helper()
    made = [each.fd for each in writer.run(pools.connect, SERVER.v4, 80, 20)]
    writer.run(limits.stream, made, 30)
    with SetWatch(client, {LOSS: {"window_s": 3}}) as watch:
        assert LOSS not in watch.during(4)
        with flapping(client):
            found = watch.until(lambda found: LOSS in found, "segments retransmitted")[LOSS]
        assert found.values["share"] > 0.01
        assert found.subject.destination == SERVER.v4
        watch.until(lambda found: LOSS not in found, "an end")
