"""The live view of another host: a password's prompt before it, nothing of it left behind."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tcptop.demo.namespace import DemoNamespace
from tests.kernel import queues
from tests.tui.terminal import Terminal
from tests.tui.test_driver import environ

MARK = "TCPTOP_TEST_VIA"
ASKS = 'sh -c \'printf "Password: " >/dev/tty; read -r word </dev/tty; exec "$@"\' x'


@pytest.fixture(scope="module")
def pid() -> Iterator[int]:
    with DemoNamespace() as namespace:
        namespace.run(queues.accept_overflow)
        yield namespace.pid


def started(via: str, mark: str) -> Terminal:
    command = [sys.executable, "-m", "tcptop", "--via", via, "-i", "0.5"]
    return Terminal(command, environ(**{MARK: mark}))


def left(mark: str) -> list[int]:
    """Processes of a run, which have its environment."""
    found = []
    for each in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            data = (each / "environ").read_bytes()
            if f"{MARK}={mark}".encode() in data.split(b"\0"):
                found.append(int(each.name))
    return found


@pytest.mark.parametrize("key", ["q", "\x03"], ids=["q", "^C"])
def test_the_live_view_of_another_host(pid: int, key: str) -> None:
    mark = f"{os.getpid()}-{ord(key)}"
    with started(f"{ASKS} nsenter -t {pid} -n", mark) as terminal:
        terminal.wait_for("Password:")
        terminal.type("secret\n")
        terminal.wait_for("LIVE")
        terminal.wait_for("critical")
        assert "  via sh -c 'printf" in terminal.lines()[0]
        assert left(mark)
        terminal.type(key)
        assert terminal.wait_exit() == 0
        assert terminal.left_behind() == []
    assert left(mark) == []


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leaves_nothing_there(pid: int, number: signal.Signals) -> None:
    mark = f"signal-{number}"
    with started(f"nsenter -t {pid} -n", mark) as terminal:
        terminal.wait_for("LIVE")
        terminal.process.send_signal(number)
        assert terminal.wait_exit() == (-number if number == signal.SIGKILL else 128 + number)
        assert number == signal.SIGKILL or terminal.left_behind() == []
        terminal.wait_until(lambda: left(mark) == [], "ended")


def test_a_link_that_hangs_does_not_hold_who_leaves(pid: int) -> None:
    with started(f"nsenter -t {pid} -n", "hangs") as terminal:
        terminal.wait_for("LIVE")
        for each in left("hangs"):
            if each != terminal.process.pid:
                os.kill(each, signal.SIGSTOP)
        terminal.type("\x03")
        assert terminal.wait_exit() == 0
        assert terminal.left_behind() == []
    assert left("hangs") == []


def test_a_link_that_ends_is_said(pid: int) -> None:
    with started(f"nsenter -t {pid} -n timeout 2", "ends") as terminal:
        terminal.wait_for("LIVE")
        terminal.wait_for("sampling failed")
        terminal.type("q")
        assert terminal.wait_exit() == 0
        assert terminal.left_behind() == []
    assert left("ends") == []


def test_ctrl_c_while_it_is_waited_for() -> None:
    with started("sh -c 'printf hung >/dev/tty; exec sleep 300'", "waits") as terminal:
        terminal.wait_for("hung")
        terminal.type("\x03")
        assert terminal.wait_exit() == 0
        assert terminal.left_behind() == []
    assert left("waits") == []


def test_what_is_no_shell_is_one_line() -> None:
    with started("false", "false") as terminal:
        assert terminal.wait_exit() == 1
        assert terminal.lines()[0].startswith("tcptop: false: ended with status 1: it said nothing")
        assert terminal.left_behind() == []
