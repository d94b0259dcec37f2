"""Names of containers, from directories like those of /proc and files as runtimes write them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tcptop.sources.container_names import ContainerNames, docker_name, etc_hostname

ID = "3f2a" * 16
DISK = b"30 1 8:1 / / rw,relatime - ext4 /dev/root rw\n"


@pytest.fixture
def process(tmp_path: Path) -> Path:
    """A directory as /proc has for a process, with /etc of its own."""
    (tmp_path / "root" / "etc").mkdir(parents=True)
    (tmp_path / "mountinfo").write_bytes(DISK)
    return tmp_path


def write(process: Path, name: bytes) -> Path:
    path = process / "root" / "etc" / "hostname"
    path.write_bytes(name)
    return path


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (b"payments-7d4f\n", "payments-7d4f"),
        (b"  web1  \nsecond\n", "web1"),
        (b"\x1b[31mred\xff\n", "\x1b[31mred\ufffd"),  # shown by cells.safe
        (b"\n", ""),
        (b"", None),
    ],
)
def test_the_first_line_of_etc_hostname(process: Path, text: bytes, name: str | None) -> None:
    write(process, text)
    assert etc_hostname(str(process)) == name


def test_little_is_read(process: Path) -> None:
    write(process, b"x" * 100_000)
    assert len(etc_hostname(str(process)) or "") < 1000


def test_no_link_is_followed(process: Path) -> None:
    secret = process / "secret"
    secret.write_text("of the host\n")
    file = process / "root" / "etc" / "hostname"
    file.symlink_to(secret)
    assert etc_hostname(str(process)) is None
    file.unlink()
    file.parent.rmdir()
    (process / "elsewhere").mkdir()
    (process / "elsewhere" / "hostname").write_text("of the host\n")
    file.parent.symlink_to(process / "elsewhere")
    assert etc_hostname(str(process)) is None


def test_what_is_no_plain_file_is_not_opened(process: Path) -> None:
    """A FIFO would wait for its writer, or show it that somebody reads."""
    file = process / "root" / "etc" / "hostname"
    os.mkfifo(file)
    writer = os.open(file, os.O_RDWR)
    try:
        assert etc_hostname(str(process)) is None
    finally:
        os.close(writer)
    file.unlink()
    file.mkdir()
    assert etc_hostname(str(process)) is None


@pytest.mark.parametrize(
    "mounts",
    [
        b"",
        b"30 1 0:50 / / rw - nfs4 server:/export rw\n",
        DISK + b"31 30 0:51 / /etc rw - fuse.sshfs me@there:/etc rw\n",
        DISK + b"31 30 0:51 /x /etc/hostname rw - 9p share rw\n",
    ],
)
def test_no_server_is_asked(process: Path, mounts: bytes) -> None:
    write(process, b"web1\n")
    (process / "mountinfo").write_bytes(mounts)
    assert etc_hostname(str(process)) is None


@pytest.mark.parametrize(
    ("config", "name"),
    [
        (b'{"ID":"3f2a","Name":"/web1","State":{}}', "web1"),
        (b'{"Name":"/"}', None),
        (b'{"Name":7}', None),
        (b'["Name"]', None),
        (b"[" * 100_000, None),
        (b"", None),
    ],
)
def test_docker_s_name(config: bytes, name: str | None) -> None:
    assert docker_name(config) == name


def ancestor(proc: Path, pid: int, parent: int, comm: str, *arguments: str) -> Path:
    path = proc / str(pid)
    path.mkdir()
    (path / "comm").write_text(comm + "\n")
    (path / "stat").write_text(f"{pid} ({comm}) S {parent} 1 1 0")
    (path / "cmdline").write_bytes(b"".join(word.encode() + b"\0" for word in arguments))
    return path


def test_podman_s_name_is_that_of_its_monitor(tmp_path: Path) -> None:
    cgroup = f"/machine.slice/libpod-{ID}.scope/container"
    ancestor(tmp_path, 1, 0, "systemd")
    ancestor(tmp_path, 10, 1, "conmon", "/usr/bin/conmon", "-c", ID, "-u", ID, "-n", "web1")
    ancestor(tmp_path, 11, 10, "sh")
    nginx = ancestor(tmp_path, 12, 11, "nginx) S 1")
    names = ContainerNames(str(tmp_path))
    assert names.of(str(nginx), cgroup) == "web1"
    assert names.of(str(nginx), cgroup.replace(ID, "0" * 64)) is None
    assert names.of(str(tmp_path / "1"), cgroup) is None
    assert names.of(str(nginx), "/system.slice/nginx.service") is None
    other = ancestor(tmp_path, 20, 1, "conmon", "conmon", "-c", ID)
    assert names.of(str(ancestor(tmp_path, 21, 20, "sh")), cgroup) is None
    assert other.exists()


def test_a_circle_of_parents_ends(tmp_path: Path) -> None:
    ancestor(tmp_path, 5, 6, "a")
    path = ancestor(tmp_path, 6, 5, "b")
    assert ContainerNames(str(tmp_path)).of(str(path), f"/machine.slice/libpod-{ID}.scope") is None
