"""A start from the warm process is a start: the same words, exit codes and end."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tcptop.demo.namespace import DemoNamespace
from tests import warm
from tests.tui.terminal import Terminal
from tests.tui.test_driver import environ

TCPTOP = [sys.executable, "-m", "tcptop"]
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


def help_of(terminal: Terminal) -> list[str]:
    """Its main keys, once all of them are there."""
    lines = [each for each in terminal.lines() if each]
    ends = [n for n, each in enumerate(lines) if "main keys" in each or "All commands" in each]
    return lines[ends[0] : ends[1]] if len(ends) == 2 else []


def helped(begin: type[subprocess.Popen[Any]], home: Path, before: list[str]) -> list[str]:
    """The help of the live view, which no other namespace of the host adds a note to."""
    words = [*TCPTOP, "--netns", "current", "--config", "/dev/null"]
    known = environ(XDG_STATE_HOME=str(home))
    with (
        DemoNamespace() as namespace,
        namespace.entered(),
        Terminal(words, known, cwd=home, begin=begin) as terminal,
    ):
        terminal.wait_for("LIVE")
        terminal.type("?")
        terminal.wait_until(lambda: len(help_of(terminal)) > 12, "helped")
        painted = time.monotonic() + 1.0
        terminal.wait_until(lambda: time.monotonic() > painted, "painted")
        terminal.wait_until(lambda: not before or help_of(terminal) == before, "the same")
        shown = help_of(terminal)
        terminal.process.send_signal(signal.SIGHUP)
        assert (terminal.wait_exit(), terminal.left_behind()) == (128 + signal.SIGHUP, [])
    return shown


def test_it_looks_the_same_on_a_terminal(tmp_path: Path) -> None:
    real = helped(subprocess.Popen, tmp_path, [])
    assert helped(warm.Popen, tmp_path, real) == real


@pytest.mark.parametrize("more", [{"PYTHONPATH": "/"}, {"LC_ALL": "C"}, {"LC_ALL": "de_DE"}])
def test_another_interpreter_is_a_start_of_its_own(more: dict[str, str]) -> None:
    with warm.Popen([*TCPTOP, "--help"], env={**os.environ, **more}, stdout=-3) as process:
        assert b"tests.warmed" not in Path(f"/proc/{process.pid}/cmdline").read_bytes()
