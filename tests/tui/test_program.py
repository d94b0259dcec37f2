"""The whole program on a pseudo terminal: it starts, gives everything back, and ends at once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tcptop.demo.namespace import DemoNamespace
from tcptop.model.label import label_of
from tests.kernel import queues, states
from tests.tui.terminal import Terminal
from tests.tui.test_driver import CTRL_Z, environ

COMM = Path("/proc/self/comm").read_text().strip()
# What processes of these tests are called: pytest, or python where it is told what to do by -c.
CALLED = label_of(COMM, sys.orig_argv) or COMM


def command(pid: int, *options: str) -> list[str]:
    return [sys.executable, "-m", "tcptop", "--netns", str(pid), *options]


@pytest.fixture(scope="module")
def pid() -> Iterator[int]:
    """A namespace with a few sockets."""
    with DemoNamespace() as namespace:
        namespace.run(states.established)
        namespace.run(states.close_wait)
        namespace.run(queues.accept_overflow)
        yield namespace.pid


@contextmanager
def running(pid: int, *options: str, last: str = "? help", **extra: str) -> Iterator[Terminal]:
    """The program, with its first look painted, whose last line has `last`."""
    with Terminal(command(pid, *options), environ(**extra)) as terminal:
        terminal.wait_for("LIVE")
        terminal.wait_for(CALLED)
        whole(terminal, last)
        yield terminal


def whole(terminal: Terminal, last: str) -> None:
    """Wait for the last line, which comes last: a read takes 4 KB of a frame."""
    terminal.wait_until(lambda: last in terminal.lines()[-1], f"painted to the end: {last}")


def test_the_first_picture_has_everything(pid: int) -> None:
    with running(pid, last="? help  / filter") as terminal:
        lines = terminal.lines()
        assert f"netns {pid}" in lines[0]
        assert lines[2].startswith(" ESTAB ")
        assert lines[3].startswith(" 0Overview 1Procs")
        assert "[7Finds" in lines[3]  # what is critical comes first
        assert "CLOSE-WAIT" in lines[2]
        assert lines[23].startswith(" ? help  / filter  Enter open")
        assert "q quit" in lines[23]


@pytest.mark.parametrize("extra", [{"NO_COLOR": "1"}, {"LANG": "C", "LC_ALL": "C"}], ids=str)
def test_a_severity_is_a_word_and_a_sign_without_any_colour(
    pid: int, extra: dict[str, str]
) -> None:
    with running(pid, **extra) as terminal:
        terminal.wait_until(
            lambda: terminal.lines()[1].startswith(f" ! critical  {CALLED} on 127.0.0.1:"), "found"
        )
        terminal.type("3")
        terminal.wait_until(
            lambda: any(line.startswith("! 127.0.0.1:") for line in terminal.lines()), "marked"
        )


@pytest.mark.parametrize("key", ["q", "\x03", "\x11", "\x1b[21~"], ids=["q", "^C", "^Q", "F10"])
def test_quitting_is_quick_and_leaves_nothing(pid: int, key: str) -> None:
    """It waits for nothing: the next look is a minute away, and that is longer than `wait_exit`."""
    with running(pid, "-i", "60") as terminal:
        terminal.type(key)
        assert terminal.wait_exit() == 0
        assert terminal.left_behind() == []
        assert terminal.received.rpartition(b"\x1b[?1049l")[2].count(b"\n") == 0


def test_quitting_does_not_wait_for_a_look_or_a_name(pid: int, tmp_path: Path) -> None:
    """With a look and a name server that take a minute, longer than `wait_exit` waits."""
    (tmp_path / "sitecustomize.py").write_text(STUCK)
    extra = {"PYTHONPATH": f"{tmp_path}:{environ()['PYTHONPATH']}"}
    with running(pid, "-i", "0.1", **extra) as terminal:
        terminal.type("/dst some.name.example\r")
        terminal.wait_for("looking up names")
        terminal.type("\x1b")
        terminal.wait_for("? help")
        terminal.type("q")
        assert terminal.wait_exit() == 0
        assert terminal.left_behind() == []


STUCK = """
import socket, time
from tcptop.sources import live
real, looks = live.LiveSource.sample, []
def sample(self):
    looks.append(1)
    if len(looks) > 3:
        time.sleep(60)
    return real(self)
