"""Real containers, by Podman and crun, of a root file system with nothing in it but busybox."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

# crun refuses hosts with both cgroup v1 and v2 (cgroup.c); so podman sees only v1 on such a host.
HIDE = "mount --make-rprivate / && { umount /sys/fs/cgroup/unified 2>/dev/null || :; } && exec"
# The limits that Podman asks for otherwise take CAP_SYS_RESOURCE.
LIMITS = ("--ulimit", "nofile=1024:1024", "--ulimit", "nproc=1000:1000", "--pids-limit", "-1")


class Podman:
    """Containers that are kept below one directory, and removed at the end."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._names: list[str] = []
        root = path / "rootfs"
        for directory in ("bin", "dev", "etc", "proc", "run", "sys", "tmp"):
            (root / directory).mkdir(parents=True)
        (root / "bin" / "busybox").write_bytes(Path("/bin/busybox").read_bytes())
        (root / "bin" / "busybox").chmod(0o755)

    def start(self, name: str, *options: str) -> dict[str, Any]:
        """A container that serves HTTP on port 8080 of a namespace of its own; what Podman tells
        of it."""
        words = ["run", "--detach", "--name", name, "--network", "none", *LIMITS, *options]
        server = ["/bin/busybox", "httpd", "-f", "-p", "8080"]
        self._names.append(name)
        done = self._run(*words, "--rootfs", str(self._path / "rootfs"), *server)
        if done.returncode:
            pytest.skip(f"podman cannot run a container here: {done.stderr.splitlines()[-1:]}")
        (told,) = json.loads(self._run("inspect", name).stdout)
        assert isinstance(told, dict)
        return told

    def close(self) -> None:
        for name in self._names:
            self._run("rm", "--force", "--time", "0", name)

    def command(self, *words: str) -> list[str]:
        places = [f"--{each}={self._path / each}" for each in ("root", "runroot", "tmpdir")]
        podman = ["podman", *places, "--cgroup-manager=cgroupfs", "--events-backend=file", *words]
        return ["unshare", "-m", "sh", "-c", f'{HIDE} "$@"', "podman", *podman]

    def _run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(self.command(*words), capture_output=True, text=True, timeout=60)


@pytest.fixture
def podman() -> Iterator[Podman]:
    """Below a path that is short enough for Podman, which keeps sockets there."""
    with TemporaryDirectory(prefix="tcptop-", ignore_cleanup_errors=True) as path:
        made = Podman(Path(path))
        try:
            yield made
        finally:
            made.close()


def snapshot(pid: int) -> dict[str, Any]:
    words = ["snapshot", "--netns", str(pid), "--format", "json", "--over", "0.3", "-i", "0.2"]
    done = subprocess.run(
        [sys.executable, "-m", "tcptop", *words], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert isinstance(told, dict)
    return told


def test_containers_are_called_as_podman_calls_them(podman: Podman) -> None:
    """By the name that was given, where the host name is the id; else by the host name. Both have
    the same addresses and ports."""
    one, two = podman.start("web1"), podman.start("web2", "--hostname", "payments-7d4f")
    for made, name in ((one, "web1"), (two, "payments-7d4f")):
        told = snapshot(made["State"]["Pid"])
        (listener,) = told["listeners"]
        assert listener["local_port"] == 8080
        box = {"runtime": "podman", "id": made["Id"], "name": name, "pod": None}
        (process,) = listener["processes"]
        assert process["pid"] == made["State"]["Pid"]
        assert process["container"] == listener["container"] == box
        assert [each["container"] for each in told["processes"]] == [box]


def test_a_container_seen_through_its_own_shell(podman: Podman) -> None:
    """Without ss, and with nothing else than busybox."""
    podman.start("own-shell")
    via = shlex.join(podman.command("exec", "-i", "own-shell", "/bin/busybox"))
    words = ["snapshot", "--via", via, "--format", "json", "--config", "/dev/null"]
    done = subprocess.run(
        [sys.executable, "-m", "tcptop", *words], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["collector"]["source"] == "procfs"
    (listener,) = told["listeners"]
    assert (listener["local_port"], listener["processes"][0]["pid"]) == (8080, 1)
    (process,) = told["processes"]
    assert process["cmdline"] == "/bin/busybox httpd -f -p 8080"
