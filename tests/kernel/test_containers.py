"""Containers: real control groups, host names and namespaces, made with and without a runtime."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tcptop.analysis.history import History
from tcptop.analysis.workloads import workloads
from tcptop.demo import held
from tcptop.demo.namespace import DemoNamespace
from tcptop.demo.sockets import accepted, connected, listening
from tcptop.model import owner, tcp
from tcptop.model.container import Container
from tcptop.model.snapshot import Snapshot
from tcptop.sources.processes import ProcessReader
from tests.kernel import boxes
from tests.kernel.nobody import become_nobody
from tests.kernel.snapshots import Watch
from tests.kernel.test_nobody import live_look


@pytest.fixture
def namespace() -> Iterator[DemoNamespace]:
    try:
        with DemoNamespace() as made:
            yield made
    finally:
        boxes.removed()


def test_a_pod_has_its_host_name(namespace: DemoNamespace) -> None:
    namespace.run(boxes.enter, boxes.KUBERNETES, "payments-7d4f")
    process = ProcessReader().get(namespace.pid)
    assert process is not None
    assert process.container == Container("containerd", boxes.ID, boxes.POD, "payments-7d4f")
    assert process.unit == f"cri-containerd-{boxes.ID}.scope"


def test_the_host_s_name_is_no_container_s(namespace: DemoNamespace) -> None:
    """As with hostNetwork, or Docker's --uts=host."""
    namespace.run(boxes.enter, f"docker/{boxes.ID}")
    process = ProcessReader().get(namespace.pid)
    assert process is not None
    assert process.container == Container("docker", boxes.ID)


def test_an_id_is_no_name(namespace: DemoNamespace) -> None:
    namespace.run(boxes.enter, f"docker/{boxes.ID}", boxes.ID[:12])
    process = ProcessReader().get(namespace.pid)
    assert process is not None
    assert process.container == Container("docker", boxes.ID)


def test_a_tree_without_a_runtime_has_its_host_name(namespace: DemoNamespace) -> None:
    namespace.run(listening)
    pid = namespace.run(boxes.tree, "jail-7")
    process = ProcessReader().get(pid)
    assert process is not None
    assert process.container == Container(None, None, name="jail-7")
    outside = ProcessReader().get(namespace.pid)
    assert outside is not None
    assert outside.container is None


UNIT = "system.slice/payments.service"


def table_of(snapshot: Snapshot) -> dict[tuple[str, str], tuple[str | None, str | None]]:
    """State and owner -> unit and id of the container, of each kind that there is."""
    told, table = workloads(snapshot), snapshot.sample.sockets
    return {
        (tcp.STATES[int(table.state[row])], owner.OWNER_KINDS[snapshot.owner[row]]): (
            told.found[number].unit,
            box.id if (box := told.found[number].container) else None,
        )
        for row, number in enumerate(told.of.tolist())
    }


def kinds(snapshot: Snapshot) -> dict[str, set[tuple[str | None, str | None]]]:
    """The same by kind of owner."""
    found: dict[str, set[tuple[str | None, str | None]]] = {}
    for (_, kind), whose in table_of(snapshot).items():
        found.setdefault(kind, set()).add(whose)
    return found


@pytest.mark.parametrize(
    ("group", "whose"),
    [
        (UNIT, ("payments.service", None)),
        (f"{UNIT}/libpod-payload-{boxes.ID}", ("payments.service", boxes.ID)),
        (f"docker/{'0' * 64}/{boxes.KUBERNETES}", (f"cri-containerd-{boxes.ID}.scope", boxes.ID)),
    ],
)
def test_sockets_without_a_process(
    namespace: DemoNamespace, group: str, whose: tuple[str | None, str | None]
) -> None:
    """A connection in an accept queue has the control group of its listener, what is closed has
    its own, of which TIME_WAIT does not tell."""
    client = namespace.helper()
    namespace.run(boxes.enter, group)
    listener = namespace.run(listening)
    queued = client.run(connected, *listener.local)
    with Watch(namespace) as watch:
        assert table_of(watch.snapshot()) == {
            ("LISTEN", "process"): whose,
            ("ESTABLISHED", "process"): (None, None),
            ("ESTABLISHED", "accept-queue"): whose,
        }
        taken = namespace.run(accepted, listener.fd)
        watch.snapshot()
        namespace.run(held.close, taken.fd)
        assert kinds(watch.snapshot())["remembered"] == {whose}  # FIN_WAIT1 or FIN_WAIT2
        client.run(held.close, queued.fd)
        assert table_of(watch.snapshot())[("TIME_WAIT", "remembered")] == whose


def test_after_its_process_and_its_group_a_socket_is_still_the_unit_s(
    namespace: DemoNamespace,
) -> None:
    server = namespace.helper()
    server.run(boxes.enter, UNIT)
    listener = server.run(listening)
    namespace.run(connected, *listener.local)
    server.run(held.fill, server.run(accepted, listener.fd).fd)
    with Watch(namespace) as watch:
        watch.snapshot()
        server.close()
        boxes.removed()
        watch.history = History()  # nothing is remembered of the process
        told = table_of(watch.snapshot())
    assert told[("FIN_WAIT1", "unknown")] == ("payments.service", None)


@pytest.mark.skipif(os.getuid() != 0, reason="without root, one is nobody already")
def test_nobody_sees_whose_sockets_are(namespace: DemoNamespace) -> None:
    """The kernel tells everybody; processes of others may not be looked into."""
    helper = namespace.helper()
    helper.run(live_look)  # imports what the other user may not be able to read
    namespace.run(boxes.enter, UNIT, "payments-7d4f")
    namespace.run(listening)
    helper.run(become_nobody)
    seen = helper.run(live_look)
    assert table_of(seen) == {("LISTEN", "unknown"): ("payments.service", None)}


@pytest.mark.skipif(os.getuid() != 0, reason="without root, one is nobody already")
def test_nobody_knows_the_name_of_a_tree_of_their_own(namespace: DemoNamespace) -> None:
    """A user namespace lets anybody look at its other namespaces, but not enter that of UTS."""
    helper = namespace.helper()
    helper.run(ProcessReader().get, os.getpid())
    helper.run(become_nobody)
    helper.run(boxes.enter_own_user_namespace)
    pid = helper.run(boxes.tree, "jail-7", "inner-name")
    outside = namespace.helper()
    outside.run(ProcessReader().get, os.getpid())
    outside.run(become_nobody)
    process = outside.run(ProcessReader().get, pid)
    assert process is not None
    assert process.container == Container(None, None, name="inner-name")
