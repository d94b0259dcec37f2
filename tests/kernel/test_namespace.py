"""Namespaces are private, obey, and leave nothing behind."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tcptop.demo import held, sockets, veth
from tcptop.demo.namespace import DemoNamespace
from tests.kernel.ss import ss_rows

Linked = tuple[DemoNamespace, DemoNamespace]


def _network() -> int:
    return os.stat("/proc/thread-self/ns/net").st_ino


def _connect_to_self() -> None:
    socket.create_connection(("127.0.0.1", 1), timeout=5)


def test_a_namespace_is_private_and_empty(namespace: DemoNamespace) -> None:
    assert namespace.inode != _network()
    assert namespace.run(_network) == namespace.inode
    assert ss_rows(namespace) == []


def test_what_is_raised_inside_is_raised_here(namespace: DemoNamespace) -> None:
    with pytest.raises(ConnectionRefusedError):
        namespace.run(_connect_to_self)
    assert namespace.run(os.getpid) == namespace.pid  # and it goes on


def test_a_command_that_fails_says_why(namespace: DemoNamespace) -> None:
    with pytest.raises(RuntimeError, match="nothing0"):
        namespace.command(["ip", "link", "show", "nothing0"])


def test_sockets_stay_open_until_they_are_closed(namespace: DemoNamespace) -> None:
    listener = namespace.run(sockets.listening)
    assert [row.inode for row in ss_rows(namespace)] == [listener.inode]
    namespace.run(held.close, listener.fd)
    assert ss_rows(namespace) == []


def test_a_sysctl_is_set_inside_only(namespace: DemoNamespace) -> None:
    before = Path("/proc/sys/net/ipv4/tcp_syncookies").read_text()
    namespace.sysctl("net.ipv4.tcp_syncookies", 2)
    assert namespace.command(["cat", "/proc/sys/net/ipv4/tcp_syncookies"]) == "2\n"
    assert Path("/proc/sys/net/ipv4/tcp_syncookies").read_text() == before


def test_the_table_of_connections_is_small_and_its_own(namespace: DemoNamespace) -> None:
    """Dumps of it are fast however many sockets the host has (since Linux 6.1)."""
    shown = namespace.command(["cat", "/proc/sys/net/ipv4/tcp_ehash_entries"])
    assert int(shown) == 1024


def test_a_helper_holds_sockets_of_its_own(namespace: DemoNamespace) -> None:
    helper = namespace.helper()
    mine, theirs = namespace.run(sockets.listening), helper.run(sockets.listening)
    owners = {row.inode: {pid for _, pid, _ in row.users} for row in ss_rows(namespace)}
    assert owners == {mine.inode: {namespace.pid}, theirs.inode: {helper.pid}}


def test_a_thread_of_this_process_can_look_inside(namespace: DemoNamespace) -> None:
    if os.geteuid():  # a thread cannot enter the user namespace, which is the way in
        with pytest.raises(PermissionError):
            namespace.in_thread(_network)
        return
    home = _network()
    assert namespace.in_thread(_network) == namespace.inode
    with namespace.entered():
        assert _network() == namespace.inode
    assert _network() == home
    with pytest.raises(ConnectionRefusedError):
        namespace.in_thread(_connect_to_self)


@pytest.mark.parametrize("host", [veth.SERVER.v4, veth.SERVER.v6, veth.SERVER.local])
def test_linked_namespaces_reach_each_other(linked: Linked, host: str) -> None:
    client, server = linked
    listener = server.run(sockets.listening, host)
    made = client.run(sockets.connected, host, listener.local[1])
    accepted = server.run(sockets.accepted, listener.fd)
    assert made.local == accepted.remote
    (row,) = ss_rows(client)
    assert (row.state, row.inode) == ("ESTAB", made.inode)
    assert row.interface == (veth.DEVICE if host == veth.SERVER.local else None)


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_closing_ends_every_process_inside() -> None:
    with DemoNamespace() as namespace:
        pids = [namespace.pid, namespace.helper().pid]
    assert not any(map(_is_alive, pids))


ORPHAN_MAKER = """
import time
from tcptop.demo.namespace import DemoNamespace
made = DemoNamespace()
print(made.pid, made.helper().pid, flush=True)
time.sleep(60)
"""


def test_it_ends_with_a_parent_that_was_killed() -> None:
    words = [sys.executable, "-c", ORPHAN_MAKER]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout
        pids = [int(word) for word in parent.stdout.readline().split()]
        assert len(pids) == 2
        assert all(map(_is_alive, pids))
        parent.send_signal(signal.SIGKILL)
    held.until(lambda: not any(map(_is_alive, pids)), "the end of the children")
