"""sock_diag that refuses, breaks off, repeats itself, or is not there at all."""

import ctypes
import errno
import json
import os
import signal
import socket
import struct
import subprocess
import time
from collections import Counter, deque
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tcptop import dispatch
from tcptop.analysis.findings.rule import Need
from tcptop.analysis.findings.rules import RULES
from tcptop.demo import held, linux, sockets
from tcptop.demo.namespace import DemoNamespace
from tcptop.model.table import SocketTable
from tcptop.sources import sock_diag, wire
from tcptop.sources.sock_diag import LISTENERS, Request, SockDiag, SockDiagError, _Queues, encode
from tcptop.sources.sock_diag import without_repeats as sock_diag_distinct
from tests.kernel import queues, states
from tests.kernel.ss import ss_rows

STATES = {
    "ESTAB": "ESTABLISHED",
    "LISTEN": "LISTEN",
    "SYN-SENT": "SYN_SENT",
    "TIME-WAIT": "TIME_WAIT",
}
SOCKETS = 300  # several datagrams


def connect_many(count: int) -> None:
    """Connections within the namespace, accepted."""
    listener = sockets.listening(backlog=256)
    for _ in range(count):
        sockets.connected(sockets.LOOPBACK, listener.local[1])
        sockets.accepted(listener.fd)


@pytest.fixture
def crowd(namespace: DemoNamespace) -> DemoNamespace:
    namespace.run(connect_many, SOCKETS)
    return namespace


def cookies(diag: SockDiag, request: Request = sock_diag.EVERYTHING) -> set[int]:
    found: set[int] = set(diag.dump(request).cookie.tolist())
    return found


@pytest.mark.parametrize("legacy", [True, False])
def test_the_short_look_where_nobody_listens(namespace: DemoNamespace, legacy: bool) -> None:
    with namespace.entered(), SockDiag(namespace.inode) as diag:
        diag._legacy = legacy
        assert diag.accept_queues() == []


@pytest.mark.parametrize("legacy", [True, False])
def test_the_short_look_at_listeners_tells_what_a_dump_does(
    crowd: DemoNamespace, legacy: bool
) -> None:
    for host in ("127.0.0.1", "::1"):
        listener = crowd.run(sockets.listening, host, backlog=9)
        for _ in range(5):
            crowd.run(sockets.connected, host, listener.local[1])
    with crowd.entered(), SockDiag(crowd.inode) as diag:
        diag._legacy = legacy
        table = diag.dump(Request(LISTENERS, ext=0))
        expected = dict(zip(table.cookie.tolist(), table.recv_q.tolist(), strict=True))
        assert dict(diag.accept_queues()) == expected
        assert sorted(expected.values()) == [0, 5, 5]


def test_a_kernel_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another sandbox's kernel, or a bug: it is said, and /proc/net/tcp is read instead."""
    monkeypatch.setattr(sock_diag, "ANSWER_S", 0.05)
    silent, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with other, SockDiag() as diag:
        diag._socket.close()
        diag._socket = silent
        sock_diag.wait_no_longer(silent)
        for _ in range(2):
            with pytest.raises(SockDiagError, match=r"has not answered for 0\.05 s") as raised:
                diag.dump()
            assert raised.value.errno == errno.ETIMEDOUT


def test_a_refused_request_leaves_the_socket_usable(crowd: DemoNamespace) -> None:
    jump_into_nowhere = struct.pack("=BBH", 1, 4, 3)  # INET_DIAG_BC_JMP, not to an operation
    with crowd.entered(), SockDiag(crowd.inode) as diag:
        before = cookies(diag)
        with pytest.raises(SockDiagError) as caught:
            diag.dump(Request(bytecode=jump_into_nowhere))
        assert caught.value.errno == errno.EINVAL
        assert cookies(diag) == before
        assert diag._legacy  # it was not the kind of request that was refused
        assert len(before) == 2 * SOCKETS + 1


