"""Control groups by id, on mount tables of different hosts and on a tree of plain directories."""

from pathlib import Path

import numpy as np
import pytest

from tcptop.model.table import U64
from tcptop.sources.cgroups import WALK_SHARE, Cgroups, find_mount, has_v1

UNIFIED = b"30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
HYBRID = b"""31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755
35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
"""


@pytest.mark.parametrize(
    ("mountinfo", "path"),
    [
        (UNIFIED, "/sys/fs/cgroup"),
        (HYBRID, "/sys/fs/cgroup/unified"),
        (HYBRID.replace(b"cgroup2", b"cgroup"), None),
        (b"1 2 0:3 /docker/x /a rw - cgroup2 cgroup rw\n" + UNIFIED, "/sys/fs/cgroup"),
        (b"1 2 0:3 / /with\\040space rw - cgroup2 none rw\n", "/with space"),
        (b"", None),
        (b"cgroup2\n - cgroup2\n", None),
    ],
)
def test_where_cgroup2_is_mounted(mountinfo: bytes, path: str | None) -> None:
    assert find_mount(mountinfo) == path


def ids(*paths: Path) -> U64:
    return np.array([path.stat().st_ino for path in paths], np.uint64)


def test_paths_from_the_root(tmp_path: Path) -> None:
    deep = tmp_path / "system.slice" / "nginx.service"
    deep.mkdir(parents=True)
    (tmp_path / "cgroup.procs").touch()
    root, number = ids(tmp_path, deep).tolist()
    found = Cgroups(str(tmp_path)).paths(np.array([number, root, 0, 1], np.uint64))
    assert found == {root: "/", number: "/system.slice/nginx.service"}


def test_names_are_text(tmp_path: Path) -> None:
    odd = Path(str(tmp_path) + "/a\udcff")
    odd.mkdir()
    assert list(Cgroups(str(tmp_path)).paths(ids(odd)).values()) == ["/a\ufffd"]


def test_new_groups_are_found_and_removed_ones_remembered(tmp_path: Path) -> None:
    now = 0.0
    cgroups = Cgroups(str(tmp_path), lambda: now)
    first = tmp_path / "first"
    first.mkdir()
    number = ids(first)
    assert list(cgroups.paths(number).values()) == ["/first"]
    first.rename(tmp_path.parent / "elsewhere")
    second = tmp_path / "second"
    second.mkdir()
    now = 1.0
    both = np.append(number, ids(second))
    assert sorted(cgroups.paths(both).values()) == ["/first", "/second"]


def test_a_removed_group_is_looked_for_once(tmp_path: Path) -> None:
    times: list[float] = []

    def clock() -> float:
        times.append(len(times))
        return times[-1]

    cgroups = Cgroups(str(tmp_path), clock)
    assert cgroups.paths(np.array([1], np.uint64)) == {}
    after_one = len(times)
    for _ in range(3 * WALK_SHARE):
        cgroups.paths(np.array([1], np.uint64))
    assert len(times) == after_one


def test_without_cgroup2() -> None:
    assert Cgroups("").paths(np.array([1, 5], np.uint64)) == {}


def test_what_cannot_be_told_is_said(tmp_path: Path) -> None:
    assert len(Cgroups("").notes()) == 1
    assert Cgroups(str(tmp_path)).notes() == []


V1 = b"35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
SYSTEMD = b"36 31 0:33 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd\n"


@pytest.mark.parametrize(
    ("mountinfo", "v1"),
    [
        (UNIFIED, False),
        (HYBRID, True),
        (UNIFIED + SYSTEMD, False),
        (SYSTEMD + V1, True),
        (b"", False),
    ],
)
def test_whether_controllers_of_v1_are_in_use(mountinfo: bytes, v1: bool) -> None:
    assert has_v1(mountinfo) is v1


def test_a_path_is_kept_while_its_sockets_wait_in_time_wait(tmp_path: Path) -> None:
    now = 0.0
    cgroups = Cgroups(str(tmp_path), lambda: now)
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    assert list(cgroups.paths(ids(first)).values()) == ["/first"]
    now = 1.0
    assert sorted(cgroups.paths(ids(second)).values()) == ["/first", "/second"]
    now = 80.0
    assert sorted(cgroups.paths(ids(second)).values()) == ["/first", "/second"]
    now = 100.0
    assert list(cgroups.paths(ids(second)).values()) == ["/second"]
