"""The command line: options, errors in one line, exit codes."""

from __future__ import annotations

import argparse
import json
import os
import signal
import stat
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from tcptop import command_line, ending, options, parsers
from tcptop.commands.filter import filter_text
from tests import warm

COMMAND = (sys.executable, "-m", "tcptop")


def run(*words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "TERM": "xterm"}
    return warm.run([*COMMAND, *words], capture_output=True, text=True, timeout=60, env=environment)


def test_words_that_are_no_option_are_the_filter() -> None:
    chosen = command_line.parse(
        ["snapshot", "dport", "=", ":443", "-p", "nginx", "or", "sport", ":80"]
    )
    assert isinstance(chosen, options.SnapshotOptions)
    assert chosen.filter == ["dport", "=", ":443", "or", "sport", ":80"]
    assert chosen.process == ["nginx"]


PARSERS = {"live": (parsers.live, options.LiveOptions), **command_line.SUBCOMMANDS}


@pytest.mark.parametrize("command", PARSERS)
def test_a_parser_and_its_dataclass_have_the_same_options(command: str) -> None:
    parser, kind = PARSERS[command]
    one, two = {"file": "x"}, {"old": "x", "new": "y"}
    files: dict[str, dict[str, Any]] = {"diff": two, "completion": {"shell": "fish"}}
    files |= dict.fromkeys(("record", "replay", "report"), one)
    needed = files.get(command, {})
    words = [*([] if command == "live" else [command]), *needed.values()]
    assert command_line.parse(words) == kind(**needed)
    assert kind.command == command
    unseen = {"help", "version", argparse.SUPPRESS}
    assert {a.dest for a in parser()._actions} - unseen <= {each.name for each in fields(kind)}


def test_help_on_privileges_is_a_page() -> None:
    chosen = command_line.parse(["--help-privileges"])
    assert isinstance(chosen, options.ExplainOptions)
    assert "CAP_SYS_PTRACE" in run("--help-privileges").stdout


def test_a_filter_may_begin_with_anything_but_a_subcommand() -> None:
    assert command_line.parse(["!", "sport", "=", ":22"]).command == "live"
    live = command_line.parse(["(", "sport", "=", ":22", ")"])
    assert isinstance(live, options.LiveOptions)
    assert live.filter[0] == "("
    assert command_line.parse(["snapshot"]).command == "snapshot"


def test_the_filter_text_repeats_what_was_typed() -> None:
    chosen = command_line.parse(
        ["snapshot", "state", "listening", "-P", "80", "-P", "443", "-p", "7"]
    )
    assert isinstance(chosen, options.SnapshotOptions)
    assert filter_text(chosen) == "state listening -p 7 -P 80 -P 443"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("snapshot", "-i", "0"), "0.1 to 3600"),
        (("snapshot", "-i", "nan"), "nan"),
        (("snapshot", "--over", "-1"), "--over"),
        (("snapshot", "--limit", "x"), "whole number"),
        (("snapshot", "--only", "everything"), "--only"),
        (("snapshot", "--format", "xml"), "--format"),
        (("--no-such-option",), "--no-such-option"),
        (("snap",), "did you mean tcptop snapshot? (processes of that name are shown by: tcptop"),
        (("snap", "-i", "2"), "did you mean tcptop snapshot?"),
        (("snap", "--format", "json"), "did you mean tcptop snapshot?"),
        (("snap", "dport = :443", "--limit", "3"), "did you mean tcptop snapshot?"),
        (("chek", "--over", "3"), "did you mean tcptop check?"),
        (("conf",), "did you mean tcptop config?"),
        (("repl",), "did you mean tcptop replay?"),
        (("xyzzy", "--over", "3"), "unrecognized arguments: --over 3"),
        (("demo", "close-wait-leek"), "did you mean close-wait-leak"),
        (("demo", "xyzzy"), "`tcptop demo --list`"),
        (("explain", "close-wait-leek"), "did you mean close-wait-leak"),
        (("explain", "xyzzy"), "`tcptop explain` lists them"),
        (("snapshot", "-P", "70000"), "70000"),
        (("snapshot", "--idle-timeout", "0"), "1 to 864000"),
        (("snapshot", "--set", "close-wait-leak.sockets"), "ID.NAME=VALUE"),
        (("snapshot", "--set", "close-wait-leak.sockets=many"), "'many' is not a number"),
        (("snapshot", "--set", "close-wait-leak.sockets=nan"), "'nan' is not a number"),
        (("snapshot", "--set", "close-wait-leak.sockets=-1"), "'-1' is below 0"),
        (("snapshot", "--set", "close-wait-leek.sockets=1"), "did you mean close-wait-leak"),
        (("snapshot", "--set", "close-wait-leak.cheese=1"), "it has sockets"),
        (("snapshot", "--ignore", "xyzzy"), "`tcptop explain` lists them"),
        (("snapshot", "--format", "csv", "--only", "ports", "--only", "remotes"), "one list"),
    ],
)
def test_usage_errors_are_short_and_exit_2(words: tuple[str, ...], says: str) -> None:
    done = run(*words)
    assert done.returncode == 2
    assert says in done.stderr
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) <= 2  # a filter's caret takes a second


