"""`tcptop demo`: its list, and the live view that finds the trouble on a stage gone with it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from tcptop.demo.held import until
from tcptop.demo.scenarios import scenarios
from tests.tui.terminal import Terminal

COMMAND = [sys.executable, "-m", "tcptop", "demo"]


def listed(*words: str) -> dict[str, str]:
    """Scenario -> story."""
    command = [*COMMAND, "--list", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stderr) == (0, "")
    return dict(line.split(maxsplit=1) for line in done.stdout.splitlines())


def test_the_list_tells_every_story() -> None:
    assert listed() == {id: scenario.story for id, scenario in scenarios().items()}
    assert list(listed("fd-limit", "black-hole")) == ["fd-limit", "black-hole"]


def test_the_stage_is_gone_with_the_view(tmp_path: Path) -> None:
    said = tmp_path / "stderr"
    environ = {**os.environ, "TERM": "xterm", "HOME": ""}
    command = [*COMMAND, "close-wait-leak"]
    with Terminal(command, environ, (120, 40), redirect={2: str(said)}) as terminal:
        terminal.wait_for("demo, netns ")
        terminal.wait_for("leaks sockets")  # after 5 s: its threshold is lowered
        (pid,) = re.findall(r"demo, netns (\d+)", terminal.lines()[0])
        assert Path(f"/proc/{pid}").exists()
        terminal.type("q")
        assert terminal.wait_exit() == 0
    until(lambda: not Path(f"/proc/{pid}").exists(), "the stage to go")
    assert "close-wait-leak.age_s=" in said.read_text()
