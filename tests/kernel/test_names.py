"""Processes of any name have a row everywhere, and it is aligned: in tmux and in text."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import tempfile
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from wcwidth import wcswidth

from tcptop.analysis.selection import select
from tcptop.demo import linux
from tcptop.demo.held import until
from tcptop.demo.namespace import DemoNamespace
from tcptop.demo.sockets import listening
from tcptop.model.cells import safe
from tcptop.views import json as json_view
from tcptop.views import text as text_view
from tests.kernel.snapshots import snapshot_of

# Besides one of each kind: what has hidden or shifted rows, here or elsewhere.
NASTY = "\ufe0f\u200d\u202e\u2066\u0301\u0e31\u0e33\u3164\u1160\u115f\U0001f1e9\U0001f3fb\x1b\n\x9b"
WIDE = "日本café"
NUMBERS = re.compile(r" 1 +(?:0 +)?1 ")  # sockets, ESTAB where there is room for zeros, LISTEN


def names() -> list[str]:
    """Three characters each, of every category and width, passed or not."""
    kinds: dict[tuple[str, str, bool, bool], str] = {}
    for number in (*range(1, 0xD800), *range(0xE000, sys.maxunicode + 1)):
        letter = chr(number)
        kind = unicodedata.category(letter), unicodedata.east_asian_width(letter)
        kinds.setdefault((*kind, number > 0xFFFF, safe(letter) == letter), letter)
    letters = "".join(kinds.values()) + NASTY
    return [WIDE, *(f"x{letters[at : at + 3]}y" for at in range(0, len(letters), 3))]


@pytest.fixture(scope="module")
def called() -> Iterator[tuple[DemoNamespace, dict[int, str]]]:
    """A namespace, and the names of its processes by pid; each holds a listener."""
    with DemoNamespace() as namespace:
        pids = {}
        for name in names():
            holder = namespace.helper()
            holder.run(linux.set_name, name.encode())
            holder.run(listening)
            pids[holder.pid] = name
        yield namespace, pids


def starts(lines: list[str], pids: dict[int, str]) -> set[int]:
    """The cells where the numbers begin, as a terminal counts; every process has its row."""
    rows = {int(line.split()[0]): line for line in lines if NUMBERS.search(line)}
    assert rows.keys() == pids.keys()
    assert all(safe(name) in rows[pid] for pid, name in pids.items())
    return {wcswidth(NUMBERS.split(line)[0]) for line in rows.values()}


def test_rows_of_text_are_aligned(called: tuple[DemoNamespace, dict[int, str]]) -> None:
    namespace, pids = called
    out = io.StringIO()
    text_view.write(select(snapshot_of(namespace)), out, frozenset({"processes"}))
    assert len(starts(out.getvalue().splitlines(), pids)) == 1


@contextmanager
def in_tmux(words: list[str], height: int) -> Iterator[list[str]]:
    """The words that begin a command of that tmux, in which a program has 220 columns."""
    with tempfile.TemporaryDirectory(prefix="tt") as folder:  # a socket's path has 108 bytes
        tmux = ["tmux", "-u", "-S", f"{folder}/s", "-f", "/dev/null"]
        environ = {k: v for k, v in os.environ.items() if k not in ("TMUX", "STY")}
        environ |= {"LC_ALL": "C.UTF-8", "TERM": "xterm-256color", "XDG_STATE_HOME": folder}
        size = ["-x", "220", "-y", str(height)]
        subprocess.run([*tmux, "new-session", "-d", *size, *words], env=environ, check=True)
        try:
            yield tmux
        finally:
            subprocess.run([*tmux, "kill-server"], check=False)


def test_rows_in_tmux_are_aligned(called: tuple[DemoNamespace, dict[int, str]]) -> None:
    """No row is empty, and none is shifted by what tmux knows of widths."""
    namespace, pids = called

    def seen() -> list[str]:
        show = [*tmux, "capture-pane", "-p"]
        return subprocess.run(show, capture_output=True, text=True, check=True).stdout.splitlines()

    words = [sys.executable, "-m", "tcptop", "--netns", str(namespace.pid), "--config", os.devnull]
    with in_tmux(words, len(pids) + 12) as tmux:
        until(lambda: any("LIVE" in line for line in seen()), "the first sample", 20)
        subprocess.run([*tmux, "send-keys", "1"], check=True)
        until(lambda: sum(map(bool, map(NUMBERS.search, seen()))) == len(pids), "rows", 20)
        assert len(starts(seen(), pids)) == 1


@pytest.mark.parametrize("name", ["", "   "], ids=["empty", "blank"])
def test_a_process_without_a_name_is_called_by_its_program(name: str) -> None:
    """In every list: of processes, and of those that hold a socket."""
    out = io.StringIO()
    with DemoNamespace() as namespace:
        holder = namespace.helper()
        holder.run(linux.set_name, name.encode())
        holder.run(listening)
        json_view.write(select(snapshot_of(namespace)), out)
        told, program = json.loads(out.getvalue()), _program(holder.pid)
    called = [row["name"] for row in (*told["processes"], *told["listeners"][0]["processes"])]
    assert called == [program] * 2


def _program(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text().split("\0")[0].rpartition("/")[2]
