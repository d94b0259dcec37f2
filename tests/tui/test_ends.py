"""Starts and ends by every signal, at any moment, whatever was typed ahead: no traceback, no abort.

TCPTOP_ENDS is how many, TCPTOP_ENDS_SEED which moments and keys; both are told on failure.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.tui.terminal import Terminal
from tests.tui.test_driver import environ

ENDS = int(os.environ.get("TCPTOP_ENDS", "12"))
SEED = int(os.environ.get("TCPTOP_ENDS_SEED") or time.time())
SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT)  # the last one is last
COMMAND = [sys.executable, "-m", "tcptop", "-i", "0.1", "--config", "/dev/null"]
KEYS = "j2?:o/ts1345678xeXD[]\r"
LATEST_S = 1.2  # by then it has started, sampled and painted


def begun(pid: int) -> bool:
    """Whether the process has its last handler: before that it is Python that begins, which has
    one of its own for SIGINT."""
    status = Path(f"/proc/{pid}/status").read_text()
    caught = int(status.split("SigCgt:")[1].split()[0], 16)
    return bool(caught >> (SIGNALS[-1] - 1) & 1)


def ended(number: signal.Signals, dice: random.Random, home: Path) -> tuple[int, list[str], bytes]:
    """How it ended, what it left of the terminal, and what it wrote."""
    known = environ(XDG_STATE_HOME=str(home))
    with Terminal(COMMAND, known, cwd=home, begin=subprocess.Popen) as terminal:
        pid = terminal.process.pid
        terminal.wait_until(lambda: begun(pid), "begun")
        until = time.monotonic() + dice.random() * LATEST_S
        terminal.wait_until(lambda: time.monotonic() > until, "a random moment")
        terminal.type("".join(dice.choices(KEYS, k=dice.choice([0, 3, 40, 400]))))
        terminal.process.send_signal(number)
        code = terminal.wait_exit()
        return code, terminal.left_behind(), terminal.received


@pytest.mark.timeout(60 + 10 * ENDS)
def test_a_signal_ends_it_at_any_moment(tmp_path: Path) -> None:
    dice = random.Random(SEED)
    for turn in range(ENDS):
        number = SIGNALS[turn % len(SIGNALS)]
        code, left, received = ended(number, dice, tmp_path)
        told = f"TCPTOP_ENDS={turn + 1} TCPTOP_ENDS_SEED={SEED} {number.name}"
        status = 0 if number == signal.SIGINT else 128 + number  # as ^C before there is a screen
        assert (code, left) == (status, []), (told, received[-2000:])
        assert b"Traceback" not in received, (told, received[-2000:])
        assert b"terminate" not in received, (told, received[-2000:])


BUSY = """
import numpy, pathlib
from tcptop.sources import live
real, taken = live.LiveSource.sample, []
def sample(self):
    taken.append(1)
    numbers = numpy.random.randint(0, 1 << 40, 5000)
    while len(taken) > 2:
        numpy.argsort(numbers), numpy.sort(numbers), numpy.unique(numbers)
        pathlib.Path("busy").touch()
    return real(self)
live.LiveSource.sample = sample
"""


def test_quitting_amidst_a_sample_does_not_abort(tmp_path: Path) -> None:
    """Python ends daemon threads by unwinding them, which numpy's C++ answers with an abort."""
    (tmp_path / "sitecustomize.py").write_text(BUSY)
    path, busy = f"{tmp_path}:{environ()['PYTHONPATH']}", tmp_path / "busy"
    known = environ(XDG_STATE_HOME=str(tmp_path), PYTHONPATH=path)
    for _ in range(6):
        busy.unlink(missing_ok=True)
        with Terminal(COMMAND, known, cwd=tmp_path) as terminal:
            terminal.wait_until(busy.exists, "busy")
            terminal.type("q")
            assert (terminal.wait_exit(), terminal.left_behind()) == (0, [])
            assert b"terminate" not in terminal.received
