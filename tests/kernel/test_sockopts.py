"""Socket options of other processes, against what the owner itself is told of them."""

from __future__ import annotations

import ctypes
import fcntl
import os
import platform
import socket
import struct
import time
from collections.abc import Collection
from dataclasses import asdict, replace
from itertools import pairwise

import numpy as np
import pytest

from tcptop.demo import held, sockets
from tcptop.demo.held import HeldSockets
from tcptop.demo.namespace import DemoNamespace
from tcptop.model.sample import Owners, Sample
from tcptop.model.socket_id import SocketId
from tcptop.model.sockopt import SocketOptions
from tcptop.model.source import Requests
from tcptop.sources import sockopts
from tcptop.sources.live import LiveSource
from tcptop.sources.pidfd import traffic_groups
from tcptop.sources.sockopts import OptionReader
from tests.kernel import owners, queues, states
from tests.kernel.nobody import become_nobody
from tests.kernel.snapshots import Watch, row_between, row_of

TCP, SOCKET = socket.IPPROTO_TCP, socket.SOL_SOCKET
OPTIONS = {
    "nodelay": (TCP, socket.TCP_NODELAY),
    "cork": (TCP, socket.TCP_CORK),
    "quickack": (TCP, socket.TCP_QUICKACK),
    "keepalive": (SOCKET, socket.SO_KEEPALIVE),
    "keepidle_s": (TCP, socket.TCP_KEEPIDLE),
    "keepintvl_s": (TCP, socket.TCP_KEEPINTVL),
    "keepcnt": (TCP, socket.TCP_KEEPCNT),
    "user_timeout_ms": (TCP, socket.TCP_USER_TIMEOUT),
    "linger2_s": (TCP, socket.TCP_LINGER2),
    "defer_accept_s": (TCP, socket.TCP_DEFER_ACCEPT),
    "rcvbuf": (SOCKET, socket.SO_RCVBUF),
    "sndbuf": (SOCKET, socket.SO_SNDBUF),
    "notsent_lowat": (TCP, socket.TCP_NOTSENT_LOWAT),
    "reuseaddr": (SOCKET, socket.SO_REUSEADDR),
    "reuseport": (SOCKET, socket.SO_REUSEPORT),
}
SETTINGS: dict[str, dict[str, int]] = {
    "defaults": {},
    "impatient": {
        "nodelay": 1,
        "keepalive": 1,
        "keepidle_s": 37,
        "keepintvl_s": 11,
        "keepcnt": 4,
        "user_timeout_ms": 12_345,
        "linger2_s": 9,
        "notsent_lowat": 16_384,
    },
    "patient": {
        "cork": 1,
        "quickack": 0,
        "keepalive": 0,
        "keepidle_s": 7000,
        "linger2_s": -1,
        "rcvbuf": 50_000,
        "sndbuf": 70_000,
        "notsent_lowat": -1,
        "reuseaddr": 1,
    },
}


def set_options(fd: int, values: dict[str, int]) -> None:
    for name, value in values.items():
        held.option(fd, *OPTIONS[name], value)


def own_options(fd: int) -> dict[str, int]:
    return {name: held.get(fd).getsockopt(*option) for name, option in OPTIONS.items()}


def set_bytes(fd: int, level: int, name: int, value: bytes) -> None:
    held.get(fd).setsockopt(level, name, value)


def own_bytes(fd: int, level: int, name: int, size: int) -> bytes:
    return held.get(fd).getsockopt(level, name, size)


def options_of(watch: Watch, *wanted: HeldSockets) -> list[SocketOptions]:
    """What the next look says of sockets that are held."""
    table = watch.snapshot().sample.sockets
    ids = [table.id(row_of(table, made)) for made in wanted]
    watch.request(ids)
    found = watch.snapshot().sample.options
    assert found.keys() == set(ids)
    return [found[each] for each in ids]


def read(sample: Sample, ids: Collection[SocketId]) -> dict[SocketId, SocketOptions]:
    """What a reader without a memory finds, now, of the sockets of an earlier look."""
    reader = OptionReader()
    reader.request(ids)
    return reader.read(sample.sockets, sample.owners, sample.privileged)


def sampled(namespace: DemoNamespace, made: HeldSockets) -> tuple[Sample, SocketId]:
    """A look, and a socket of it that is held."""
    with Watch(namespace) as watch:
        sample = watch.snapshot().sample
    return sample, sample.sockets.id(row_of(sample.sockets, made))


