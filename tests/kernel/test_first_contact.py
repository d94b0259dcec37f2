"""What of the host itself is not as usual: /proc is missing, its name has bytes of any kind."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

TCPTOP = f"{sys.executable} -m tcptop"


def inside(kind: str, script: str) -> subprocess.CompletedProcess[str]:
    words = ["unshare", kind, "sh", "-c", script]
    return subprocess.run(words, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize(("words", "code"), [("snapshot", 1), ("check --over 0", 3)])
def test_without_proc_that_is_said(words: str, code: int) -> None:
    done = inside("--mount", f"umount -l /proc && {TCPTOP} {words}")
    assert (done.returncode, done.stderr) == (code, "tcptop: /proc: not mounted\n")


def test_bytes_of_a_host_name_are_shown_as_such() -> None:
    named = "printf 'x\\377' > /proc/sys/kernel/hostname"  # hostname(1) refuses it
    script = f"{named} && {TCPTOP} snapshot --limit 0 --format"
    told = json.loads(inside("--uts", f"{script} json").stdout)
    assert told["host"]["hostname"] == "x\\xff"
    assert inside("--uts", f"{script} text").stdout.startswith("x\\xff  Linux ")
