"""What control groups hold back, in files as the kernel documents them."""

from pathlib import Path

import pytest

from tcptop.model.sample import Frozen, Throttled
from tcptop.sources.restraints import V2, Mount, Restraints, groups, mounts

CGROUP = b"4:freezer:/pod/app\n3:cpu,cpuacct:/pod/app\n1:name=systemd:/init.scope\n0::/pod/app\n"


def test_hierarchies_of_both_kinds() -> None:
    mountinfo = (
        b"29 22 0:25 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
        b"31 22 0:27 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
        b"32 22 0:28 /docker/x /a\\040b rw - cgroup cgroup rw,freezer\n"
        b"33 22 0:29 / /sys/fs/cgroup/memory rw - tmpfs none rw\n - \n"
    )
    unified, cpu = Mount("/", "/sys/fs/cgroup/unified"), Mount("/", "/sys/fs/cgroup/cpu,cpuacct")
    found = mounts(mountinfo)
    assert (found[V2], found["cpu"]) == (unified, cpu)
    assert found["freezer"] == Mount("/docker/x", "/a b")
    assert "memory" not in found
    told = b"4:cpu,cpuacct:/docker/x\n1:name=systemd:/init.scope\n0::/a:b\n"
    assert groups(told) == {
        "cpu": "/docker/x",
        "cpuacct": "/docker/x",
        "name=systemd": "/init.scope",
        "": "/a:b",
    }


class Prepared:
    """One hierarchy of plain files, with the groups /pod and /pod/app."""

    def __init__(self, top: Path, controller: str = "", root: str = "/") -> None:
        self.now, self.pod = 0.0, top / "pod"
        self.app = self.pod / "app"
        self.app.mkdir(parents=True)
        kind = f"cgroup cgroup rw,{controller}" if controller else "cgroup2 cgroup2 rw"
        line = f"29 22 0:25 {root} {top} rw - {kind}\n"
        self.restraints = Restraints(line.encode(), lambda: self.now)

    def frozen(self) -> Frozen | None:
        return self.restraints.of(CGROUP)[0]

    def throttled(self, clock: float) -> Throttled | None:
        self.now = clock
        self.restraints.look()
        return self.restraints.of(CGROUP)[1]


def write(directory: Path, **files: object) -> None:
    for name, text in files.items():
        (directory / name.replace("_", ".", 1)).write_text(f"{text}\n")


def stat(directory: Path, periods: int, throttled: int) -> None:
    text = f"usage_usec 9\nnr_periods {periods}\nnr_throttled {throttled}\nthrottled_usec 9"
    write(directory, cpu_stat=text)


def test_frozen_by_a_group_above_in_v2(tmp_path: Path) -> None:
    groups = Prepared(tmp_path)
    assert groups.frozen() is None
    write(groups.app, cgroup_events="populated 1\nfrozen 1", cgroup_freeze=0)
    write(groups.pod, cgroup_events="populated 1\nfrozen 1", cgroup_freeze=1)
    assert groups.frozen() == Frozen(f"{groups.pod}/cgroup.freeze")
    write(groups.app, cgroup_events="populated 1\nfrozen 0")
    assert groups.frozen() is None


@pytest.mark.parametrize("state", ["FROZEN", "FREEZING"])
def test_frozen_in_v1(tmp_path: Path, state: str) -> None:
    groups = Prepared(tmp_path, "freezer")
    write(groups.app, freezer_state="THAWED", freezer_self_freezing=0)
    write(groups.pod, freezer_state="THAWED", freezer_self_freezing=0)
    assert groups.frozen() is None
    write(groups.app, freezer_state=state, freezer_parent_freezing=1)
    write(groups.pod, freezer_state=state, freezer_self_freezing=1)
    assert groups.frozen() == Frozen(f"{groups.pod}/freezer.state")


def test_throttled_by_the_group_above_in_v2(tmp_path: Path) -> None:
    groups = Prepared(tmp_path)
    for where, periods, throttled in ((groups.app, 100, 0), (groups.pod, 500, 100)):
        stat(where, periods, throttled)
        write(where, cpu_max="5000 100000" if where == groups.pod else "max 100000")
    assert groups.throttled(0) is None
    stat(groups.app, 190, 0)
    stat(groups.pod, 590, 189)
    assert groups.throttled(9) == Throttled(f"{groups.pod}/cpu.max", 0.05, 90, 89)
    write(groups.pod, cpu_max="max 100000")
    assert groups.throttled(9) == Throttled(f"{groups.pod}/cpu.max", None, 90, 89)
    assert groups.throttled(30) is None  # nothing in the last seconds


def test_throttled_in_v1(tmp_path: Path) -> None:
    groups = Prepared(tmp_path, "cpu,cpuacct")
    write(groups.app, cpu_cfs_quota_us=150000, cpu_cfs_period_us=100000)
    stat(groups.app, 10, 3)
    assert groups.throttled(0) is None
    stat(groups.app, 20, 4)
    assert groups.throttled(1) == Throttled(f"{groups.app}/cpu.cfs_quota_us", 1.5, 10, 1)


@pytest.mark.parametrize("text", ["", "nr_periods", "nr_periods x\nnr_throttled 1", "0 0 0"])
def test_what_cannot_be_read_restrains_nothing(tmp_path: Path, text: str) -> None:
    groups = Prepared(tmp_path)
    write(groups.app, cgroup_events=text, cpu_stat=text, cpu_max=text)
    assert [groups.throttled(n) for n in range(2)] == [None, None]
    assert groups.frozen() is None


@pytest.mark.parametrize("root", ["/elsewhere", "/pod/app/below", "/po"])
def test_groups_outside_of_what_is_mounted_are_not_known(tmp_path: Path, root: str) -> None:
    groups = Prepared(tmp_path, root=root)
    for each in (tmp_path, groups.pod, groups.app):
        write(each, cgroup_events="frozen 1", cgroup_freeze=1)
    assert groups.frozen() is None


def test_a_container_sees_its_own_group_as_the_root(tmp_path: Path) -> None:
    groups = Prepared(tmp_path, root="/pod/app")
    write(tmp_path, cgroup_events="frozen 1", cgroup_freeze=1)
    assert groups.frozen() == Frozen(f"{tmp_path}/cgroup.freeze")