@pytest.mark.parametrize("values", SETTINGS.values(), ids=SETTINGS)
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_as_the_owner_is_told(namespace: DemoNamespace, values: dict[str, int], host: str) -> None:
    made = namespace.run(states.established, host).server
    namespace.run(set_options, made.fd, values)
    with Watch(namespace) as watch:
        before = time.monotonic()
        (options,) = options_of(watch, made)
    own = namespace.run(own_options, made.fd)
    seen = {name: value for name, value in asdict(options).items() if name in OPTIONS}
    assert seen == own | {"notsent_lowat": own["notsent_lowat"] & 0xFFFF_FFFF}
    for name, value in values.items():
        if name not in ("rcvbuf", "sndbuf", "notsent_lowat"):  # the kernel doubles; it is unsigned
            assert seen[name] == value
    assert before <= options.read_at <= time.monotonic()
    assert not options.why_not


def test_buffers_that_the_process_has_fixed(namespace: DemoNamespace) -> None:
    pair = namespace.run(states.established)
    namespace.run(set_options, pair.client.fd, {"rcvbuf": 50_000})
    namespace.run(set_options, pair.server.fd, {"sndbuf": 50_000})
    with Watch(namespace) as watch:
        client, server = options_of(watch, *pair)
    assert (client.rcvbuf, server.sndbuf) == (100_000, 100_000)
    assert (client.rcvbuf_locked, client.sndbuf_locked) == (True, False)
    assert (server.rcvbuf_locked, server.sndbuf_locked) == (False, True)


@pytest.mark.parametrize(("on", "seconds"), [(1, 0), (1, 7), (0, 7)])
def test_linger(namespace: DemoNamespace, on: int, seconds: int) -> None:
    made = namespace.run(states.established).client
    namespace.run(set_bytes, made.fd, SOCKET, socket.SO_LINGER, struct.pack("ii", on, seconds))
    with Watch(namespace) as watch:
        (options,) = options_of(watch, made)
    assert options.linger is bool(on)
    assert options.linger_s == (seconds if on else None)


def test_congestion_control(namespace: DemoNamespace) -> None:
    pair = namespace.run(states.established)
    namespace.run(set_bytes, pair.client.fd, TCP, socket.TCP_CONGESTION, b"reno")
    with Watch(namespace) as watch:
        client, server = options_of(watch, *pair)
    own = namespace.run(own_bytes, pair.server.fd, TCP, socket.TCP_CONGESTION, 16)
    assert (client.congestion, server.congestion) == ("reno", own.rstrip(b"\0").decode())


def test_a_listener(namespace: DemoNamespace) -> None:
    made, _ = namespace.run(queues.reuse_port, 2)
    namespace.run(set_options, made.fd, {"defer_accept_s": 7})
    with Watch(namespace) as watch:
        (options,) = options_of(watch, made)
    assert (options.reuseport, options.reuseaddr) == (True, True)
    assert options.defer_accept_s == namespace.run(own_options, made.fd)["defer_accept_s"] == 7


def test_only_what_is_wanted(namespace: DemoNamespace) -> None:
    pair = namespace.run(states.established)
    with Watch(namespace) as watch:
        sample = watch.snapshot().sample
        assert not sample.options
        one, other = (sample.sockets.id(row_of(sample.sockets, each)) for each in pair)
        watch.request([one, SocketId(one.netns, 12345)])
        assert watch.snapshot().sample.options.keys() == {one}
        watch.request({other})
        assert watch.snapshot().sample.options.keys() == {other}
        watch.request(())
        assert not watch.snapshot().sample.options


