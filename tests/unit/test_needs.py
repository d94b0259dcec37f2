"""Tests whose programs are missing are skipped by name, and fail where all must run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import needs

ROOT = Path(__file__).parents[2]
TMUX = "tests/unit/test_clipboard.py::test_tmux_takes_it"


def without_programs(*words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """The test of tmux where neither that nor apt-get is found."""
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *words, TMUX]
    environment = {**os.environ, "PATH": "/nowhere", "TCPTOP_TEST_ALL": "", **environ}
    return subprocess.run(
        command, capture_output=True, text=True, cwd=ROOT, env=environment, timeout=100
    )


@pytest.mark.parametrize("workers", ["0", "1"])
def test_the_end_says_what_was_skipped_and_how_to_have_it(workers: str) -> None:
    done = without_programs("-n", workers)
    assert done.returncode == 0, done.stdout
    assert "1 skipped" in done.stdout
    assert f"{TMUX} (1): without tmux: apt-get install tmux" in done.stdout
    why = "only root can install them" if os.geteuid() else "there is no apt-get"
    assert f"packages were not installed: {why}" in done.stdout


def test_where_all_must_run_what_is_missing_is_an_error() -> None:
    done = without_programs(TCPTOP_TEST_ALL="1")
    assert done.returncode == 4
    assert "packages were not installed: " in done.stderr


def test_where_all_must_run_a_skip_fails(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text("from tests.conftest import *\n")
    test = tmp_path / "test_skipped.py"
    test.write_text("import pytest\ndef test_it():\n    pytest.skip('it rains')\n")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", str(test)]
    for everything, status in (("", 0), ("1", 1)):
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "TCPTOP_TEST_ALL": everything}
        done = subprocess.run(
            command, capture_output=True, text=True, env=environment, cwd=tmp_path, timeout=100
        )
        assert (done.returncode, "it rains" in done.stdout) == (status, True)


def test_only_what_the_chosen_tests_run_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(needs, "found", lambda program: False)
    assert needs.packages(["tests/unit"]) == ["fish", "iproute2", "netbase", "tmux", "zsh"]
    assert needs.packages(["tests/unit/test_arrays.py"]) == []
    assert needs.packages(["tests/incidents/test_reading.py"]) == [
        "iproute2",
        "nftables",
        "nginx-light",
        "redis-server",
    ]
    assert needs.packages([""]) == sorted(set(needs.PACKAGES.values()))


def test_a_test_says_what_it_runs() -> None:
    needs.held_to(TMUX, ["/usr/bin/tmux", "-V"])
    with pytest.raises(AssertionError, match=r"does not say that .* runs wrk"):
        needs.held_to(TMUX, ["setpriv", "--", "wrk"])


def test_ci_runs_the_command_of_the_readme() -> None:
    readme, ci = (ROOT / name for name in ("README.md", ".ci/run"))
    (command,) = (line for line in readme.read_text().splitlines() if line.endswith("-m pytest"))
    assert f"  {command}\n" in ci.read_text()