def test_an_unknown_protocol_is_an_error_and_not_an_empty_host(
    crowd: DemoNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NLMSG_DONE with -ENOENT, as where the module tcp_diag is missing."""
    with crowd.entered(), SockDiag(crowd.inode) as diag:
        diag._legacy = False
        expected = cookies(diag)
        with monkeypatch.context() as patched:
            patched.setattr(socket, "IPPROTO_TCP", 200)
            with pytest.raises(SockDiagError) as caught:
                diag.dump()
        assert caught.value.errno == errno.ENOENT
        assert cookies(diag) == expected
        assert len(expected) == 2 * SOCKETS + 1


def test_a_dump_that_nobody_read_is_cleared_away(crowd: DemoNamespace) -> None:
    with crowd.entered(), SockDiag(crowd.inode) as diag:
        expected = cookies(diag)
        diag._socket.send(encode(Request(), 0, 4_000_000_000))
        with pytest.raises(SockDiagError) as caught:
            diag._once(Request(), 0, _Queues())
        assert caught.value.errno == errno.EBUSY
        diag._socket.send(encode(Request(), 0, 4_000_000_001))
        assert cookies(diag) == expected


def test_a_dump_that_was_broken_off_is_cleared_away(
    crowd: DemoNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By Ctrl-C in the middle, say."""
    with crowd.entered(), SockDiag(crowd.inode) as diag:
        expected = cookies(diag)
        with monkeypatch.context() as patched:
            patched.setattr(diag, "_receive", interrupted)
            with pytest.raises(KeyboardInterrupt):
                diag.dump()
        assert cookies(diag) == expected


def interrupted(at: int) -> int:
    raise KeyboardInterrupt


def test_a_short_buffer_never_loses_rows(
    crowd: DemoNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel cuts datagrams without a word when less is offered than once before."""
    with crowd.entered(), SockDiag(crowd.inode) as diag:
        expected = cookies(diag)
        with monkeypatch.context() as patched:
            patched.setattr(sock_diag, "ROOM", 4096)
            with pytest.raises(SockDiagError, match="cut short"):
                diag.dump()
        assert cookies(diag) == expected


def test_rubbish_is_one_error(crowd: DemoNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    with crowd.entered(), SockDiag(crowd.inode) as diag:
        expected = cookies(diag)
        with monkeypatch.context() as patched:
            patched.setattr(wire, "ROWS", (wire.SOCK_DIAG_BY_FAMILY + 1,))
            with pytest.raises(SockDiagError, match="unexpected message"):
                diag.dump()
        assert cookies(diag) == expected


def test_a_small_buffer_is_decoded_in_turns(
    crowd: DemoNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    with crowd.entered(), SockDiag(crowd.inode) as diag:
        whole = diag.dump()
        monkeypatch.setattr(sock_diag, "BUFFER", sock_diag.ROOM + 65536)
        diag.expected = 0
        parts = diag.dump()
    for name in ("cookie", "inode", "state", "local_port", "has"):
        assert np.array_equal(getattr(parts, name), getattr(whole, name))


def crowded(count: int) -> None:
    """A namespace of 16 hash buckets (a namespace gets what its maker's asks for)."""
    Path("/proc/sys/net/ipv4/tcp_child_ehash_entries").write_text("16")
    linux.unshare(linux.CLONE_NEWNET)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    connect_many(count)


def start_churn(seconds: float) -> int:
    """Pid of a process that opens and resets connections until it is killed or time is up."""
    pid = os.fork()
    if pid == 0:
        try:
            linux.die_with_parent()
            open_and_reset(time.monotonic() + seconds)
        finally:
            os._exit(0)
    return pid


def open_and_reset(end: float) -> None:
    listener = sockets.listening(backlog=256)
    alive: deque[int] = deque()
    while time.monotonic() < end:
        alive.append(sockets.connected(sockets.LOOPBACK, listener.local[1]).fd)
        alive.append(sockets.accepted(listener.fd).fd)
        if len(alive) > 200:
            held.reset(alive.popleft(), alive.popleft())


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


@pytest.mark.parametrize("buckets", ["roomy", "crowded"])
def test_churn_makes_no_socket_appear_twice(
    namespace: DemoNamespace, buckets: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    twice = 0

    def counted(table: SocketTable) -> SocketTable:
        nonlocal twice
        distinct = sock_diag_distinct(table)
        twice += len(table) - len(distinct)
        return distinct

    namespace.run(crowded if buckets == "crowded" else connect_many, 2 * SOCKETS)
    monkeypatch.setattr(sock_diag, "without_repeats", counted)
    pid = namespace.run(start_churn, 20.0)
    try:
        with namespace.entered(), SockDiag() as diag:
            stable = diag.dump()
            for number in range(1000):
                table = diag.dump()
                assert len(np.unique(table.cookie)) == len(table)
                assert len(table) >= 0.9 * 4 * SOCKETS
                if number >= 50 and (twice or buckets == "roomy"):
                    break
    finally:
        namespace.run(kill, pid)
    assert len(stable) > 4 * SOCKETS
    assert twice or buckets == "roomy"  # or else the crowd proves nothing


def forbid_sock_diag(number: int) -> None:
    """From now on socket(AF_NETLINK, ..., NETLINK_SOCK_DIAG) fails, as in some sandboxes."""
    socket_call = {"x86_64": 41, "aarch64": 198}[os.uname().machine]
    load, equal, answer = 0x20, 0x15, 0x06  # linux/bpf_common.h: LD|W|ABS, JMP|JEQ|K, RET|K
    allow, fail = 0x7FFF_0000, 0x0005_0000 | number  # linux/seccomp.h
    program = [
        (load, 0, 0, 0), (equal, 0, 5, socket_call),  # struct seccomp_data: nr
        (load, 0, 0, 16), (equal, 0, 3, socket.AF_NETLINK),  # args[0]
        (load, 0, 0, 32), (equal, 0, 1, sock_diag.NETLINK_SOCK_DIAG),  # args[2]
        (answer, 0, 0, fail), (answer, 0, 0, allow),
    ]  # fmt: skip
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *op) for op in program))
    filter_ = struct.pack("@HP", len(program), ctypes.addressof(code))
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.prctl(38, 1, 0, 0, 0) == 0  # PR_SET_NO_NEW_PRIVS
    assert libc.prctl(22, 2, filter_) == 0, ctypes.get_errno()  # PR_SET_SECCOMP, a filter


def snapshot(path: str) -> int:
    return dispatch.run(["snapshot", "--format", "json", "-o", path])


@pytest.mark.parametrize("number", [errno.EPERM, errno.EPROTONOSUPPORT])
def test_without_sock_diag_proc_is_read(
    namespace: DemoNamespace, tmp_path: Path, number: int
) -> None:
    namespace.run(queues.accept_overflow, "127.0.0.1", 5, 12)
    namespace.run(states.time_wait, "::1")
    client, _ = namespace.run(queues.unread, 1000)
    helper = namespace.helper()
    helper.run(forbid_sock_diag, number)
    assert helper.run(snapshot, str(tmp_path / "out")) == 0
    seen = json.loads((tmp_path / "out").read_text())
    collector = seen["collector"]
    assert collector["source"] == "procfs"
    assert any("sock_diag" in note and os.strerror(number) in note for note in collector["notes"])
    lacking = {Need.BACKLOG, Need.TCP_INFO, Need.CLOCKS}
    assert set(collector["silent_rules"]) == {rule.id for rule in RULES if rule.needs & lacking}
    printed = Counter(row.state for row in ss_rows(namespace))
    shown = Counter(row["state"] for row in seen["sockets"])
    assert shown == Counter({STATES[state]: count for state, count in printed.items()})
    assert seen["totals"]["by_state"]["SYN_SENT"] == 6
    (listener,) = seen["listeners"]
    assert listener["accept_queue"] == 6
    unknown = ("backlog", "capacity", "fill", "drops", "drops_per_s", "cgroup", "backlog_clamped")
    assert {listener[name] for name in unknown} == {None}
    for row in seen["sockets"]:
        assert all_null(row["tcp_info"])
        assert all_null(row["memory"])
        assert row["cgroup"] is None
    (ours,) = (row for row in seen["sockets"] if row["inode"] == client.inode)
    assert [each["pid"] for each in ours["processes"]] == [client.pid]
    assert all(group["capacity"] == 28232 for group in seen["ports"])


def all_null(value: dict[str, Any] | None) -> bool:
    return value is None or set(value.values()) == {None}
