"""What nobody expects is one line and the contract's exit code: no memory, no disk, a bug."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.test_world_streams import TCPTOP, shell

CODES = {"check --over 0": 3, "snapshot": 1}
A_BUG = """
from tcptop.sources import live
def sample(self):
    raise KeyError("a bug\\n\\x1b[31m")
live.LiveSource.sample = sample
"""


def told(done: subprocess.CompletedProcess[str], words: str) -> str:
    """The one line on stderr, which `check` has on stdout too; without what begins it."""
    assert done.returncode == CODES[words], done
    assert done.stderr.startswith("tcptop: ")
    assert done.stderr.count("\n") == 1
    assert done.stderr.rstrip("\n").isprintable()
    why = done.stderr.removeprefix("tcptop: ")
    assert done.stdout == (f"TCPTOP UNKNOWN: {why}" if words.startswith("check") else "")
    return why.rstrip("\n")


@pytest.mark.parametrize("words", CODES)
@pytest.mark.parametrize("kilobytes", [40_000, 80_000, 100_000])
def test_no_memory(words: str, kilobytes: int) -> None:
    """Too little for numpy, and for its OpenBLAS, which ends the process by itself with 1."""
    done = shell(f"ulimit -v {kilobytes}; {TCPTOP} {words}")
    assert told(done, words) == f"{words.split()[0]}: out of memory"


@pytest.mark.parametrize("words", CODES)
def test_a_bug(words: str, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(A_BUG)
    done = shell(f"PYTHONPATH={tmp_path} {TCPTOP} {words}")
    name = words.split()[0]
    assert told(done, words).startswith(f"{name}: unexpected KeyError: ")
    assert "(sitecustomize.py:4)" in done.stderr


@pytest.mark.parametrize("words", CODES)
def test_a_full_disk_behind_stderr(words: str) -> None:
    done = shell(f"{TCPTOP} {words} --config /no/such/file 2>/dev/full")
    assert done.returncode == CODES[words]
    said = "TCPTOP UNKNOWN: /no/such/file: No such file or directory\n"
    assert done.stdout == (said if words.startswith("check") else "")


@pytest.mark.parametrize("words", CODES)
def test_a_full_disk_behind_both(words: str) -> None:
    done = shell(f"{TCPTOP} {words} --config /no/such/file >/dev/full 2>/dev/full")
    assert done.returncode == CODES[words]


@pytest.mark.parametrize("words", CODES)
def test_configurations_that_are_none(words: str, tmp_path: Path) -> None:
    fifo, nested, long = (tmp_path / name for name in ("fifo", "nested.toml", "long.toml"))
    os.mkfifo(fifo)
    nested.write_text("a = " + "[" * 500 + "]" * 500)
    long.write_text("#" * (1 << 20) + "\n")
    for path, why in (
        ("/dev/zero", "not a regular file"),
        (fifo, "not a regular file"),
        (tmp_path, "Is a directory"),
        ("/proc/self/mem", "Input/output error"),
        (nested, "nested too deeply"),
        (long, "longer than 1 MiB"),
    ):
        assert told(shell(f"{TCPTOP} {words} --config {path}"), words) == f"{path}: {why}"


def test_dev_null_is_no_configuration() -> None:
    assert shell(f"{TCPTOP} snapshot --config /dev/null --limit 0").returncode == 0


@pytest.mark.parametrize("words", ["--help", "--version", "snapshot --help", "explain"])
def test_a_full_disk_that_takes_nothing_at_once(words: str) -> None:
    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} -u -m tcptop {words} >/dev/full"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
