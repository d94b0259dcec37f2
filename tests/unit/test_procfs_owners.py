"""The search for owners where the kernel does not count descriptors (before 6.2)."""

import os
from pathlib import Path

import numpy as np
import pytest

from tcptop.model.sample import Owners
from tcptop.sources.owners import WHOLE_S, WHOLE_UNCOUNTED_S, KernelThreads, OwnerFinder

Row = tuple[int, int, int]


class OldProc:
    """A /proc of plain files. It has no `self`, so that no size is taken for a count."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.now = 100.0
        self.finder = OwnerFinder(str(path), clock=lambda: self.now)

    def process(self, pid: int, **links: str) -> None:
        directory = self.path / str(pid)
        (directory / "fd").mkdir(parents=True)
        (directory / "comm").write_text(f"name{pid}\n")
        (directory / "stat").write_bytes(b"%d (x) S " % pid + b"5 " * 40)
        for name, target in links.items():
            self.link(pid, name.removeprefix("fd"), target)

    def link(self, pid: int, name: str, target: str) -> None:
        (self.path / str(pid) / "fd" / name).symlink_to(target)

    def unlink(self, pid: int, name: str) -> None:
        (self.path / str(pid) / "fd" / name).unlink()

    def find(self, *inodes: int) -> list[Row]:
        return rows(self.finder.find(np.array(inodes, np.uint32)))


def rows(owners: Owners) -> list[Row]:
    columns = owners.inodes.tolist(), owners.pids.tolist(), owners.fds.tolist()
    return list(zip(*columns, strict=True))


@pytest.fixture
def old(tmp_path: Path) -> OldProc:
    return OldProc(tmp_path)


def test_only_wanted_sockets_come_sorted(old: OldProc) -> None:
    old.process(30, fd9="socket:[8]", fd10="socket:[7]", fd1="/dev/null", fd2="pipe:[7]")
    old.process(4, fd3="socket:[8]", fd4="socket:[99]", fd5="anon_inode:[eventpoll]")
    assert old.find(8, 7) == [(7, 30, 10), (8, 4, 3), (8, 30, 9)]
    assert old.find(99) == [(99, 4, 4)]


def test_a_new_socket_is_found(old: OldProc) -> None:
    old.process(4, fd3="socket:[8]")
    assert old.find(8) == [(8, 4, 3)]
    old.link(4, "4", "socket:[9]")
    old.now += 1
    assert old.find(8, 9) == [(8, 4, 3), (9, 4, 4)]


def test_a_holder_that_closed_its_copy_is_forgotten(old: OldProc) -> None:
    old.process(4, fd3="socket:[8]")
    old.process(5, fd3="socket:[8]")
    assert old.find(8) == [(8, 4, 3), (8, 5, 3)]
    old.unlink(4, "3")
    old.now += WHOLE_UNCOUNTED_S + 1
    assert old.find(8) == [(8, 5, 3)]


def test_no_reading_while_nothing_is_missing(old: OldProc) -> None:
    old.process(4, fd3="socket:[8]")
    assert old.find(8) == [(8, 4, 3)]
    old.unlink(4, "3")
    old.now += 1
    assert old.find(8) == [(8, 4, 3)]  # as it was last read


def test_processes_of_holders_only(old: OldProc) -> None:
    old.process(4, fd3="socket:[8]")
    old.process(5, fd3="socket:[9]")
    owners = old.finder.find(np.array([8], np.uint32))
    assert {pid: process.name for pid, process in owners.processes.items()} == {4: "name4"}
    assert owners.processes[4].open_fds is not None


def test_an_ended_process_holds_nothing(old: OldProc) -> None:
    old.process(4, fd3="socket:[8]")
    assert old.find(8) == [(8, 4, 3)]
    os.rename(old.path / "4", old.path / "gone")
    assert old.find(8) == []


def test_a_process_that_ends_during_the_search_has_no_rows(old: OldProc) -> None:
    old.process(4, fd3="socket:[8]")
    (old.path / "4" / "stat").unlink()
    assert old.find(8) == []


def test_no_proc_at_all(tmp_path: Path) -> None:
    owners = OwnerFinder(str(tmp_path / "none")).find(np.array([8], np.uint32))
    assert rows(owners) == []
    assert owners.complete


def test_a_pid_of_a_kernel_thread_is_another_process_s_later(tmp_path: Path) -> None:
    for pid, flags in ((2, 2129984), (812, 4194560)):
        (tmp_path / str(pid)).mkdir()
        stat = f"{pid} (x) S 0 0 0 0 -1 {flags} 0 0"
        (tmp_path / str(pid) / "stat").write_text(stat)
    threads = KernelThreads(str(tmp_path))
    for pid in (2, 812, 900):
        threads.add_if(pid)
    assert threads.others([2, 812, 900], 0.0) == [2, 812, 900]  # what was known before is forgotten
    threads.add_if(2)
    assert threads.others([2, 812], 1.0) == [812]
    assert threads.others([812], 2.0) == [812]  # it has ended
    assert threads.others([2, 812], 3.0) == [2, 812]
    threads.add_if(2)
    assert threads.others([2, 812], WHOLE_S + 1) == [2, 812]
