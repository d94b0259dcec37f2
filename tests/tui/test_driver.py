"""Whatever ends the live view, the terminal is left as it was found."""

from __future__ import annotations

import os
import re
import select
import signal
import sys
import termios
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.tui.terminal import Terminal

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-m", "tests.tui.driven"]
CTRL_Z = "\x1a"
NOTHING = dict.fromkeys(range(3), "/dev/null")


def environ(**extra: str) -> dict[str, str]:
    """The environment of a plain terminal, without a home in which anything could be kept."""
    plain = {"TERM": "xterm-256color", "LANG": "C.UTF-8", "PYTHONPATH": str(ROOT)}
    return {"PATH": os.environ["PATH"], **plain, **extra}


def start(*arguments: str, ignored: Sequence[signal.Signals] = (), **extra: str) -> Terminal:
    """The driven program, painted."""
    terminal = Terminal([*COMMAND, *arguments], environ(**extra), ignored=ignored)
    terminal.wait_for("ready 80x24")
    return terminal


def threads_asleep(pid: int) -> int:
    """How often the threads of a process have gone to sleep by themselves, all together."""
    total = 0
    for status in Path(f"/proc/{pid}/task").glob("*/status"):
        line = next(x for x in status.read_text().splitlines() if x.startswith("voluntary_ctxt"))
        total += int(line.split()[1])
    return total


def test_quitting_restores_the_terminal_at_once() -> None:
    with start("mouse") as terminal:
        assert "the alternate screen" in terminal.left_behind()
        assert "mouse clicks" in terminal.left_behind()
        assert "mouse motion" not in terminal.left_behind()
        assert "terminal attributes" in terminal.left_behind()
        began = time.monotonic()
        terminal.type("q")
        assert terminal.wait_exit() == 0
        assert time.monotonic() - began < 5
        assert terminal.left_behind() == []


@pytest.mark.parametrize(
    ("number", "status"),
    [
        (signal.SIGINT, 0),
        *((number, 128 + number) for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)),
        *((number, 128 + number) for number in (signal.SIGUSR1, signal.SIGABRT, signal.SIGXCPU)),
    ],
)
def test_a_signal_restores_the_terminal(number: signal.Signals, status: int) -> None:
    with start("mouse") as terminal:
        terminal.process.send_signal(number)
        assert terminal.wait_exit() == status
        assert terminal.left_behind() == []
        assert b"Traceback" not in terminal.received


def test_keys_are_read_while_the_program_is_at_work(tmp_path: Path) -> None:
    blocked, left = tmp_path / "blocked", b"\t" * (256 << 10)

    def take() -> bool:
        nonlocal left
        if select.select([], [terminal.master], [], 0)[1]:
            left = left[os.write(terminal.master, left[:1024]) :]
        return not left

    with start(DRIVEN_BLOCKED=str(blocked)) as terminal:
        terminal.type("b")
        terminal.wait_until(blocked.exists, "blocked")
        os.set_blocking(terminal.master, False)
        terminal.wait_until(take, "took the flood")
        terminal.process.send_signal(signal.SIGTERM)
        assert terminal.wait_exit() == 143


def test_a_signal_ends_a_program_that_does_not_listen(tmp_path: Path) -> None:
    blocked = tmp_path / "blocked"
    with start("mouse", DRIVEN_BLOCKED=str(blocked)) as terminal:
        terminal.type("b")
        terminal.wait_until(blocked.exists, "blocked")
        terminal.process.send_signal(signal.SIGTERM)
        assert terminal.wait_exit() == 128 + signal.SIGTERM
        assert terminal.left_behind() == []


def test_a_crash_tells_why_on_a_restored_terminal() -> None:
    with start("mouse") as terminal:
        terminal.type("c")
        assert terminal.wait_exit() == 1
        assert terminal.left_behind() == []
        after = terminal.received.rpartition(b"\x1b[?1049l")[2].decode()
        assert "ValueError: crashed on purpose" in after
        assert "a local variable" not in after
        assert len(after.splitlines()) < 40


@pytest.mark.parametrize("ignored", [[], [signal.SIGHUP]], ids=["plain", "nohup"])
def test_a_vanished_terminal_ends_the_program(ignored: list[signal.Signals]) -> None:
    with start("mouse", ignored=ignored) as terminal:
        terminal.hang_up()
        assert terminal.wait_exit() == 128 + signal.SIGHUP


def test_ctrl_z_and_fg_paint_the_same_screen() -> None:
    shell = ["bash", "--norc", "--noediting", "-i"]
    with Terminal(shell, environ(PS1="prompt> ")) as terminal:
        terminal.wait_for("prompt>")
        terminal.type(" ".join([*COMMAND, "mouse"]) + "\n")
        terminal.wait_for("ready 80x24")
        terminal.type("xy")
        terminal.wait_for("keys: x y")
        before = terminal.cells()
        terminal.type(CTRL_Z)
        terminal.wait_for("Stopped")
        assert terminal.left_behind() == []
        terminal.type("clear\n")
        terminal.wait_until(lambda: "ready" not in "".join(terminal.lines()), "cleared")
        terminal.type("fg\n")
        terminal.wait_until(lambda: terminal.cells() == before, "painted again")
        assert "the alternate screen" in terminal.left_behind()
        terminal.type("q")
        terminal.wait_until(lambda: terminal.left_behind() == [], "restored")
        terminal.type("echo status $?\n")
        terminal.wait_for("status 0")


