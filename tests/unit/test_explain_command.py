"""`tcptop explain` on a terminal, in a pipe, and asked for what is not there."""

from __future__ import annotations

import os
import pty
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tcptop import explain
from tcptop.views import pager
from tests import warm


def run(*words: str, **environ: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PAGER": "sed s/^/PAGED/", **environ}
    command = [sys.executable, "-m", "tcptop", "explain", *words]
    return warm.run(command, capture_output=True, text=True, timeout=30, env=environment)


def on_a_terminal(*words: str, **environ: str) -> tuple[int, str]:
    """The exit code, and what appears on a pseudo terminal."""
    master, slave = pty.openpty()
    command = [sys.executable, "-m", "tcptop", "explain", *words]
    environment = {**os.environ, "TERM": "xterm", **environ}
    process = warm.Popen(command, stdin=slave, stdout=slave, stderr=slave, env=environment)
    os.close(slave)
    seen = b""
    while block := _block(master):
        seen += block
    os.close(master)
    return process.wait(timeout=30), seen.decode().replace("\r\n", "\n")


def _block(master: int) -> bytes:
    try:
        return os.read(master, 4096)
    except OSError:  # EIO: nobody has the terminal open any more
        return b""


def test_in_a_pipe_a_page_is_plain_text() -> None:
    done = run("CLOSE_WAIT")
    page = explain.page("close-wait")
    assert page is not None
    assert (done.returncode, done.stdout, done.stderr) == (0, page.text, "")
    assert run().stdout == explain.contents()


def test_on_a_terminal_the_pager_shows_it() -> None:
    page = explain.page("time-wait")
    assert page is not None
    assert on_a_terminal("TIME-WAIT", PAGER="cat") == (0, page.text)
    paged = "".join(f"PAGED{line}\n" for line in page.text.splitlines())
    assert on_a_terminal("TIME-WAIT", PAGER="sed s/^/PAGED/") == (0, paged)


def test_a_pager_that_is_left_early_or_is_not_there_is_no_error() -> None:
    code, seen = on_a_terminal("queues", PAGER="head -n 1")
    assert (code, seen.count("\n")) == (0, 1)
    code, seen = on_a_terminal("queues", PAGER="no-such-pager")
    page = explain.page("queues")
    assert page is not None
    assert code == 0
    assert seen.endswith(page.text)


def test_the_pager_is_the_users_else_less_where_the_terminal_can() -> None:
    assert pager.chosen({"PAGER": "more", "TERM": "dumb"}) == "more"
    assert pager.chosen({"PAGER": "", "TERM": "xterm"}) == ""
    assert pager.chosen({"TERM": "dumb"}) == pager.chosen({}) == ""
    less = "less -FRX" if shutil.which("less") else ""
    assert pager.chosen({"TERM": "xterm"}) == less


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("close-wiat", "did you mean close-wait"),
        ("accept_queue", "did you mean accept-queue-overflow"),
        ("EADDRNOTAVAIL", "did you mean ephemeral-port-exhaustion"),
        ("xyzzy", "`tcptop explain` lists them"),
        ("", "`tcptop explain` lists them"),
        ("\x1b[31m", r"\x1b[31m"),
    ],
)
def test_an_unknown_word_is_one_line_with_the_nearest_names(word: str, hint: str) -> None:
    done = run(word)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("tcptop: explain: no page ")
    assert hint in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_ctrl_c_is_the_pagers(tmp_path: Path) -> None:
    """tcptop outlives it: else the pager would be left without a terminal."""
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    master, slave = pty.openpty()
    command = [sys.executable, "-m", "tcptop", "explain", "queues"]
    environment = {**os.environ, "PAGER": f"cat; cat {gate}"}
    process = warm.Popen(command, stdin=slave, stdout=slave, stderr=slave, env=environment)
    os.close(slave)
    seen = b""
    while b"See also" not in seen:
        seen += os.read(master, 4096)
    process.send_signal(signal.SIGINT)
    gate.write_text("left\n")
    while block := _block(master):
        seen += block
    os.close(master)
    assert process.wait(timeout=30) == 0
    assert seen.endswith(b"left\r\n")


def test_a_name_may_be_typed_as_words() -> None:
    page = explain.page("close-wait")
    assert page is not None
    assert run("close", "wait").stdout == page.text
    assert run("close", "wayt").returncode == 2
