"""A host name in a filter, where the name server is silent, away, or knows no such name."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tcptop.demo import linux
from tcptop.demo.namespace import DemoNamespace

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="only root can replace resolv.conf")

CLONE_NEWNS = 0x20000
SERVER = ("127.0.0.1", 53)
# As long as resolv.conf(5) allows: minutes.
PATIENT = "nameserver 127.0.0.1\noptions timeout:30 attempts:5\n"
ENDS_S = 100  # before such a resolver gives up
NO_SUCH_NAME = b"\x81\x83"  # flags of a response: recursion as asked and available, NXDOMAIN
NAME = "nosuch.example.net"


@pytest.fixture
def asking(namespace: DemoNamespace, tmp_path: Path) -> list[str]:
    """How a command begins that asks the name server of the namespace."""
    (tmp_path / "resolv.conf").write_text(PATIENT)
    helper = namespace.helper()
    helper.run(replace_resolv_conf, str(tmp_path / "resolv.conf"))
    python = [sys.executable, "-m", "tcptop"]
    return ["nsenter", "-t", str(helper.pid), "-n", "-m", *python]


@pytest.fixture
def server(namespace: DemoNamespace) -> Iterator[socket.socket]:
    with namespace.in_thread(socket.socket, socket.AF_INET, socket.SOCK_DGRAM) as made:
        made.bind(SERVER)
        made.settimeout(ENDS_S)
        yield made


def replace_resolv_conf(path: str) -> None:
    linux.unshare(CLONE_NEWNS)
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    subprocess.run(["mount", "--bind", path, "/etc/resolv.conf"], check=True)


def started(words: list[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("words", [["snapshot"], ["check", "--over", "1"], []])
def test_it_can_be_interrupted_while_the_resolver_waits(
    asking: list[str], server: socket.socket, words: list[str]
) -> None:
    with started([*asking, *words, f"dst {NAME}"]) as process:
        try:
            server.recv(512)
            process.send_signal(signal.SIGINT)
            out, _ = process.communicate(timeout=ENDS_S)
        finally:
            process.kill()
    assert (process.returncode, out) == (130 if words else 0, "")


def test_nobody_answers(asking: list[str]) -> None:
    done = started([*asking, "snapshot", f"dst {NAME}"])
    _, err = done.communicate(timeout=ENDS_S)
    assert done.returncode == 2
    assert f'"{NAME}" cannot be looked up: the resolver gives no answer' in err


def test_there_is_no_such_name(asking: list[str], server: socket.socket) -> None:
    with started([*asking, "snapshot", f"dst {NAME}."]) as process:
        for _ in range(2):  # A and AAAA
            query, client = server.recvfrom(512)
            server.sendto(query[:2] + NO_SUCH_NAME + query[4:], client)
        _, err = process.communicate(timeout=ENDS_S)
    assert process.returncode == 2
    assert f'"{NAME}." has no address' in err
