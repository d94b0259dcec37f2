"""Namespaces for the tests that talk to the real kernel."""

from collections.abc import Iterator

import pytest

from tcptop.demo import veth
from tcptop.demo.namespace import Namespace
from tests.kernel.zoo import Zoo, build


@pytest.fixture
def namespace() -> Iterator[Namespace]:
    """An empty network namespace with lo up."""
    with Namespace() as made:
        yield made


@pytest.fixture
def linked() -> Iterator[tuple[Namespace, Namespace]]:
    """A client's and a server's namespace, joined by a veth pair (see tcptop.demo.veth)."""
    with Namespace() as client, Namespace(beside=client) as server:
        veth.connect(client, server)
        yield client, server


@pytest.fixture(scope="module")
def zoo() -> Iterator[Zoo]:
    """One of everything. Only look: other tests of the module see the same one."""
    with Namespace() as namespace, Namespace(beside=namespace) as peer:
        yield build(namespace, peer)