live.LiveSource.sample = sample
socket.getaddrinfo = lambda *a, **k: time.sleep(60)
"""


@pytest.mark.parametrize(
    "number", [signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT], ids=lambda n: n.name
)
def test_a_signal_restores_the_terminal(pid: int, number: signal.Signals) -> None:
    with running(pid, "--mouse") as terminal:
        assert "mouse clicks" in terminal.left_behind()
        terminal.process.send_signal(number)
        assert terminal.wait_exit() == 128 + number
        assert terminal.left_behind() == []
        assert b"Traceback" not in terminal.received


def test_a_crash_restores_the_terminal(pid: int, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "from tcptop.tui.session import Session\n"
        "real = Session.take\n"
        "def take(self, snapshot, ready):\n"
        "    assert self.time.newest is None, 'crashed on purpose'\n"
        "    real(self, snapshot, ready)\n"
        "Session.take = take\n"
    )
    extra = {"PYTHONPATH": f"{tmp_path}:{environ()['PYTHONPATH']}"}
    with Terminal(command(pid), environ(**extra)) as terminal:
        assert terminal.wait_exit() == 1
        assert terminal.left_behind() == []
        after = terminal.received.rpartition(b"\x1b[?1049l")[2].decode()
        crashed = "tcptop: live view: unexpected AssertionError: crashed on purpose"
        assert f"{crashed} (sitecustomize.py:4)" in after
        assert after.count("\n") == 1


def test_what_cannot_be_drawn_is_said(pid: int, tmp_path: Path) -> None:
    """Of a view, and the others are drawn."""
    (tmp_path / "sitecustomize.py").write_text(
        "import tcptop.tui.header as header\n"
        "real = header.tabs\n"
        "def tabs(selection, view, *more):\n"
        "    assert view != 'ports', 'broken on purpose'\n"
        "    return real(selection, view, *more)\n"
        "header.tabs = tabs\n"
    )
    extra = {"PYTHONPATH": f"{tmp_path}:{environ()['PYTHONPATH']}"}
    with running(pid, **extra) as terminal:
        terminal.type("4")
        terminal.wait_for("cannot draw: unexpected AssertionError: broken on purpose")
        terminal.wait_for("This cannot be drawn. Other views may be.")
        terminal.type("1")
        terminal.wait_for("python")
        terminal.wait_until(lambda: "cannot" not in "".join(terminal.lines()), "drawn")
        terminal.type("q")
        assert terminal.wait_exit() == 0


def test_a_vanished_terminal_ends_it(pid: int) -> None:
    with running(pid) as terminal:
        terminal.hang_up()
        assert terminal.wait_exit() == 128 + signal.SIGHUP


def test_ctrl_z_and_fg_paint_the_screen_again(pid: int) -> None:
    shell = ["bash", "--norc", "--noediting", "-i"]
    with Terminal(shell, environ(PS1="prompt> ")) as terminal:
        terminal.wait_for("prompt>")
        terminal.type(" ".join(command(pid)) + "\n")
        terminal.wait_for("LIVE 1s")
        terminal.wait_for(CALLED)
        terminal.type(" ")
        terminal.wait_for("PAUSED")
        whole(terminal, "Space live")
        before = [line for line in terminal.lines()[1:] if line]
        terminal.type(CTRL_Z)
        terminal.wait_for("Stopped")
        assert terminal.left_behind() == []
        terminal.type("clear\nfg\n")
        terminal.wait_until(
            lambda: [line for line in terminal.lines()[1:] if line] == before, "painted again"
        )
        terminal.type("q")
        terminal.wait_until(lambda: terminal.left_behind() == [], "restored")


def test_a_resize_is_painted(pid: int) -> None:
    with running(pid) as terminal:
        for columns, lines in ((200, 60), (40, 10), (80, 24)):
            terminal.resize(columns, lines)
            terminal.wait_until(lambda: fills(terminal), f"{columns}x{lines}")


def fills(terminal: Terminal) -> bool:
    """Whether the first and the last line of the terminal are those of the program."""
    first, *_, last = terminal.lines()
    return (
        "help" in last and first.endswith("LIVE 1s") and len(first) == terminal.screen.columns - 1
    )


@pytest.mark.parametrize(
    "extra",
    [{"LANG": "C"}, {"NO_COLOR": "1"}, {"TERM": "xterm"}, {"TERM": "linux"}, {"TERM": "screen"}],
    ids=lambda extra: "-".join(f"{k}={v}" for k, v in extra.items()),
)
def test_humble_terminals_are_enough(pid: int, extra: dict[str, str]) -> None:
    with running(pid, **extra) as terminal:
        terminal.type("2?")
        terminal.wait_for("What it does")
        terminal.type("\x1b")
        terminal.wait_for("Remote address")
        terminal.type("/)")
        terminal.wait_for('unexpected ")"')
        if "LANG" in extra or extra.get("TERM") == "linux":
            assert "".join(terminal.lines()).isascii()
            assert terminal.received.isascii()
        if "NO_COLOR" in extra:
            colours = {(cell.fg, cell.bg) for line in terminal.cells() for cell in line}
            assert colours == {("default", "default")}
        if "LANG" in extra:
            return
        # With few colours or none both cursors are in reverse.
        assert any(all(cell.reverse for cell in line[:70]) for line in terminal.cells())
        assert [cell.reverse for cell in terminal.cells()[-2][:6]] == [*[False] * 4, True, False]


def one_line(words: list[str], **extra: str) -> tuple[int, str]:
    """Exit status and what it says, without any terminal."""
    done = subprocess.run(
        words, capture_output=True, text=True, stdin=subprocess.DEVNULL, env=environ(**extra),
        start_new_session=True, timeout=30, check=False,
    )  # fmt: skip
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    return done.returncode, done.stderr


def test_without_a_terminal_one_line_says_so(pid: int) -> None:
    code, said = one_line(command(pid))
    assert code == 1
    assert said.startswith("tcptop: the live view: no terminal")


@pytest.mark.parametrize("term", ["dumb", "unknown", ""])
def test_a_dumb_terminal_is_refused_in_one_line(pid: int, term: str) -> None:
    with Terminal(command(pid), environ(TERM=term)) as terminal:
        assert terminal.wait_exit() == 1
        said = [line for line in terminal.lines() if line]
        assert " ".join(said).startswith("tcptop: the live view: TERM")
        assert b"\x1b" not in terminal.received


def test_a_namespace_that_is_not_there_is_one_line() -> None:
    with Terminal(command(0), environ()) as terminal:
        assert terminal.wait_exit() == 1
        assert terminal.left_behind() == []
        after = terminal.received.rpartition(b"\x1b[?1049l")[2].decode()
        assert "tcptop: cannot read sockets: there is no process 0" in after
        assert after.count("\n") == 1


def test_a_namespace_whose_processes_end_is_still_looked_at() -> None:
    with DemoNamespace() as namespace:
        namespace.run(states.close_wait)
        with running(namespace.pid) as terminal:
            namespace.close()
            terminal.wait_until(lambda: CALLED not in "".join(terminal.lines()), "gone")
            assert "LIVE" in terminal.lines()[0]


def test_nothing_of_it_runs_on_after_the_end(pid: int) -> None:
    with running(pid) as terminal:
        terminal.type("q")
        terminal.wait_exit()
        with pytest.raises(ProcessLookupError):
            os.kill(terminal.process.pid, 0)


@pytest.mark.parametrize("kilobytes", [100_000, 130_000, 150_000, 155_000, 165_000])
def test_too_little_memory_is_one_line(kilobytes: int, pid: int) -> None:
    """Whatever comes first: an import, a thread, the first sample."""
    words = ["bash", "-c", f'ulimit -v {kilobytes}; exec "$@"', "_", *command(pid)]
    with Terminal(words, environ()) as terminal:
        assert terminal.wait_exit() == 1
        assert terminal.left_behind() == []
        (line,) = filter(None, terminal.lines())
        assert line.startswith("tcptop: ")
        assert "out of memory" in line
