"""Holders of sockets, against ss and against a plain walk through /proc."""

import math
import os
import random
import resource
import signal
import socket
import sys
import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

from tcptop.demo import linux
from tcptop.demo.held import HeldSockets, close, get, hold
from tcptop.demo.namespace import DemoNamespace
from tcptop.demo.sockets import connected, listening
from tcptop.model.sample import Owners
from tcptop.model.table import U32
from tcptop.sources import owners as owners_module
from tcptop.sources.owners import LOOK_S, SMALL, WHOLE_S, OwnerFinder
from tcptop.sources.processes import ProcessReader
from tests.kernel.nobody import as_nobody
from tests.kernel.owners import share_by_message
from tests.kernel.ss import ss_rows
from tests.kernel.zoo import Zoo

Row = tuple[int, int, int]  # inode, pid, descriptor


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def rows(owners: Owners) -> list[Row]:
    columns = owners.inodes.tolist(), owners.pids.tolist(), owners.fds.tolist()
    return list(zip(*columns, strict=True))


def array(*inodes: int) -> U32:
    return np.array(inodes, np.uint32)


def truth(inodes: set[int], pids: list[int]) -> list[Row]:
    """Every descriptor of these processes that is one of the sockets, the plain way."""
    found = []
    for pid in pids:
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            link = os.readlink(entry)
            if link.startswith("socket:[") and int(link[8:-1]) in inodes:
                found.append((int(link[8:-1]), pid, int(entry.name)))
    return sorted(found)


def fork_here() -> int:
    """A child with a copy of every descriptor of the holder."""
    pid = os.fork()
    if pid == 0:
        linux.die_with_parent()
        while True:
            signal.pause()
    return pid


