"""Short connections of the real kernel: who closes first decides where they are seen."""

from __future__ import annotations

import pytest

from tcptop.demo import sockets
from tcptop.demo.namespace import DemoNamespace
from tcptop.demo.veth import SERVER
from tests.kernel.findings import limits
from tests.kernel.findings.limits import SetWatch

CHURN, RESETS = "connection-churn", "resets"
SOON = {CHURN: {"window_s": 3, "per_s": 25}, RESETS: {"window_s": 2}}
Linked = tuple[DemoNamespace, DemoNamespace]


@pytest.mark.parametrize("there", [SERVER.v4, SERVER.v6])
def test_the_server_closes_first_on_another_host(linked: Linked, there: str) -> None:
    client, server = linked
    listener = server.run(sockets.listening, there, 8000, 64)
    server.run(limits.hang_up_first, listener.fd)
    caller = client.helper()
    caller.run(limits.call, there, 8000, 60)
    with SetWatch(client, SOON) as watch, SetWatch(server, SOON) as theirs:
        theirs.findings()
        found = watch.until(lambda found: CHURN in found, "connections a second")[CHURN]
        assert found.severity == "warning"
        assert found.values["per_s"] > 25
        assert CHURN not in theirs.findings()  # its TIME_WAIT rows are none of its doing
        caller.close()
        watch.until(lambda found: CHURN not in found, "an end")


def test_the_server_closes_first_on_this_host(namespace: DemoNamespace) -> None:
    listener = namespace.run(sockets.listening, "127.0.0.1", 8000, 64)
    namespace.run(limits.hang_up_first, listener.fd)
    caller = namespace.helper()
    caller.run(limits.call, "127.0.0.1", 8000, 60)
    with SetWatch(namespace, SOON) as watch:
        found = watch.until(lambda found: CHURN in found, "connections a second")[CHURN]
        assert found.subject.destination == "127.0.0.1:8000"


def test_refused_connects(namespace: DemoNamespace) -> None:
    caller = namespace.helper()
    caller.run(limits.call, "127.0.0.1", 9, 40)
    with SetWatch(namespace, SOON) as watch:
        found = watch.until(lambda found: RESETS in found, "refused connects")
        assert "This host itself refuses" in found[RESETS].title
        assert CHURN not in found
        caller.close()
        watch.until(lambda found: not found, "an end")


def test_health_checks_that_reset_are_silent(linked: Linked) -> None:
    client, server = linked
    listener = server.run(sockets.listening, SERVER.v4, 8000, 64)
    server.run(limits.hang_up_first, listener.fd)
    talking = server.run(sockets.listening, SERVER.v4, 8001, 64)
    client.run(sockets.connected, SERVER.v4, 8001)
    server.run(sockets.accepted, talking.fd)
    client.run(limits.call, SERVER.v4, 8000, 40, linger=False)
    with SetWatch(client, SOON) as watch:
        assert not watch.during(5) & {CHURN, RESETS}


def test_a_burst_of_resets_is_silent(namespace: DemoNamespace) -> None:
    namespace.run(sockets.listening, "127.0.0.1", 8000, 400)
    with SetWatch(namespace, SOON) as watch:
        assert not watch.during(2.5)
        made = namespace.run(limits.connected, "127.0.0.1", 8000, 300)
        namespace.run(limits.reset_all, [each.fd for each in made])
        assert RESETS not in watch.during(4)
