"""Control groups of sockets, against ss and against a group made for it."""

import os
from collections.abc import Iterator

import numpy as np
import pytest

from tcptop.demo.namespace import DemoNamespace
from tcptop.demo.sockets import listening
from tcptop.model import tcp
from tcptop.model.table import SocketTable
from tcptop.sources.cgroups import Cgroups, mount_point
from tcptop.sources.sock_diag import SockDiag
from tests.kernel.owners import enter_cgroup, remove_cgroup
from tests.kernel.ss import ss_rows


@pytest.fixture
def name() -> Iterator[str]:
    made = f"tcptop-test-{os.getpid()}"
    yield made
    remove_cgroup(made)


def test_a_socket_s_group_is_as_ss_names_it(name: str) -> None:
    cgroups = Cgroups()
    with DemoNamespace() as namespace:
        before = namespace.run(listening)
        namespace.run(enter_cgroup, name)
        after = namespace.run(listening)
        with_ss = {row.inode: row.cgroup for row in ss_rows(namespace)}
        table = namespace.in_thread(_dump, namespace.inode)
        paths = cgroups.paths(table.cgroup_id)
        ours = {
            int(inode): paths[int(number)]
            for inode, number in zip(table.inode, table.cgroup_id, strict=True)
        }
        assert table.came(tcp.CGROUP_ID).all()
    assert ours[after.inode].endswith(f"/{name}")
    root = mount_point()
    theirs = {
        inode: f"/{path.removeprefix(root or '').lstrip('/')}" if path else None
        for inode, path in with_ss.items()
    }
    assert ours.keys() == theirs.keys() == {before.inode, after.inode}
    assert ours[after.inode] == theirs[after.inode]


def test_the_members_of_a_group(name: str) -> None:
    cgroups = Cgroups()
    with DemoNamespace() as namespace:
        number = namespace.run(enter_cgroup, name)
        assert cgroups.members([number]) == frozenset()  # its path is not known yet
        cgroups.paths(np.array([number], np.uint64))
        assert cgroups.members([number, 0, 1 << 60]) == {namespace.pid}
    assert cgroups.members([number]) == frozenset()


def _dump(netns: int) -> SocketTable:
    with SockDiag(netns) as diag:
        return diag.dump()


def test_a_removed_group_keeps_its_path(name: str) -> None:
    cgroups = Cgroups()
    with DemoNamespace() as namespace:
        number = namespace.run(enter_cgroup, name)
        ids = np.array([number], np.uint64)
        assert cgroups.paths(ids) == {number: f"/{name}"}
    assert Cgroups("").paths(ids) == {}
