"""What fails beside others is told, and has failed unless it passes by itself."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import alone

ROOT = Path(__file__).parents[2]
BESIDE = """
import os
def test_it():
    assert "PYTEST_XDIST_WORKER" not in os.environ, "too late"
"""
ALWAYS = BESIDE.replace('"PYTEST_XDIST_WORKER" not in os.environ', "False")


@pytest.mark.parametrize(
    ("place", "text", "status"),
    [("kernel", BESIDE, 0), ("kernel", ALWAYS, 1), ("unit", BESIDE, 1)],
)
def test_it_is_tried_once_more(tmp_path: Path, place: str, text: str, status: int) -> None:
    test = tmp_path / "tests" / place / "test_timed.py"
    test.parent.mkdir(parents=True)
    test.write_text(text)
    (tmp_path / "conftest.py").write_text("from tests.conftest import *\n")
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")}
    environment |= {"PYTHONPATH": str(ROOT), "TCPTOP_TEST_COUNT": ""}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-n", "1", str(test)]
    done = subprocess.run(
        command, capture_output=True, text=True, env=environment, cwd=tmp_path, timeout=100
    )
    assert done.returncode == status, done.stdout + done.stderr
    assert "too late" in done.stdout
    assert ("1 passed" in done.stdout) == (status == 0)


@pytest.mark.parametrize(
    ("names", "workers", "tried"),
    [
        (["tests/kernel/test_x.py::a"], 3, True),
        (["tests/kernel/test_x.py::a"], 0, False),
        (["tests/kernel/test_x.py::a"], None, False),
        ([], 3, False),
        ([f"tests/kernel/test_x.py::{n}" for n in range(alone.FEW + 1)], 3, False),
        (["tests/kernel/test_x.py::a", "tests/unit/test_y.py::b"], 3, False),
    ],
)
def test_a_few_that_ran_beside_others(
    monkeypatch: pytest.MonkeyPatch, names: list[str], workers: int | None, tried: bool
) -> None:
    monkeypatch.delenv(alone.ALONE, raising=False)
    assert alone.may_be_tried(names, workers) == tried
    monkeypatch.setenv(alone.ALONE, "1")
    assert not alone.may_be_tried(names, workers)
