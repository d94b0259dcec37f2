"""Namespaces for the tests that talk to the real kernel."""

from collections.abc import Iterator

import pytest

from tcptop.demo import veth
from tcptop.demo.namespace import DemoNamespace
from tests.kernel.zoo import Zoo, build


@pytest.fixture
def namespace() -> Iterator[DemoNamespace]:
    """An empty network namespace with lo up."""
    with DemoNamespace() as made:
        yield made


@pytest.fixture
def linked() -> Iterator[tuple[DemoNamespace, DemoNamespace]]:
    """A client's and a server's namespace, joined by a veth pair (see tcptop.demo.veth)."""
    with DemoNamespace() as client, DemoNamespace(beside=client) as server:
        veth.connect(client, server)
        yield client, server


@pytest.fixture(scope="module")
def zoo() -> Iterator[Zoo]:
    """One of everything. Only look: other tests of the module see the same one."""
    with DemoNamespace() as namespace, DemoNamespace(beside=namespace) as peer:
        yield build(namespace, peer)
