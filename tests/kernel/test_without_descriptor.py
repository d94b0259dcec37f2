"""Sockets that no descriptor leads to: held by a ring of io_uring, or on their way to another
process in the queue of a UNIX socket."""

from __future__ import annotations

import ctypes
import errno
import io
import math
import socket
import time

import numpy as np
import pytest

from tcptop.analysis.selection import everything
from tcptop.columns.detail import facts
from tcptop.demo import held
from tcptop.demo.held import HeldSockets
from tcptop.demo.namespace import DemoNamespace
from tcptop.demo.sockets import listening
from tcptop.model import owner
from tcptop.sources.fd_table import FdTable
from tcptop.sources.in_flight import in_flight
from tcptop.views import socket_rows, text
from tests.kernel.snapshots import Watch, kind, note, pids
from tests.unit.written import snapshot_json

# include/uapi/asm-generic/unistd.h, and linux/io_uring.h
SETUP, REGISTER, REGISTER_FILES = 425, 427, 2

_kept: list[object] = []


def ring(fd: int, close: bool) -> int:
    """Register a held socket with a new ring, and close its descriptor or not. Raises OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    made = libc.syscall(SETUP, 8, ctypes.create_string_buffer(120))
    files = (ctypes.c_int * 1)(fd)
    if made < 0 or libc.syscall(REGISTER, made, REGISTER_FILES, files, 1) < 0:
        raise OSError(ctypes.get_errno(), "io_uring")
    if close:
        held.close(fd)
    return int(made)


def registered(namespace: DemoNamespace, close: bool) -> HeldSockets:
    made = namespace.run(listening)
    try:
        namespace.run(ring, made.fd, close)
    except OSError as error:
        if error.errno in (errno.ENOSYS, errno.EPERM):  # also /proc/sys/kernel/io_uring_disabled
            pytest.skip("this machine does not allow io_uring")
        raise
    return made


def test_a_ring_holds_a_socket(namespace: DemoNamespace) -> None:
    made = registered(namespace, close=True)
    with Watch(namespace) as watch:
        snapshot = watch.snapshot()
        (row,) = np.flatnonzero(snapshot.sample.sockets.inode == made.inode).tolist()
        watch.request([snapshot.sample.sockets.id(row)])
        (options,) = watch.snapshot().sample.options.values()
    assert (pids(snapshot, row), kind(snapshot, row)) == ([namespace.pid], "process")
    assert note(snapshot, row) == owner.IN_RING
    selection = everything(snapshot)
    (told,) = snapshot_json(selection)["sockets"]
    assert told["owner_note"] == owner.NOTES[owner.IN_RING]
    assert [each["fd"] for each in told["processes"]] == [None]
    out = io.StringIO()
    text.write(selection, out)
    assert f"pid={namespace.pid},io_uring)" in out.getvalue()
    values = [fact.value for fact in facts(selection, row) if fact.name == "process"]
    assert [value.endswith(f"/{namespace.pid} io_uring") for value in values] == [True]
    assert options.why_not == "registered with io_uring: there is no descriptor to ask"


def test_a_descriptor_comes_first(namespace: DemoNamespace) -> None:
    made = registered(namespace, close=False)
    with Watch(namespace) as watch:
        snapshot = watch.snapshot()
    assert [fd for _, fd in snapshot.holders.of(0)] == [made.fd]
    assert note(snapshot, 0) == owner.NONE


def send_away(fd: int) -> None:
    """Put a held socket into the queue of a UNIX socket, and close it."""
    ours, theirs = socket.socketpair()
    _kept.extend((ours, theirs))
    socket.send_fds(ours, [b"x"], [fd])
    held.close(fd)


def receive() -> None:
    ours, theirs = _kept
    assert isinstance(ours, socket.socket)
    assert isinstance(theirs, socket.socket)
    _, (fd,), _, _ = socket.recv_fds(theirs, 1, 1)
    held.hold(socket.socket(fileno=fd))


def test_a_socket_in_flight(namespace: DemoNamespace) -> None:
    made = namespace.run(listening)
    namespace.run(send_away, made.fd)
    with Watch(namespace) as watch:
        snapshot = watch.snapshot()
        assert (pids(snapshot, 0), kind(snapshot, 0)) == ([], "unknown")
        assert note(snapshot, 0) == owner.IN_FLIGHT
        assert snapshot.sample.owners.in_flight[namespace.pid] == 1  # others may have some
        name = snapshot.sample.owners.processes[namespace.pid].name
        told = socket_rows.owner_note(snapshot, 0)
        assert told.startswith(f"{owner.NOTES[owner.IN_FLIGHT]} (")
        assert f"{name} {namespace.pid}: 1" in told
        namespace.run(receive)
        deadline = time.monotonic() + 20
        while not pids(after := watch.snapshot(), 0) and time.monotonic() < deadline:
            time.sleep(0.1)
        assert pids(after, 0) == [namespace.pid]
        assert after.sample.owners.in_flight == {}


def test_each_unix_socket_is_asked_once_and_no_other_one(namespace: DemoNamespace) -> None:
    made = namespace.run(listening)
    namespace.run(send_away, made.fd)
    table = FdTable(namespace.pid, f"/proc/{namespace.pid}/fd", 0)
    assert table.read(frozenset(), 0.0, math.inf)
    nothing = np.zeros(0, np.uint32)
    assert in_flight([table], nothing, math.inf) == {namespace.pid: 1}
    assert in_flight([table] * 2, nothing, math.inf) == {namespace.pid: 1}
    assert in_flight([table], np.sort(table.inodes), math.inf) == {}