def test_a_wrong_filter_is_quoted_with_a_caret_under_the_wrong_word() -> None:
    done = run("snapshot", "state", "established", "and", "sporty", "=", ":80")
    quoted, caret = done.stderr.splitlines()
    assert done.returncode == 2
    assert quoted.endswith("state established and sporty = :80")
    assert caret.index("^") == quoted.index("sporty")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("snapshot", "--netns", "no-such-namespace"), "no-such-namespace"),
        (("snapshot", "--netns", "4194305"), "4194305"),
        (("metrics", "--listen", "192.0.2.1:0"), "--listen 192.0.2.1:0: Cannot assign requested"),
        (("snapshot", "--from", "/no/such/file"), "/no/such/file: No such file"),
        (("snapshot", "--config", "/no/such/file.toml"), "/no/such/file.toml"),
        (("demo", "close-wait-leak"), "terminal"),
        (("snapshot", "-o", "/no/such/directory/x.json"), "/no/such/directory/x.json"),
        (("snapshot", "-o", "/proc/version"), "/proc/version: no other file can take its place"),
        (("snapshot", "-o", "/tmp"), "/tmp: Is a directory"),
        (("snapshot", "-o", "/dev/full"), "No space left"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_exit_1(words: tuple[str, ...], says: str) -> None:
    done = run(*words)
    assert done.returncode == 1
    assert done.stderr.startswith("tcptop: ")
    assert says in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_an_interrupt_tells_subcommands_from_the_live_view() -> None:
    assert set(ending.SUBCOMMANDS) == set(command_line.SUBCOMMANDS)


def test_the_live_view_needs_a_terminal() -> None:
    done = subprocess.run(
        COMMAND, capture_output=True, text=True, stdin=subprocess.DEVNULL, start_new_session=True
    )
    assert done.returncode == 1
    assert "terminal" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_full_disk_on_stdout_is_one_line() -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [*COMMAND, "snapshot", "--format", "text"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert done.returncode == 1
    assert done.stderr == "tcptop: stdout: No space left on device\n"


def test_a_closed_pipe_ends_quietly() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    command = [*COMMAND, "snapshot", "--format", "json"]
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True)
    os.close(writer)
    assert done.returncode in (0, 141)
    assert done.stderr == ""


def test_interrupted_while_watching_ends_with_130(tmp_path: Path) -> None:
    out = tmp_path / "watched.json"
    command = [*COMMAND, "snapshot", "--over", "60", "-i", "0.2", "-o", str(out)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    # It watches once numpy is mapped and a netlink socket is open.
    _wait_for(lambda: "socket:" in _descriptors(process.pid))
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert said == ""
    assert list(tmp_path.iterdir()) == []


def _wait_for(condition: object) -> None:
    from tcptop.demo.held import until

    assert callable(condition)
    until(condition, "the command to watch", timeout=30)


def _descriptors(pid: int) -> str:
    links = []
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        try:
            links.append(str(entry.readlink()))
        except OSError:
            continue
    return " ".join(links)


@pytest.mark.parametrize(
    ("name", "begins"),
    [("a.json", "{"), ("a.ndjson", "{"), ("a.csv", "netns,"), ("a.md", "## TCP"), ("a.txt", "")],
)
def test_the_ending_of_the_file_chooses_the_format(name: str, begins: str, tmp_path: Path) -> None:
    out = tmp_path / name
    assert run("snapshot", "-o", str(out)).returncode == 0
    assert out.read_text().startswith(begins)


def test_a_pipe_gets_json() -> None:
    done = run("snapshot")
    assert json.loads(done.stdout)["schema"] == "tcptop.snapshot/1"
    assert done.stderr == ""


def test_a_file_keeps_its_mode_and_a_new_one_heeds_the_umask(tmp_path: Path) -> None:
    kept, fresh = tmp_path / "kept.json", tmp_path / "fresh.json"
    kept.write_text("old")
    kept.chmod(0o600)
    for out in (kept, fresh):
        assert run("snapshot", "-o", str(out)).returncode == 0
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert stat.S_IMODE(fresh.stat().st_mode) == 0o666 & ~umask


def test_a_file_that_cannot_be_replaced_is_left_as_it_was(tmp_path: Path) -> None:
    target = tmp_path / "there.json"
    target.mkdir()
    done = run("snapshot", "-o", str(target))
    assert done.returncode == 1
    assert target.is_dir()
    assert [entry.name for entry in tmp_path.iterdir()] == ["there.json"]


@pytest.mark.parametrize("name", ["new/", "new/.", "new/.."])
def test_a_directory_is_not_made_a_file(name: str, tmp_path: Path) -> None:
    done = run("snapshot", "--over", "3600", "-o", f"{tmp_path}/{name}")  # at once
    assert done.returncode == 1
    assert done.stderr == f"tcptop: {tmp_path}/{name}: Is a directory\n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "words",
    [
        ("--no\x1b[31m\r\nsuch",),
        ("-i", "1\x1b[31m\r\n"),
        ("snapshot", "--format", "\x1b[31m\r\n"),
        ("snapshot", "--limit", "\x1b[31m\r\n"),
        ("snapshot", "--set", "\x1b[31m\r\n"),
        ("snapshot", "--set", "a\x1b[31m\r\n.b=1"),
        ("snapshot", "--ignore", "\x1b[31m\r\n"),
        ("snapshot", "-P", "\x1b[31m\r\n"),
        ("snapshot", "state", "\x1b[31m\r\n"),
        ("demo", "\x1b[31m\r\n"),
        ("demo", "--\x1b[31m\r\n"),
        ("explain", "\x1b[31m\r\n"),
        ("explain", "a", "\x1b[31m\r\n"),
    ],
)
def test_a_usage_error_shows_control_characters_escaped(words: tuple[str, ...]) -> None:
    done = run(*words)
    assert done.returncode == 2
    assert r"\x1b[31m" in done.stderr
    assert all(line.isprintable() for line in done.stderr.split("\n"))


def test_over_knows_rates_and_one_look_does_not() -> None:
    once = json.loads(run("snapshot").stdout)
    over = json.loads(run("snapshot", "--over", "0.4", "-i", "0.2").stdout)
    assert once["collector"]["over_s"] is None
    assert once["kernel"][0]["rates"] in (None, {})
    assert 0.4 <= over["collector"]["over_s"] < 30
    assert over["kernel"][0]["rates"]["Tcp"]["ActiveOpens"] >= 0
