"""Frozen and throttled processes, in control groups of this host."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tcptop.model.sample import Frozen, ProcessFacts
from tcptop.sources import procfs
from tcptop.sources.cgroups import MOUNTS
from tcptop.sources.process_facts import FactsReader
from tcptop.sources.restraints import V2, mounts

PATIENCE_S = 40.0
V1_FREEZER = ("freezer", "freezer.state", "FROZEN", "THAWED")
V2_FREEZER = (V2, "cgroup.freeze", "1", "0")


@contextmanager
def group(hierarchy: str, needs: str) -> Iterator[Path]:
    """A group of this host's with another one below it, both removed at the end."""
    mount = mounts(procfs.read(MOUNTS) or b"").get(hierarchy)
    if mount is None:
        pytest.skip(f"no hierarchy {hierarchy or 'of cgroup v2'} is mounted")
    top = Path(mount.point) / f"tcptop-test-{os.getpid()}"
    below = top / "below"
    below.mkdir(parents=True)
    try:
        if not (top / needs).exists():
            pytest.skip(f"no {needs} in {mount.point}")
        yield top
    finally:
        below.rmdir()
        top.rmdir()


@contextmanager
def running(code: str, into: Path) -> Iterator[int]:
    with subprocess.Popen([sys.executable, "-c", code]) as child:
        (into / "cgroup.procs").write_text(str(child.pid))
        try:
            yield child.pid
        finally:
            child.kill()


def until(reader: FactsReader, pid: int, wanted: str) -> ProcessFacts:
    """The facts as soon as they have that."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        facts = reader.read()[pid]
        if getattr(facts, wanted) is not None:
            return facts
        time.sleep(0.05)
    raise AssertionError(f"{wanted} is not told")


@pytest.mark.parametrize(("hierarchy", "file", "freeze", "thaw"), [V1_FREEZER, V2_FREEZER])
def test_a_frozen_process_says_by_which_group(
    hierarchy: str, file: str, freeze: str, thaw: str
) -> None:
    with (
        group(hierarchy, file) as top,
        running("import time; time.sleep(60)", top / "below") as pid,
    ):
        reader = FactsReader()
        reader.request([pid])
        assert reader.read()[pid].frozen is None
        (top / file).write_text(freeze)
        try:
            assert until(reader, pid, "frozen").frozen == Frozen(str(top / file))
        finally:
            (top / file).write_text(thaw)


def test_a_throttled_process_says_by_which_group_and_how_often() -> None:
    with group("cpu", "cpu.cfs_quota_us") as top, running("while True: pass", top / "below") as pid:
        (top / "cpu.cfs_quota_us").write_text("10000")
        reader = FactsReader()
        reader.request([pid])
        assert reader.read()[pid].throttled is None
        told = until(reader, pid, "throttled").throttled
    assert told is not None
    assert (told.file, told.cores) == (f"{top}/cpu.cfs_quota_us", 0.1)
    assert 1 <= told.throttled <= told.periods