def test_an_answer_is_kept_for_a_while(
    namespace: DemoNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = namespace.run(states.established).client
    with Watch(namespace) as watch:
        (first,) = options_of(watch, made)
        namespace.run(set_options, made.fd, {"nodelay": 1})
        (second,) = options_of(watch, made)
        assert second is first
        assert not second.nodelay
        monkeypatch.setattr(sockopts, "KEPT_S", 0.0)
        (third,) = options_of(watch, made)
        assert third.nodelay
        assert third.read_at > first.read_at


def test_another_socket_on_the_descriptor(namespace: DemoNamespace) -> None:
    pair = namespace.run(states.established)
    sample, socket_id = sampled(namespace, pair.client)
    namespace.run(os.dup2, pair.server.fd, pair.client.fd)
    assert read(sample, [socket_id])[socket_id].why_not == "this descriptor is something else now"


def test_another_socket_of_the_same_inode(namespace: DemoNamespace) -> None:
    """Inodes come again, cookies do not."""
    made = namespace.run(states.established).client
    sample, socket_id = sampled(namespace, made)
    rows = sample.sockets.take(np.arange(len(sample.sockets)))
    rows.cookie[row_of(rows, made)] += np.uint64(1000)
    other = socket_id._replace(cookie=socket_id.cookie + 1000)
    found = read(replace(sample, sockets=rows), [other])
    assert found[other].why_not == "this descriptor is another socket now"
    assert found[other].keepalive is None


def test_closed_since(namespace: DemoNamespace) -> None:
    made = namespace.run(sockets.listening)
    sample, socket_id = sampled(namespace, made)
    namespace.run(held.close, made.fd)
    assert read(sample, [socket_id])[socket_id].why_not == "the process has closed it, or has ended"


def test_ended_since(namespace: DemoNamespace) -> None:
    helper = namespace.helper()
    made = helper.run(sockets.listening)
    sample, socket_id = sampled(namespace, made)
    helper.close()
    assert read(sample, [socket_id])[socket_id].why_not == "the process has ended"


def test_the_next_holder_is_asked(namespace: DemoNamespace) -> None:
    helper = namespace.helper()
    ended = helper.pid
    made = namespace.run(sockets.listening)
    sample, socket_id = sampled(namespace, made)
    helper.close()
    twice = Owners(
        np.array([made.inode] * 3, np.uint32),
        np.array([ended, made.pid, made.pid]),
        np.array([made.fd, 999, made.fd]),
        sample.owners.processes,
    )
    assert not read(replace(sample, owners=twice), [socket_id])[socket_id].why_not


def test_sockets_that_no_process_holds(namespace: DemoNamespace) -> None:
    queued, listener = namespace.run(states.not_accepted)
    half, deferring = namespace.run(states.syn_recv)
    orphan = namespace.run(states.fin_wait1, orphan=True).client
    waiting = namespace.run(states.time_wait).client
    with Watch(namespace) as watch:
        table = watch.snapshot().sample.sockets
        ends = [(listener, queued), (deferring, half)]
        rows = [row_between(table, here.local[1], there.local[1]) for here, there in ends]
        for made in (orphan, waiting):
            assert made.remote
            rows.append(row_between(table, made.local[1], made.remote[1]))
        watch.request([table.id(row) for row in rows])
        found = watch.snapshot().sample.options
    assert [found[table.id(row)].why_not for row in rows] == [
        "waits in an accept queue: no process holds it",
        "half-open: no process holds it yet",
        "closed by its process: the kernel finishes the connection",
        "closed by its process: the kernel finishes the connection",
    ]


def mptcp_listener() -> HeldSockets:
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_MPTCP)
    made.bind(("127.0.0.1", 0))
    made.listen()
    return held.hold(made)


def test_mptcp_is_not_taken_for_its_subflow(namespace: DemoNamespace) -> None:
    namespace.sysctl("net.mptcp.enabled", 1)
    made = namespace.run(mptcp_listener)
    with Watch(namespace) as watch:
        (options,) = options_of(watch, made)
    assert "MPTCP" in options.why_not


def live_options(ids: list[SocketId]) -> dict[SocketId, SocketOptions]:
    """The collector, run by the calling process."""
    source = LiveSource()
    source.request(Requests(frozenset(ids)))
    try:
        return dict(source.sample().options)
    finally:
        source.close()


def test_as_another_user(namespace: DemoNamespace) -> None:
    """Its own sockets are read; for others it has no holder, and would not be permitted."""
    other = namespace.run(sockets.listening)
    helper = namespace.helper()
    helper.run(live_options, [])  # imports what the other user may not be able to read
    helper.run(sockets.listening)
    helper.run(become_nobody)
    own = helper.run(sockets.listening)
    sample, theirs = sampled(namespace, other)
    mine = sample.sockets.id(row_of(sample.sockets, own))
    found = helper.run(live_options, [theirs, mine])
    assert not found[mine].why_not
    assert found[mine].reuseaddr
    if os.getuid() == 0:  # else both are the same user
        assert found[theirs].why_not == "no process that holds it is known"
        asked = helper.run(read, replace(sample, privileged=False), [theirs])
        assert asked[theirs].why_not == "not permitted: needs CAP_SYS_PTRACE"


def forbid(errno: int) -> None:
    """A seccomp filter that fails pidfd_getfd (seccomp(2)), for the calling process for good."""
    load, equal, answer = 0x20, 0x15, 0x06  # BPF_LD|W|ABS, BPF_JMP|JEQ|K, BPF_RET|K
    program = b"".join(
        struct.pack("HBBI", *each)
        for each in (
            (load, 0, 0, 0),  # struct seccomp_data begins with the call's number
            (equal, 0, 1, 438),
            (answer, 0, 0, 0x0005_0000 | errno),  # SECCOMP_RET_ERRNO
            (answer, 0, 0, 0x7FFF_0000),  # SECCOMP_RET_ALLOW
        )
    )
    code = ctypes.create_string_buffer(program)
    filters = struct.pack("HxxxxxxP", 4, ctypes.addressof(code))
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.prctl(38, 1, 0, 0, 0) == 0  # PR_SET_NO_NEW_PRIVS
    assert libc.prctl(22, 2, filters, 0, 0) == 0  # PR_SET_SECCOMP, SECCOMP_MODE_FILTER