def end(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def double(fd: int) -> int:
    return hold(get(fd).dup()).fd


def many(count: int) -> list[HeldSockets]:
    return [listening(port=0) for _ in range(count)]


def start_thread() -> int:
    threading.Thread(target=signal.pause, daemon=True).start()
    return threading.active_count()


def fork_without_end() -> int:
    """A child whose own children end as soon as they are made."""
    pid = os.fork()
    if pid == 0:
        linux.die_with_parent()
        while True:
            if os.fork() == 0:
                os._exit(0)
            os.wait()
    return pid


def test_agrees_with_ss(zoo: Zoo) -> None:
    seen = ss_rows(zoo.namespace)
    expected = {(row.inode, pid, fd) for row in seen for _, pid, fd in row.users}
    owners = OwnerFinder().find(array(*(row.inode or 0 for row in seen)))
    assert len(expected) > 50
    assert set(rows(owners)) == expected
    assert rows(owners) == sorted(expected)
    names = {(pid, name) for row in seen for name, pid, _ in row.users}
    assert {(pid, owners.processes[pid].name) for pid, _ in names} == names


def test_every_holder_of_a_shared_socket(namespace: DemoNamespace) -> None:
    held = namespace.run(listening)
    clock = Clock()
    finder = OwnerFinder(clock=clock)
    assert rows(finder.find(array(held.inode))) == [(held.inode, held.pid, held.fd)]
    again = namespace.run(double, held.fd)
    child = namespace.run(fork_here)
    expected = [(held.inode, pid, fd) for pid in (held.pid, child) for fd in (held.fd, again)]
    assert in_time(finder, clock, held.inode, sorted(expected))
    namespace.run(end, child)
    namespace.run(close, again)
    assert in_time(finder, clock, held.inode, [(held.inode, held.pid, held.fd)])


def in_time(finder: OwnerFinder, clock: Clock, inode: int, expected: list[Row]) -> bool:
    """A table that has by chance as many descriptors as when it was read, as where the process had
    one more for a moment, is read again with all others."""
    for _ in range(math.ceil((WHOLE_S + 1) / LOOK_S)):
        clock.now += LOOK_S
        if rows(finder.find(array(inode))) == expected:
            return True
    return False


def test_a_passed_socket_has_both_holders(namespace: DemoNamespace) -> None:
    held = namespace.run(listening)
    clock = Clock()
    finder = OwnerFinder(clock=clock)
    assert rows(finder.find(array(held.inode))) == [(held.inode, held.pid, held.fd)]
    clock.now += LOOK_S
    other = namespace.run(share_by_message, held.fd)
    expected = truth({held.inode}, [held.pid, other])
    assert {pid for _, pid, _ in expected} == {held.pid, other}
    assert rows(finder.find(array(held.inode))) == expected
    namespace.run(end, other)


def test_processes_that_come_and_go_do_no_harm(namespace: DemoNamespace) -> None:
    held = namespace.run(listening)
    other = namespace.helper()
    busy = other.run(fork_without_end)
    finder = OwnerFinder()
    for unknown in range(1, 100):
        assert (held.inode, held.pid, held.fd) in rows(finder.find(array(held.inode, unknown)))
    other.run(end, busy)


def test_threads_are_not_processes(namespace: DemoNamespace) -> None:
    held = namespace.run(listening)
    assert namespace.run(start_thread) > 1
    assert rows(OwnerFinder().find(array(held.inode))) == [(held.inode, held.pid, held.fd)]


def test_zero_and_repeated_inodes(namespace: DemoNamespace) -> None:
    held = namespace.run(listening)
    owners = OwnerFinder().find(array(held.inode, 0, held.inode, 0))
    assert rows(owners) == [(held.inode, held.pid, held.fd)]
    assert rows(OwnerFinder().find(array())) == []


def test_a_socket_that_took_the_place_of_another(namespace: DemoNamespace) -> None:
    """The number of descriptors says nothing then."""
    first = namespace.run(listening)
    finder = OwnerFinder()
    finder.find(array(first.inode))
    namespace.run(close, first.fd)
    second = namespace.run(listening)
    assert second.fd == first.fd
    assert rows(finder.find(array(second.inode))) == [(second.inode, second.pid, second.fd)]


def test_a_large_table_is_followed(namespace: DemoNamespace) -> None:
    held = namespace.run(many, SMALL + 100)
    clock = Clock()
    finder = OwnerFinder(clock=clock)
    inodes = {each.inode for each in held}
    assert rows(finder.find(array(*inodes))) == truth(inodes, [namespace.pid])
    for _ in range(3):
        clock.now += 1
        for gone in held[-20:]:
            namespace.run(close, gone.fd)
        held = held[:-20] + namespace.run(many, 19)
        inodes = {each.inode for each in held}
        assert rows(finder.find(array(*inodes))) == truth(inodes, [namespace.pid])


@pytest.mark.parametrize(("counts", "polls"), [(True, 4), (False, 8)])
def test_random_churn_is_seen_within_a_few_polls(
    namespace: DemoNamespace, monkeypatch: pytest.MonkeyPatch, counts: bool, polls: int
) -> None:
    """Whatever processes do to their sockets, all of it is known a few seconds later.

    Kernels before 6.2 do not count descriptors.
    """
    monkeypatch.setattr(owners_module, "_kernel_counts", lambda _: counts)
    random_ = random.Random(4)
    clock = Clock()
    finder = OwnerFinder(clock=clock)
    held = [namespace.run(listening)]
    children: list[int] = []
    inodes: set[int] = set()

    def open_one() -> None:
        held.append(namespace.run(listening))

    def close_one() -> None:
        if len(held) > 1:
            namespace.run(close, held.pop(random_.randrange(len(held))).fd)

    def swap_one() -> None:
        close_one()
        open_one()

    def fork_one() -> None:
        children.append(namespace.run(fork_here))

    def end_one() -> None:
        if children:
            namespace.run(end, children.pop(random_.randrange(len(children))))

    actions: list[Callable[[], None]] = [open_one, close_one, swap_one, fork_one, end_one]
    for _ in range(60):
        random_.choice(actions)()
        inodes |= {each.inode for each in held}
        for _ in range(polls):
            clock.now += 1
            found = rows(finder.find(array(*inodes)))
        assert found == truth(inodes, [namespace.pid, *children])


def test_a_search_in_vain_is_repeated_later_and_later() -> None:
    clock = Clock()
    finder = OwnerFinder(clock=clock)
    assert finder.find(array(1)).complete  # no socket's number: searched for everywhere
    turns = []
    for _ in range(200):
        clock.now += 1
        before = finder._vain._turns.copy()
        finder.find(array(1))
        if (finder._vain._turns != before).any():
            turns.append(clock.now - 1000)
    assert turns == [1, 3, 7, 15, 31, 63, 123, 183]


def test_a_spent_budget_is_told_and_the_rest_comes_later(namespace: DemoNamespace) -> None:
    held = namespace.run(many, 3 * SMALL)
    inodes = {each.inode for each in held}
    finder = OwnerFinder(budget_s=0.0)
    first = finder.find(array(*inodes))
    assert not first.complete
    assert len(first.inodes) < len(inodes)
    for _ in range(200):
        owners = finder.find(array(*inodes))
        if owners.complete:
            break
    assert rows(owners) == truth(inodes, [namespace.pid])


def test_what_is_urgent_is_read_before_what_is_small() -> None:
    """Where a search has time for a part of a table in a turn: the largest is the first then."""
    with ExitStack() as stack:
        spaces = [stack.enter_context(DemoNamespace()) for _ in range(3)]
        held = [space.run(many, (2 + at) * SMALL) for at, space in enumerate(spaces)]
        inodes = array(*(each.inode for sockets in held for each in sockets))
        pids = [space.pid for space in spaces]
        for first, last in ((frozenset[int](), pids), (frozenset({pids[-1]}), pids[-1:])):
            finder = OwnerFinder(budget_s=0.0)
            found: set[int] = set()
            while pids[-1] not in found:
                found = set(finder.find(inodes, first=first).pids.tolist())
            assert found == set(last)


def test_pid_used_again_is_another_process(namespace: DemoNamespace) -> None:
    held = namespace.run(listening)
    finder = OwnerFinder()
    finder.find(array(held.inode))
    table = finder._tables[held.pid]
    table.identity += 1  # what a new process with this pid would differ in
    table.inodes, table.fds = array(7), np.array([7])
    assert rows(finder.find(array(held.inode))) == [(held.inode, held.pid, held.fd)]


def _search_as_nobody(inode: int) -> tuple[list[Row], int, frozenset[int], list[Row]]:
    with socket.create_server(("127.0.0.1", 0)) as own:
        mine = os.fstat(own.fileno()).st_ino
        owners = OwnerFinder().find(array(inode, mine))
        expected = [(mine, os.getpid(), own.fileno())]
    return rows(owners), owners.unreadable, owners.unreadable_uids, expected


def test_what_another_user_may_see(namespace: DemoNamespace) -> None:
    held = namespace.run(listening)
    foreign = held.inode if os.getuid() == 0 else 0  # without root, it is ours
    found, unreadable, uids, expected = as_nobody(_search_as_nobody, foreign)
    assert found == expected
    assert unreadable > 0
    assert 0 in uids


def test_facts_of_a_process(namespace: DemoNamespace) -> None:
    held = namespace.run(listening)
    process = OwnerFinder().find(array(held.inode)).processes[held.pid]
    assert process.pid == held.pid
    assert process.uid == os.getuid()
    assert process.netns == namespace.inode
    assert process.open_fds == len(os.listdir(f"/proc/{held.pid}/fd"))
    assert process.cmdline == " ".join(sys.orig_argv)  # a fork has that of its parent
    assert process.start_time > 0
    assert process.fd_limit == namespace.run(soft_limit)


def soft_limit() -> int:
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def test_any_bytes_are_a_name(namespace: DemoNamespace) -> None:
    namespace.run(linux.set_name, b"\xff) S 1\x1b[1m\n")
    process = ProcessReader().get(namespace.pid)
    assert process
    assert process.name == "\ufffd) S 1\x1b[1m\n"
    stat = Path(f"/proc/{namespace.pid}/stat").read_bytes()
    assert process.start_time == int(stat.rsplit(b")", 1)[1].split()[19])


def test_a_new_name_is_seen_at_once(namespace: DemoNamespace) -> None:
    processes = ProcessReader()
    assert processes.get(namespace.pid)
    namespace.run(linux.set_name, b"renamed")
    process = processes.get(namespace.pid)
    assert process
    assert process.name == "renamed"


def test_open_descriptors_are_counted_anew(namespace: DemoNamespace) -> None:
    processes = ProcessReader()
    before = processes.get(namespace.pid)
    namespace.run(many, 3)
    after = processes.get(namespace.pid)
    assert before
    assert after
    assert before.open_fds is not None
    assert after.open_fds == before.open_fds + 3


def test_an_ended_process_has_no_facts(namespace: DemoNamespace) -> None:
    processes = ProcessReader()
    child = namespace.run(fork_here)
    assert processes.get(child)
    namespace.run(end, child)
    assert processes.get(child) is None
    assert ProcessReader().get(child) is None


def test_connection_of_two_processes(namespace: DemoNamespace) -> None:
    server, other = namespace.run(listening), namespace.helper()
    client = other.run(connected, "127.0.0.1", server.local[1])
    owners = OwnerFinder().find(array(server.inode, client.inode))
    assert rows(owners) == sorted((each.inode, each.pid, each.fd) for each in (server, client))
    assert set(owners.processes) == {server.pid, client.pid}
