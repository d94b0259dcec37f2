"""Sockets of threads: in a descriptor table of their own, or of a process whose first has ended."""

import ctypes
import os
import signal
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from tcptop.demo import held, linux
from tcptop.demo.held import HeldSockets
from tcptop.demo.namespace import DemoNamespace
from tcptop.demo.sockets import listening
from tcptop.model.sample import Owners
from tcptop.model.table import U32
from tcptop.sources import threads
from tcptop.sources.owners import OwnerFinder
from tests.kernel.snapshots import Watch, kind, pids, row_of

CLONE_FILES = 0x400  # linux/sched.h
RELEASE = tuple(int(part) for part in os.uname().release.split(".")[:2])


def array(*inodes: int) -> U32:
    return np.array(inodes, np.uint32)


def rows(owners: Owners) -> list[tuple[int, int, int]]:
    columns = owners.inodes.tolist(), owners.pids.tolist(), owners.fds.tolist()
    return list(zip(*columns, strict=True))


def wait_in_a_thread() -> None:
    threading.Thread(target=signal.pause, daemon=True).start()


def listening_in_own_table() -> HeldSockets:
    """A socket of a thread that has left the table of its process."""
    made: list[HeldSockets] = []
    there = threading.Event()

    def work() -> None:
        linux.unshare(CLONE_FILES)
        made.append(listening(port=0))
        there.set()
        signal.pause()

    threading.Thread(target=work, daemon=True).start()
    assert there.wait(20)
    return made[0]


def fork_and_leave_a_thread() -> int:
    """A child with a copy of every descriptor, whose first thread has ended."""
    pid = os.fork()
    if pid == 0:
        linux.die_with_parent()
        wait_in_a_thread()
        ctypes.CDLL(None).pthread_exit(None)
    held.until(lambda: b") Z " in Path(f"/proc/{pid}/stat").read_bytes(), "the thread's end")
    return pid


def end(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def test_a_table_of_its_own(namespace: DemoNamespace) -> None:
    plain = namespace.run(listening)
    namespace.run(wait_in_a_thread)
    made = namespace.run(listening_in_own_table)
    finder = OwnerFinder()
    for _ in range(2):
        owners = finder.find(array(plain.inode, made.inode))
        assert rows(owners) == sorted((e.inode, e.pid, e.fd) for e in (plain, made))
        assert [*owners.threads] == [made.inode]
        tid, fd = owners.threads[made.inode]
        assert os.readlink(f"/proc/{tid}/fd/{fd}") == f"socket:[{made.inode}]"
    namespace.close()
    assert rows(finder.find(array(made.inode))) == []


@pytest.mark.skipif(RELEASE < (6, 9), reason="no descriptor of a thread before Linux 6.9")
def test_its_options(namespace: DemoNamespace) -> None:
    """And not those of what the process has under the same number."""
    namespace.run(listening)
    made = namespace.run(listening_in_own_table)
    with Watch(namespace) as watch:
        table = watch.snapshot().sample.sockets
        id = table.id(row_of(table, made))
        watch.request([id])
        options = watch.snapshot().sample.options[id]
    assert (options.why_not, options.reuseaddr) == ("", True)


def test_an_ended_first_thread(namespace: DemoNamespace) -> None:
    made = namespace.run(listening)
    child = namespace.run(fork_and_leave_a_thread)
    namespace.run(held.close, made.fd)
    with Watch(namespace) as watch:
        for _ in range(2):
            snapshot = watch.snapshot()
            row = row_of(snapshot.sample.sockets, made)
            assert (kind(snapshot, row), pids(snapshot, row)) == ("process", [child])
            process = snapshot.sample.owners.processes[child]
            assert process.cmdline == " ".join(sys.orig_argv)
            assert process.netns == namespace.inode
            assert process.open_fds
        namespace.run(end, child)
        assert made.inode not in watch.snapshot().sample.sockets.inode.tolist()


def test_threads_are_compared_only_for_what_is_missing(
    namespace: DemoNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared: list[int] = []
    compare = threads._compare

    def counting(one: int, other: int) -> int:
        compared.append(one)
        return compare(one, other)

    monkeypatch.setattr(threads, "_compare", counting)
    made = namespace.run(listening)
    namespace.run(wait_in_a_thread)
    finder = OwnerFinder()
    assert finder.find(array(made.inode)).complete
    assert not compared
    assert finder.find(array(made.inode, 1)).complete
    assert compared


def test_a_search_without_time_goes_on_where_it_was(namespace: DemoNamespace) -> None:
    made = namespace.run(listening_in_own_table)
    tables = threads.ThreadTables()
    searches = 1
    while not tables.search(deadline=0.0):
        searches += 1
    assert searches > 1
    assert [table.pid for table in tables if table.pid == made.pid] == [made.pid]