@pytest.mark.parametrize(("errno", "why"), [(1, "a seccomp filter forbids"), (38, "Linux 5.6")])
def test_where_the_call_is_forbidden(namespace: DemoNamespace, errno: int, why: str) -> None:
    assert platform.machine() in ("x86_64", "aarch64")  # where the call has this number
    made = namespace.run(sockets.listening)
    helper = namespace.helper()
    helper.run(forbid, errno)
    _, socket_id = sampled(namespace, made)
    assert why in helper.run(live_options, [socket_id])[socket_id].why_not


def flags(fd: int) -> int:
    return fcntl.fcntl(fd, fcntl.F_GETFL)


@pytest.mark.parametrize("blocking", [True, False])
def test_the_socket_is_left_as_it_was(
    namespace: DemoNamespace, blocking: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its flags, and with a default timeout too, which Python gives to any socket it makes."""
    made = namespace.run(states.established).server
    namespace.run(os.set_blocking, made.fd, blocking)
    before = namespace.run(flags, made.fd)
    sample, socket_id = sampled(namespace, made)
    socket.setdefaulttimeout(3.0 if blocking else None)
    try:
        own = set(os.listdir("/proc/self/fd"))
        assert not read(sample, [socket_id])[socket_id].why_not
        assert set(os.listdir("/proc/self/fd")) == own
    finally:
        socket.setdefaulttimeout(None)
    assert namespace.run(flags, made.fd) == before
    assert bool(before & os.O_NONBLOCK) is not blocking


def peer_is_done(fd: int) -> None:
    held.wait_for_state(held.get(fd), held.CLOSE_WAIT)


def test_closing_sends_its_fin(namespace: DemoNamespace) -> None:
    """No copy is left that would hold the FIN back; nor is one of a copy that was refused."""
    for closer in ("client", "server"):
        pair = namespace.run(states.established)
        made, peer = (pair.client, pair.server) if closer == "client" else pair[::-1]
        sample, socket_id = sampled(namespace, made)
        rows = sample.sockets.take(np.arange(len(sample.sockets)))
        rows.cookie[row_of(rows, made)] += np.uint64(1000)
        assert not read(sample, [socket_id])[socket_id].why_not
        other = socket_id._replace(cookie=socket_id.cookie + 1000)
        assert read(replace(sample, sockets=rows), [other])[other].why_not
        namespace.run(held.close, made.fd)
        namespace.run(peer_is_done, peer.fd)


def many(count: int) -> None:
    for _ in range(count):
        sockets.listening()


def want_all(watch: Watch) -> None:
    table = watch.snapshot().sample.sockets
    watch.request([table.id(row) for row in range(len(table))])


def test_a_look_reads_a_bounded_number(
    namespace: DemoNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sockopts, "BUDGET_S", 60.0)
    namespace.run(many, 150)
    with Watch(namespace) as watch:
        want_all(watch)
        samples = [watch.snapshot().sample.options for _ in range(4)]
    assert [len(found) for found in samples] == [64, 128, 150, 150]
    assert samples[2] == samples[3]
    for earlier, found in pairwise(samples):
        assert all(found[socket_id] is options for socket_id, options in earlier.items())


def test_a_look_has_a_time_budget(
    namespace: DemoNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over it, one socket is read in each look: those first that wait for longest."""
    namespace.run(many, 5)
    with Watch(namespace) as watch:
        want_all(watch)
        monkeypatch.setattr(sockopts, "BUDGET_S", 0.0)
        assert [len(watch.snapshot().sample.options) for _ in range(6)] == [1, 2, 3, 4, 5, 5]
        monkeypatch.setattr(sockopts, "KEPT_S", 0.0)
        first = watch.snapshot().sample.options
        last = [watch.snapshot().sample.options for _ in range(4)][-1]
    assert sum(last[socket_id].read_at > first[socket_id].read_at for socket_id in first) == 4


def test_shared_by_many(namespace: DemoNamespace) -> None:
    made = namespace.run(sockets.listening)
    namespace.run(owners.share_by_fork, made.fd, 10)
    with Watch(namespace) as watch:
        (options,) = options_of(watch, made)
    assert options.reuseaddr


def test_groups_that_class_traffic() -> None:
    """A received socket takes its receiver's class, so that those of other groups are not read."""
    data = b"12:pids:/a\n7:net_cls,net_prio:/docker/x\n3:name=systemd:/net_cls\n0::/net_cls\n"
    assert traffic_groups(data) == [b"7:net_cls,net_prio:/docker/x"]
    assert traffic_groups(b"2:net_prio:/\n1:net_cls:/b\n") == [b"2:net_prio:/", b"1:net_cls:/b"]
    assert traffic_groups(b"4:blkio:/\n0::/system.slice\n") == []
