"""Rights that are not what they seem: capabilities of a user namespace, a /proc that hides."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from tcptop.analysis.derive import derive
from tcptop.analysis.findings.rule import Need
from tcptop.analysis.findings.rules import RULES
from tcptop.analysis.history import History
from tcptop.demo import linux, sockets
from tcptop.demo.holder import Holder
from tcptop.demo.namespace import DemoNamespace
from tcptop.model import owner
from tcptop.model.snapshot import Snapshot
from tcptop.sources.live import LiveSource
from tests.kernel.nobody import NOBODY, become_nobody
from tests.kernel.snapshots import row_of

CAP_SYS_PTRACE = 19
CLONE_NEWNS = 0x00020000
RELEASE = tuple(int(part) for part in os.uname().release.split(".")[:2])


def enter_own_user_namespace() -> None:
    linux.unshare(linux.CLONE_NEWUSER)


def snapshot_of() -> Snapshot:
    source = LiveSource()
    try:
        return derive(source.sample(), History())[0]
    finally:
        source.close()


def effective_capabilities() -> int:
    with open("/proc/self/status") as status:
        (effective,) = (line.split()[1] for line in status if line.startswith("CapEff:"))
    return int(effective, 16)


def mount_proc(option: str) -> None:
    """A /proc of the calling process alone: that shows or opens nobody else's processes
    (hidepid=1, 2), or nothing but processes (subset=pid)."""
    linux.unshare(CLONE_NEWNS)
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    subprocess.run(["mount", "-t", "proc", "-o", option, "proc", "/proc"], check=True)


def silent(snapshot: Snapshot) -> set[str]:
    """The rules that could not look."""
    return {id for each in snapshot.silent for id in each.rules}


def test_every_capability_in_a_user_namespace_is_not_privileged() -> None:
    holder = Holder(enter_own_user_namespace)
    try:
        sample = holder.run(snapshot_of).sample
        assert holder.run(effective_capabilities) >> CAP_SYS_PTRACE & 1
    finally:
        holder.close()
    assert not sample.privileged
    assert any("may not be read" in note for note in sample.notes)


OUTSIDE = "processes outside this container"
NEEDING = {need: {rule.id for rule in RULES if need in rule.needs} for need in Need}


@pytest.mark.skipif(os.getuid() != 0, reason="only root can enter the network of another")
def test_sockets_of_processes_outside_of_a_container_are_explained(
    namespace: DemoNamespace,
) -> None:
    """As with `docker run --net=host`: the network is the host's, the processes are not."""
    namespace.run(sockets.listening)
    snapshot = in_container(namespace)
    (socket,) = snapshot["sockets"]
    assert (socket["owner"], socket["owner_note"]) == ("unknown", owner.NOTES[owner.OUTSIDE])
    collector = snapshot["collector"]
    assert [note for note in collector["notes"] if OUTSIDE in note]
    assert set(collector["silent_rules"]) == NEEDING[Need.OWNERS]
    with namespace.entered():
        source = LiveSource()
        assert not [note for note in source.sample().notes if OUTSIDE in note]
        source.close()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can enter the network of another")
def test_a_container_that_sees_every_owner_has_nothing_to_explain(namespace: DemoNamespace) -> None:
    snapshot = in_container(namespace)
    assert snapshot["totals"]["sockets"] == 0
    assert not [note for note in snapshot["collector"]["notes"] if OUTSIDE in note]
    assert snapshot["collector"]["silent_rules"] == []


def in_container(namespace: DemoNamespace) -> Any:
    """A snapshot by a process with a pid namespace and a /proc of its own."""
    container = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]
    command = [*container, sys.executable, "-m", "tcptop", "snapshot"]
    with namespace.entered():
        done = subprocess.run(command, capture_output=True, timeout=60, check=True)
    return json.loads(done.stdout)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can mount a /proc")
@pytest.mark.skipif(RELEASE < (5, 8), reason="hidepid was not a mount's own option before 5.8")
@pytest.mark.parametrize(
    ("mode", "says"),
    [("1", "processes of other users may not be read"), ("2", "/proc hides the processes")],
)
def test_owners_that_proc_hides_are_not_permitted(
    namespace: DemoNamespace, mode: str, says: str
) -> None:
    theirs = namespace.run(sockets.listening)
    helper = namespace.helper()
    helper.run(sockets.listening)  # both import what the other user may not be able to read
    helper.run(snapshot_of)
    helper.run(mount_proc, f"hidepid={mode}")
    root = helper.run(snapshot_of)
    helper.run(become_nobody)
    mine = helper.run(sockets.listening)
    seen = helper.run(snapshot_of)
    table = seen.sample.sockets
    assert seen.note[row_of(table, theirs)] == owner.NOT_PERMITTED
    assert [p.pid for p, _ in seen.holders.of(row_of(table, mine))] == [mine.pid]
    assert table.uid[row_of(table, mine)] == NOBODY
    assert [note for note in seen.sample.notes if says in note]
    assert silent(seen) == NEEDING[Need.OWNERS]
    assert silent(root) == set()
    assert (root.owner == owner.PROCESS).all()  # whom nothing is hidden from
    assert not [note for note in root.sample.notes if says in note]


@pytest.mark.skipif(os.getuid() != 0, reason="only root can mount a /proc")
@pytest.mark.skipif(RELEASE < (5, 8), reason="subset=pid came with 5.8")
def test_a_proc_with_nothing_but_processes(namespace: DemoNamespace) -> None:
    """As systemd's ProcSubset=pid leaves it: no /proc/sys."""
    theirs = namespace.run(sockets.listening)
    helper = namespace.helper()
    assert silent(helper.run(snapshot_of)) == set()
    helper.run(mount_proc, "subset=pid")
    seen = helper.run(snapshot_of)
    assert silent(seen) == NEEDING[Need.SYSCTLS]
    assert seen.owner[row_of(seen.sample.sockets, theirs)] == owner.PROCESS
    (said,) = (each.note for each in seen.silent)
    assert said.startswith("The sysctls in /proc/sys/net could not be read: ")
