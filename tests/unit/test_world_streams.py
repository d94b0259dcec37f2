"""Streams that are closed or full before tcptop begins, and file names out of the ordinary."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

import pytest

TCPTOP = f"{sys.executable} -m tcptop"
BUFFERED = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}


def shell(command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"],
        capture_output=True,
        text=True,
        timeout=60,
        env=BUFFERED,
    )


def test_a_closed_stdout_is_one_line() -> None:
    done = shell(f"{TCPTOP} snapshot --limit 0 >&-")
    assert (done.returncode, done.stderr) == (1, "tcptop: stdout: Bad file descriptor\n")


def test_a_closed_stdout_does_not_matter_where_a_file_is_written(tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    done = shell(f"{TCPTOP} snapshot --limit 0 -o {out} <&- >&- 2>&-")
    assert done.returncode == 0
    assert out.read_text().startswith('{"schema"')


@pytest.mark.parametrize("words", ["snapshot 'bad ='", "snapshot -i x", "snapshot -o /no/where"])
def test_notices_do_not_move_to_stdout_where_stderr_is_closed(words: str) -> None:
    done = shell(f"{TCPTOP} {words} 2>&-")
    assert done.returncode in (1, 2)
    assert done.stdout == ""


def test_a_full_disk_is_one_line_also_for_the_help() -> None:
    for words in ("--help", "--version", "snapshot --limit 0"):
        done = shell(f"{TCPTOP} {words} >/dev/full")
        assert (done.returncode, done.stderr) == (1, "tcptop: stdout: No space left on device\n")


def test_a_help_that_nobody_reads_ends_quietly() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "tcptop", "--help"],
        stdout=writer,
        stderr=subprocess.PIPE,
        timeout=60,
        env=BUFFERED,
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")


def test_the_longest_name_that_a_file_can_have(tmp_path: Path) -> None:
    out = tmp_path / ("x" * 250 + ".json")
    assert shell(f"{TCPTOP} snapshot --limit 0 -o {out}").returncode == 0
    assert os.listdir(tmp_path) == [out.name]


def test_a_name_of_control_characters_is_shown_in_one_line() -> None:
    done = shell(f"{TCPTOP} snapshot -o $'/no/\\n\\e[31m.csv'")
    assert done.stderr == "tcptop: /no/\\n\\x1b[31m.csv: No such file or directory\n"


def test_a_file_without_a_name_is_a_usage_error() -> None:
    done = shell(f"{TCPTOP} snapshot -o ''")
    assert done.returncode == 2
    assert "the name of a file is empty" in done.stderr


def test_a_wrong_option_is_quoted_with_its_caret() -> None:
    for words, shown in (("-P http", "-P http"), ("-P ''", "-P "), ("-p ''", "-p ")):
        done = shell(f"{TCPTOP} snapshot {words}")
        head, caret = done.stderr.splitlines()
        assert head == f"tcptop: filter: {shown}"
        assert caret.index("^") == len("tcptop: filter: -P ")


INTERRUPTED_VIEW = """
import os, signal, sys
from tcptop.cli import main
from tcptop.views import json
json.write = lambda selection, out, *_: out.write("half") and os.kill(os.getpid(), {number})
main(["snapshot", "-o", {out!r}])
"""
ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


@pytest.mark.parametrize("number", ENDINGS)
def test_a_signal_while_writing_leaves_the_old_file_alone(number: int, tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    out.write_text("old")
    program = INTERRUPTED_VIEW.format(number=int(number), out=str(out))
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (128 + number, b"", b"")
    assert (os.listdir(tmp_path), out.read_text()) == (["out.json"], "old")


@pytest.mark.parametrize("number", ENDINGS)
def test_a_signal_among_the_imports_ends_it_without_a_word(number: int) -> None:
    """-v names every module when it is read; half of numpy is not there yet at this one."""
    words = [sys.executable, "-v", "-m", "tcptop", "snapshot", "--over", "60"]
    with subprocess.Popen(
        words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr
        for line in process.stderr:
            if line.startswith("import 'numpy._core.multiarray'"):
                break
        process.send_signal(number)
        assert "Traceback" not in process.stderr.read()
        assert process.wait() == 128 + number


def test_a_signal_that_is_ignored_stays_ignored(tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    program = INTERRUPTED_VIEW.format(number=int(signal.SIGHUP), out=str(out))
    words = ["nohup", sys.executable, "-c", program]
    assert subprocess.run(words, capture_output=True, timeout=60).returncode == 0
    assert out.read_text() == "half"


@pytest.mark.parametrize("words", [[], ["-o", "-"]])
def test_a_terminal_gets_text_whichever_way_stdout_is_named(words: list[str]) -> None:
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "tcptop", "snapshot", "--limit", "0", *words]
    subprocess.run(command, stdout=theirs, timeout=60, check=True)
    os.close(theirs)
    assert b"State      Recv-Q Send-Q" in os.read(ours, 1 << 16)
    os.close(ours)
