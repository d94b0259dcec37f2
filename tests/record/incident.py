"""A calm host, then an incident of the demo on it: recorded once for all tests of a run."""

from __future__ import annotations

import sys
import time
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import NamedTuple

from tcptop.demo.scenarios import choose
from tcptop.demo.stage import Stage
from tcptop.dispatch import dispatch
from tests import warm

SCENARIO = "accept-queue-overflow"
CALM_S, TROUBLE_S = 2.0, 6.0
INTERVAL = "0.25"
NO_CONFIG = ("--config", "/dev/null")


def record(path: Path) -> None:
    """So many seconds of each; the trouble is there at the end."""
    with Stage(()) as stage:
        words = ["record", str(path), "--netns", str(stage.pid), "-i", INTERVAL, *NO_CONFIG]
        with warm.Popen([sys.executable, "-m", "tcptop", *words]) as recorder:
            wait_for_a_sample(path)
            time.sleep(CALM_S)
            stage.add(choose([SCENARIO])[0])
            time.sleep(TROUBLE_S)
            recorder.terminate()
        assert recorder.returncode == 0


def wait_for_a_sample(path: Path) -> None:
    end = time.monotonic() + 60
    while not path.exists() or not path.stat().st_size:
        assert time.monotonic() < end
        time.sleep(0.05)


class Done(NamedTuple):
    returncode: int
    stdout: str
    stderr: str


def run(*words: object) -> Done:
    """A command in this process: to start others takes longer than all that they do."""
    out, error = StringIO(), StringIO()
    with redirect_stdout(out), redirect_stderr(error):
        code = dispatch([*map(str, words), *NO_CONFIG])
    return Done(code, out.getvalue(), error.getvalue())