def test_a_program_killed_while_suspended_leaves_the_shell_alone() -> None:
    shell = ["bash", "--norc", "--noediting", "-i"]
    with Terminal(shell, environ(PS1="prompt> ")) as terminal:
        terminal.wait_for("prompt>")
        terminal.type(" ".join([*COMMAND, "mouse"]) + "\n")
        terminal.wait_for("ready 80x24")
        terminal.type(CTRL_Z)
        terminal.wait_for("Stopped")
        seen = len(terminal.received)
        terminal.type("kill -TERM %1; kill -CONT %1; wait %1; echo status $?\n")
        terminal.wait_for("status 143")
        assert terminal.left_behind() == []
        assert b"\x1b[?1049h" not in terminal.received[seen:]


def test_a_stop_that_gave_no_time_is_repaired_on_fg() -> None:
    shell = ["bash", "--norc", "--noediting", "-i"]
    with Terminal(shell, environ(PS1="prompt> ")) as terminal:
        terminal.wait_for("prompt>")
        terminal.type(" ".join(COMMAND) + " & echo pid $!; fg\n")
        terminal.wait_for("ready 80x24")
        terminal.type("x")
        terminal.wait_for("keys: x")
        before = terminal.cells()
        found = re.search(rb"pid (\d+)", terminal.received)
        assert found is not None
        os.kill(int(found[1]), signal.SIGSTOP)
        terminal.wait_for("Stopped")
        terminal.type("fg\n")
        terminal.wait_until(lambda: terminal.cells() == before, "painted again")
        terminal.type("y")
        terminal.wait_for("keys: x y")


def test_without_a_shell_ctrl_z_does_not_stop_the_program() -> None:
    with start() as terminal:
        terminal.type(CTRL_Z + "x")
        terminal.wait_for("keys: x")
        terminal.type("q")
        assert terminal.wait_exit() == 0
        assert terminal.left_behind() == []


@pytest.mark.parametrize(
    "redirect",
    [{0: "/dev/null"}, {0: ""}, {2: "/dev/null"}, {1: "/dev/null"}, NOTHING],
    ids=["null-in", "closed-in", "null-err", "null-out", "null-all"],
)
def test_the_controlling_terminal_is_used_when_the_standard_ones_are_not(
    redirect: dict[int, str],
) -> None:
    with Terminal(COMMAND, environ(), redirect=redirect) as terminal:
        terminal.wait_for("ready 80x24")
        terminal.type("x")
        terminal.wait_for("keys: x")
        terminal.type("q")
        assert terminal.wait_exit() == 0
        assert terminal.left_behind() == []


def test_an_idle_program_sleeps() -> None:
    with start() as terminal:
        terminal.type("x")
        terminal.wait_for("keys: x")
        before, began = threads_asleep(terminal.process.pid), time.monotonic()
        terminal.wait_until(lambda: time.monotonic() - began > 1.5, "idle for a while")
        assert threads_asleep(terminal.process.pid) - before < 8
        terminal.type("q")
        assert terminal.wait_exit() == 0


def test_the_mouse_can_be_switched_at_run_time() -> None:
    with start() as terminal:
        assert "mouse clicks" not in terminal.left_behind()
        terminal.type("m")
        terminal.wait_until(lambda: "mouse clicks" in terminal.left_behind(), "mouse on")
        terminal.type("\x1b[<0;3;3M\x1b[<0;3;3m")
        terminal.wait_for("click")
        terminal.type("m")
        terminal.wait_until(lambda: "mouse clicks" not in terminal.left_behind(), "mouse off")
        terminal.type("q")
        assert terminal.wait_exit() == 0


def test_escape_and_escape_sequences_are_told_apart() -> None:
    with start() as terminal:
        terminal.type("\x1b")
        terminal.wait_for("keys: escape")
        terminal.type("\x1b[A")
        terminal.wait_for("keys: escape up")
        terminal.type("é")
        terminal.wait_for("keys: escape up é")


def test_a_slow_link_may_split_a_key() -> None:
    """As long as Textual waits anyway: less than ESCDELAY, which is 100 ms where it is not set."""
    with start(ESCDELAY="5000") as terminal:
        terminal.type("x\x1b")
        terminal.wait_for("keys: x")
        terminal.type("[")
        terminal.read(0.2)
        terminal.type("A")
        terminal.wait_for("keys: x up")


def test_a_resize_is_painted() -> None:
    with start() as terminal:
        terminal.resize(40, 10)
        terminal.wait_for("ready 40x10")
        terminal.resize(200, 60)
        terminal.wait_for("ready 200x60")


def test_a_stalled_link_does_not_keep_a_signal_from_ending_the_program() -> None:
    with start() as terminal:
        terminal.type("f")
        terminal.wait_for("xxxxx")  # and from here on nobody reads
        terminal.process.send_signal(signal.SIGTERM)
        assert terminal.process.wait(timeout=10) == 128 + signal.SIGTERM
        assert termios.tcgetattr(terminal.slave) == terminal.attributes
