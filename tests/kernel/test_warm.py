"""A start from the warm process is a start: the same words, exit codes and end."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tcptop.demo.namespace import DemoNamespace
from tests import warm
from tests.tui.terminal import Terminal
from tests.tui.test_driver import environ

TCPTOP = [sys.executable, "-m", "tcptop"]
STARTS: tuple[type[subprocess.Popen[Any]], ...] = (subprocess.Popen, warm.Popen)
TIMES = re.compile(r"\d+([.:]\d+)*")  # and all other numbers of a look


def both(words: list[str], **more: Any) -> list[tuple[int, str, str]]:
    ways = (subprocess.run, warm.run)
    done = [each([*TCPTOP, *words], capture_output=True, text=True, **more) for each in ways]
    return [(each.returncode, each.stdout, each.stderr) for each in done]


@pytest.fixture(autouse=True)
def in_utf8(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise all would be real starts."""
    monkeypatch.setenv("LC_ALL", warm.UTF8)


def test_it_is_forked_as_a_child_of_the_test() -> None:
    with warm.Popen([*TCPTOP, "snapshot", "--over", "60"]) as process:
        words = Path(f"/proc/{process.pid}/cmdline").read_bytes().split(b"\0")
        status = Path(f"/proc/{process.pid}/status").read_text()
        process.kill()
    assert b"tests.warmed" in words
    assert f"PPid:\t{os.getpid()}\n" in status
    assert process.returncode == -signal.SIGKILL


@pytest.mark.parametrize(
    "words",
    [
        ["--help"],
        ["snap"],
        ["snapshot", "bad ="],
        ["snapshot", "-o", "/no/where"],
        ["check", "--config", "/no/such/file"],
        ["diff", "/no/such/file", "/dev/null"],
        ["report", "/dev/null"],
        ["explain", "close-wait-leak"],
        ["demo", "--list"],
        [],
    ],
    ids=" ".join,
)
def test_it_says_the_same(words: list[str]) -> None:
    real, forked = both(words, stdin=subprocess.DEVNULL, start_new_session=True)
    assert real == forked
    assert real[1] or real[2]


@pytest.mark.parametrize("words", [["check", "--over", "0"], ["snapshot", "--format", "csv"]])
def test_it_looks_at_the_same(words: list[str], tmp_path: Path) -> None:
    """From the network namespace, the directory and the environment of who starts it."""
    (tmp_path / "config.toml").write_text("")
    config = ["--config", "config.toml"]
    with DemoNamespace() as namespace, namespace.entered():
        environment = {**os.environ, "COLUMNS": "50"}
        done = both([*words, *config], cwd=tmp_path, env=environment)
    real, forked = ([TIMES.sub("N", str(each)) for each in one] for one in done)
    assert real == forked
    assert real[0] == "N"


def test_it_looks_the_same_on_a_terminal(tmp_path: Path) -> None:
    """Of the help, which no other namespace of a busy host adds a note to."""
    seen = []
    for begin in STARTS:
        known = environ(XDG_STATE_HOME=str(tmp_path))
        words = [*TCPTOP, "--netns", "current", "--config", "/dev/null"]
        with (
            DemoNamespace() as namespace,
            namespace.entered(),
            Terminal(words, known, cwd=tmp_path, begin=begin) as terminal,
        ):
            terminal.wait_for("LIVE")
            terminal.type("?")
            terminal.wait_for("close help")
            lines = [each for each in terminal.lines() if each]
            first = next(n for n, each in enumerate(lines) if "main keys" in each)
            terminal.process.send_signal(signal.SIGHUP)
            seen.append((terminal.wait_exit(), terminal.left_behind(), lines[first : first + 9]))
    assert seen[0] == seen[1]


@pytest.mark.parametrize("more", [{"PYTHONPATH": "/"}, {"LC_ALL": "C"}, {"LC_ALL": "de_DE"}])
def test_another_interpreter_is_a_start_of_its_own(more: dict[str, str]) -> None:
    with warm.Popen([*TCPTOP, "--help"], env={**os.environ, **more}, stdout=-3) as process:
        assert b"tests.warmed" not in Path(f"/proc/{process.pid}/cmdline").read_bytes()
