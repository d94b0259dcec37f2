"""Through a shell in a namespace: the sockets, owners, counters and findings of a direct look."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tcptop.demo.namespace import DemoNamespace
from tcptop.sources.via import session
from tcptop.sources.via.source import ViaSource
from tests.kernel import queues, states
from tests.record.incident import run

# A SYN that is sent again and dropped changes them between two looks.
MOVING = {"timer", "tcp_info", "verdict", "seen_s", "drops", "drops_per_s", "peak"}
ASKED_IN_FIRST = {
    *("net.ipv4.tcp_mem", "net.ipv4.tcp_max_orphans", "net.core.netdev_max_backlog"),
    *("net.core.rmem_max", "net.core.wmem_max", "net.netfilter.nf_conntrack_max"),
}
APPLETS = ("sh", "ls", "cat", "find", "grep", "dd", "date", "echo")
NO_SS = 'echo "Cannot open netlink socket: Protocol not supported" >&2'


class Place(NamedTuple):
    """A namespace with sockets in many states, and what tcptop sees there."""

    pid: int
    before: dict[str, Any]


def look(*words: object) -> dict[str, Any]:
    done = run("snapshot", *words, "--format", "json")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    with DemoNamespace() as namespace:
        for make in (states.established, states.close_wait, states.syn_sent, states.not_accepted):
            namespace.run(make)
        namespace.run(states.established, "::1")
        namespace.run(queues.accept_overflow)
        yield Place(namespace.pid, look("--netns", namespace.pid))


def shells(folder: Path) -> dict[str, list[str]]:
    """Ways to run a shell, by what is first on their PATH."""
    busybox, bash, mute = folder / "busybox", folder / "bash", folder / "mute"
    for each in (busybox, bash, mute):
        each.mkdir()
    for name in APPLETS:
        (busybox / name).symlink_to(shutil.which("busybox") or "busybox")
    (bash / "sh").symlink_to("/bin/bash")
    (mute / "ss").write_text(f"#!/bin/sh\n{NO_SS}\n")
    (mute / "ss").chmod(0o755)
    return {
        name: ["env", f"PATH={folder / name}:{os.environ['PATH']}"] for name in os.listdir(folder)
    }


def via(place: Place, folder: Path, shell: str) -> str:
    before = [] if shell == "sh" else shells(folder)[shell]
    return " ".join(["nsenter", "-t", str(place.pid), "-n", *before])


@pytest.mark.parametrize("shell", ["sh", "bash", "busybox"])
def test_a_look_through_a_shell_is_a_direct_look(place: Place, tmp_path: Path, shell: str) -> None:
    command = via(place, tmp_path, shell)
    there, after = look("--via", command), look("--netns", place.pid)
    assert there["collector"]["source"] == "ss-dump"
    assert there["collector"]["via"] == command
    assert there["host"]["kernel"] == after["host"]["kernel"]
    assert there["host"]["hostname"] == after["host"]["hostname"]
    assert rows(there, "sockets") == rows(after, "sockets")
    for name in ("processes", "listeners", "remotes"):
        assert rows(there, name) == rows(after, name)
    assert there["totals"]["by_state"] == after["totals"]["by_state"]
    assert told(place.before) <= told(there) <= told(after)  # what waits is told in the end
    _check_kernel(place.before["kernel"][0], there["kernel"][0], after["kernel"][0])


def rows(snapshot: dict[str, Any], name: str) -> list[str]:
    return sorted(json.dumps(_still(row), sort_keys=True) for row in snapshot[name])


def _still(row: dict[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in row.items() if key not in MOVING}
    if kept.get("memory"):
        kept["memory"] = _still(kept["memory"])
    return kept


def told(snapshot: dict[str, Any]) -> set[str]:
    return {each["key"] for each in snapshot["findings"]}


def _check_kernel(before: dict[str, Any], there: dict[str, Any], after: dict[str, Any]) -> None:
    """Counters lie between those of two direct looks."""
    assert there["counters"].keys() == after["counters"].keys()
    for section, counted in there["counters"].items():
        assert counted.keys() == after["counters"][section].keys()
        for name, value in counted.items():
            between = sorted((before["counters"][section][name], after["counters"][section][name]))
            assert between[0] <= value <= between[1], (section, name)
    assert there["sockstat"]["TCP"]["inuse"] == after["sockstat"]["TCP"]["inuse"]
    assert there["sockstat"].keys() == after["sockstat"].keys()
    lacking = after["sysctls"].keys() - there["sysctls"].keys()
    assert lacking <= ASKED_IN_FIRST
    assert there["sysctls"].items() <= after["sysctls"].items()


def test_many_sockets_come_packed(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "PACKED_FROM", 0)
    with closing(ViaSource(f"nsenter -t {place.pid} -n")) as source:
        source.connect()
        plain, packed = source.sample(), source.sample()
        assert source._session
        assert source._session._pack
    assert sorted(plain.sockets.cookie) == sorted(packed.sockets.cookie)
    assert plain.kernel[0].counters.keys() == packed.kernel[0].counters.keys()
    assert packed.clock >= plain.clock


def test_without_ss_the_sockets_of_proc_are_there(place: Place, tmp_path: Path) -> None:
    there = look("--via", via(place, tmp_path, "mute"))
    assert there["collector"]["source"] == "procfs"
    assert any("Cannot open netlink socket" in note for note in there["collector"]["notes"])
    assert ends(there) == ends(place.before)


def ends(snapshot: dict[str, Any]) -> list[tuple[Any, ...]]:
    names = ("family", "state", "local_address", "local_port", "remote_port", "inode", "processes")
    return sorted(tuple(map(str, (row[name] for name in names))) for row in snapshot["sockets"])


def test_the_connection_of_the_look_itself_is_left_out(place: Place) -> None:
    """As sshd tells which one that is; here it is another one, both of whose ends are there."""
    row = next(each for each in place.before["sockets"] if each["state"] == "ESTABLISHED")
    near, far = (f"{row[f'{side}_address']} {row[f'{side}_port']}" for side in ("remote", "local"))
    there = look("--via", f"env 'SSH_CONNECTION={near} {far}' nsenter -t {place.pid} -n")
    gone = {row["local_port"], row["remote_port"]}
    ports = [{each["local_port"], each["remote_port"]} for each in there["sockets"]]
    assert gone not in ports
    assert len(there["sockets"]) == len(place.before["sockets"]) - 2
    assert any("connection by which this look came" in note for note in there["collector"]["notes"])


def test_check_tells_the_same_findings(place: Place, tmp_path: Path) -> None:
    words = ("--over", "2", "-i", "0.5", "--format", "json")
    there, here = (
        run("check", *words, *of)
        for of in (("--via", via(place, tmp_path, "sh")), ("--netns", place.pid))
    )
    assert there.returncode == here.returncode == 2
    found = json.loads(there.stdout)
    assert told(place.before) <= told(found) <= told(json.loads(here.stdout))
    assert any("Through another command" in note for note in found["collector"]["notes"])


def test_a_recording_of_another_host_is_understood(place: Place, tmp_path: Path) -> None:
    file = tmp_path / "recording"
    words = ("--via", via(place, tmp_path, "sh"), "-i", "0.5", "--duration", "1.5")
    done = run("record", file, *words)
    assert done.returncode == 0, done.stderr
    there = look("--from", file)
    assert there["collector"]["via"] == words[1]
    assert rows(there, "listeners") == rows(place.before, "listeners")
    assert told(there)


@pytest.mark.parametrize("words", [("--netns", "all"), ("--from", "/dev/null")])
def test_via_is_a_place_of_its_own(words: tuple[str, ...]) -> None:
    done = run("snapshot", "--via", "env", *words)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "--via" in done.stderr
