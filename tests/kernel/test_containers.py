"""Containers: real control groups, host names and namespaces, made with and without a runtime."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tcptop.demo.namespace import DemoNamespace
from tcptop.demo.sockets import listening
from tcptop.model.container import Container
from tcptop.sources.processes import ProcessReader
from tests.kernel import boxes


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
