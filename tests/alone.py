"""What failed beside other tests is tried once more by itself, and both are told.

The kernel's clocks go on while a busy machine does not let a test look: a construction that was
looked at too late has failed for what it was not made to show. What also fails alone has failed,
and so has a unit test, which waits for nobody, or more than a few.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

FEW = 12  # one construction that was looked at too late fails up to four tests
ALONE = "TCPTOP_TEST_ALONE"
UNIT = "tests/unit/"


def failed(reporter: pytest.TerminalReporter) -> list[str]:
    """Names of tests, each once."""
    reports = [*reporter.stats.get("failed", []), *reporter.stats.get("error", [])]
    return list(dict.fromkeys(each.nodeid for each in reports))


def may_be_tried(names: list[str], workers: int | None) -> bool:
    """Only what ran beside others."""
    waiting = all(name.startswith("tests/") and not name.startswith(UNIT) for name in names)
    return bool(workers) and 0 < len(names) <= FEW and waiting and ALONE not in os.environ


def try_alone(reporter: pytest.TerminalReporter) -> bool:
    """Whether all that failed passes by itself; False where it was not tried."""
    names = failed(reporter)
    if not may_be_tried(names, reporter.config.getoption("numprocesses", None)):
        return False
    reporter.section("what failed beside other tests, alone")
    for name in names:
        reporter.write_line(name)
    environment = {**os.environ, ALONE: "1"}
    environment.pop("TCPTOP_TEST_COUNT", None)
    command = [sys.executable, "-m", "pytest", "-n", "0", *names]
    done = subprocess.run(command, env=environment, check=False, capture_output=True, text=True)
    reporter.write(done.stdout + done.stderr)
    return done.returncode == 0
