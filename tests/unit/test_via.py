"""Another host through a command: strangers that say nothing, too much or what is not true."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from contextlib import closing
from io import StringIO
from pathlib import Path

import pytest

from tcptop import command_line
from tcptop.analysis.derive import derive
from tcptop.analysis.history import History
from tcptop.analysis.selection import select
from tcptop.model.sample import Sample
from tcptop.options import UsageError
from tcptop.sources.via import link, session, source
from tcptop.sources.via.errors import StalledError, ViaError
from tcptop.sources.via.source import ViaSource
from tcptop.views import json as json_view
from tests.unit import liar

LIAR = str(Path(liar.__file__))
HELLO_S = 30.0
UPTIME_STEP_S = 0.02  # /proc/uptime has hundredths


def lying(kind: str) -> ViaSource:
    return ViaSource(shlex.join([sys.executable, "-S", LIAR, kind]))


def looked(via: ViaSource) -> Sample:
    via.connect(HELLO_S)
    return via.sample()


def looked_twice(via: ViaSource) -> Sample:
    looked(via)
    return via.sample()


def told(via: ViaSource) -> str:
    """One look, as JSON."""
    snapshot, _ = derive(looked(via), History())
    out = StringIO()
    json_view.write(select(snapshot, None), out, frozenset(), None)
    return out.getvalue()


def refusal(command: str, within_s: float = HELLO_S) -> str:
    with closing(ViaSource(command)) as via, pytest.raises(ViaError) as raised:
        via.connect(within_s)
    return str(raised.value)


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("/no/such-program", "No such file or directory"),
        ("false", "ended with status 1: it said nothing"),
        ("sh -c 'echo Closed until Monday; exit 1'", "ended with status 1: Closed until Monday"),
        ("sh -c 'echo \"Permission \x1b[2Jdenied\" >&2; exit 255'", "255: Permission ·[2Jdenied"),
        ("sh -c 'cat /dev/zero'", "more than 65,536 bytes without an end"),
        ("sh -c 'echo hello 1; cat'", "nothing has come for"),
        ("sh -c 'exec sleep 300'", "nothing has come for"),
    ],
    ids=["no program", "ends", "a word", "a complaint", "zeros", "an echo", "silence"],
)
def test_who_is_no_shell_is_refused_in_one_line(command: str, why: str) -> None:
    said = refusal(command, 0.5 if "nothing has come" in why else HELLO_S)
    assert said.startswith(f"{command}: ")
    assert why in said
    assert "\n" not in said


def test_a_banner_before_the_shell_is_passed_over() -> None:
    command = "sh -c 'echo Welcome; echo to you >&2; exec \"$@\"' x"
    with closing(ViaSource(command)) as via:
        sample = looked(via)
    assert (sample.via, sample.host.kernel) == (command, os.uname().release)


REFUSED = [
    *(kind for kind in liar.DUMPS),
    *liar.UPTIMES,
    *("without end", "a line without end", "parts without end", "dies"),
]


@pytest.mark.parametrize("kind", REFUSED)
def test_a_stranger_is_refused_in_one_line(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "PACKED_FROM", 0)
    with closing(lying(kind)) as via, pytest.raises(ViaError) as raised:
        looked_twice(via)
    assert "\n" not in str(raised.value)
    assert str(raised.value).isprintable()


@pytest.mark.parametrize("kind", ["honest", "digits"])
def test_what_a_stranger_says_reaches_no_terminal(kind: str) -> None:
    """Escapes and endless numbers in all that has room for them."""
    with closing(lying(kind)) as via:
        text = told(via)
    read = json.loads(text)
    assert read["host"]["kernel"].startswith("6.1")
    assert read["sockets"][0]["inode"] == 9
    assert [each["name"] for each in read["processes"]] == [
        "x\x1b[2J" if kind == "honest" else None
    ]
    assert not set(text) & {chr(code) for code in (*range(32), 127) if code != 10}


def test_who_falls_silent_is_heard_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer that stalled is dropped, and not taken for the next one."""
    monkeypatch.setattr(link, "STALL_S", 1.0)
    with closing(ViaSource("env")) as via:
        first = looked(via)
        os.kill(child(via).pid, signal.SIGSTOP)
        with pytest.raises(StalledError, match="nothing has come for 1 s"):
            via.sample()
        os.kill(child(via).pid, signal.SIGCONT)
        monkeypatch.setattr(link, "STALL_S", 60.0)
        resumed = time.clock_gettime(time.CLOCK_BOOTTIME)
        later = via.sample()
    assert first.clock < resumed - UPTIME_STEP_S < later.clock


def test_a_command_that_has_ended_is_started_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "AGAIN_S", 0.0)
    with closing(ViaSource("env")) as via:
        looked(via)
        os.kill(child(via).pid, signal.SIGKILL)
        with pytest.raises(ViaError, match="ended"):
            via.sample()
        assert via.sample().host.kernel == os.uname().release


def test_it_ends_with_its_input() -> None:
    with closing(ViaSource("env")) as via:
        looked(via)
        shell = child(via)
    assert shell.returncode == 0  # and by no signal


def child(via: ViaSource) -> subprocess.Popen[bytes]:
    assert via._link
    return via._link._child


@pytest.mark.parametrize("words", [["--via", ""], ["--via", "'"], ["--via", " "]])
def test_what_is_no_command_is_a_usage_error(words: list[str]) -> None:
    with pytest.raises(UsageError):
        command_line.parse(["snapshot", *words])
