"""Completion in the real shells: what Tab makes of a beginning, and what the shell offers."""

from __future__ import annotations

import os
import pty
import select
import shlex
import subprocess
import time
from pathlib import Path

import pytest

from tcptop import command_line
from tcptop.commands import completion
from tcptop.commands.completion import commands
from tcptop.commands.filter import clause
from tcptop.completion import bash, fish, zsh
from tcptop.completion.arguments import Argument
from tcptop.options import LiveOptions

# Each prints the words of a finished line instead of running it, once it can complete.
SHELLS = {
    "bash": (["bash", "--norc", "--noprofile", "-i"], "bind 'set bell-style none'; . {script}"),
    "zsh": (["zsh", "-f", "-i"], "autoload -Uz compinit; compinit -u -D; . {script}"),
    "fish": (["fish", "--no-config", "-i"], "source {script}"),
}
PRINT = {
    "bash": "tcptop() { printf '<%s>' \"$@\"; echo; }",
    "zsh": "tcptop() { printf '<%s>' \"$@\"; echo; }",
    "fish": "function tcptop; printf '<%s>' $argv; echo; end",
}
SCRIPTS = {"bash": bash.script, "fish": fish.script, "zsh": zsh.script}
PATIENCE_S = 30


class Shell:
    """An interactive one on a terminal of its own."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name, self.folder = name, folder

    def typed(self, line: str) -> str:
        """The words that the shell runs where Tab and Enter are typed after this."""
        words, setup = SHELLS[self.name]
        child, terminal = pty.fork()
        if child == 0:
            os.chdir(self.folder)
            environment = {"HOME": str(self.folder), "TERM": "dumb", "PATH": os.environ["PATH"]}
            os.execvpe(words[0], words, environment)
        try:
            self._run(terminal, f"{setup.format(script='./script')}; {PRINT[self.name]}")
            return self._run(terminal, f"{line}\t")
        finally:
            os.close(terminal)
            os.waitpid(child, 0)

    def _run(self, terminal: int, line: str) -> str:
        """What the shell prints until it has done that."""
        os.write(terminal, line.encode())
        if line.endswith("\t"):
            _read(terminal, 1.0)  # the shell completes, and shows it
        os.write(terminal, b"; echo d''one\r")
        return _until(terminal, "done\r\n")


@pytest.fixture(scope="module", params=SHELLS)
def shell(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Shell:
    name: str = request.param
    folder = tmp_path_factory.mktemp(name)
    (folder / "script").write_text(SCRIPTS[name](commands()))
    (folder / "incident.rec").touch()
    return Shell(name, folder)


def _read(terminal: int, seconds: float) -> str:
    ready, _, _ = select.select([terminal], [], [], seconds)
    return os.read(terminal, 65536).decode(errors="replace") if ready else ""


def _until(terminal: int, mark: str) -> str:
    end, seen = time.monotonic() + PATIENCE_S, ""
    while mark not in seen:
        assert time.monotonic() < end, seen
        seen += _read(terminal, 1.0)
    return seen


@pytest.mark.parametrize(
    ("typed", "becomes"),
    [
        ("tcptop snap", "<snapshot>"),
        ("tcptop check --str", "<check><--strict>"),
        ("tcptop check --format te", "<check><--format><text>"),
        ("tcptop snapshot --format=markd", "<snapshot><--format=markdown>"),
        ("tcptop replay inci", "<replay><incident.rec>"),
        ("tcptop check --from inci", "<check><--from><incident.rec>"),
        ("tcptop explain close-wait-l", "<explain><close-wait-leak>"),
        ("tcptop demo syn-q", "<demo><syn-queue-full>"),
        ("tcptop --ignore keepalive-t", "<--ignore><keepalive-too-slow>"),
        ("tcptop check --set fd-limit.sh", "<check><--set><fd-limit.share=>"),
        ("tcptop completion zs", "<completion><zsh>"),
        ("tcptop snapshot --netns curr", "<snapshot><--netns><current>"),
        ("tcptop state close-w", "<state><close-wait>"),
    ],
)
def test_tab_completes(shell: Shell, typed: str, becomes: str) -> None:
    assert becomes in shell.typed(typed)


def offered(script: Path, line: str) -> set[str]:
    """By bash, where the cursor is at the end of the line."""
    words = line.split(" ")
    code = (
        f". {shlex.quote(str(script))}; compopt() {{ :; }}; "
        f"COMP_WORDS=({' '.join(map(shlex.quote, words))}); COMP_CWORD={len(words) - 1}; "
        '_tcptop; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run(["bash", "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split("\n")) - {""}


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bash") / "script"
    path.write_text(bash.script(commands()))
    return path


def options(arguments: list[Argument]) -> set[str]:
    return {name for each in arguments for name in each.names}


@pytest.mark.parametrize("name", commands())
def test_every_option_of_a_command_is_offered_there_and_no_other(script: Path, name: str) -> None:
    typed = "tcptop -" if name == "live" else f"tcptop {name} -"
    assert offered(script, typed) == options([*commands()[name]])


def test_a_value_of_any_text_offers_nothing(script: Path) -> None:
    assert offered(script, "tcptop check --over ") == set()
    assert offered(script, "tcptop record file --duration ") == set()


def test_states_are_those_of_ss() -> None:
    for state in completion.STATES:
        chosen = command_line.parse(["state", state])
        assert isinstance(chosen, LiveOptions)
        assert clause(chosen)


@pytest.mark.parametrize(
    ("value", "quoted"), [("it's", "'it\\'s'"), ("a\\b", "'a\\\\b'"), ("$x", "'$x'")]
)
def test_fish_quotes(value: str, quoted: str) -> None:
    assert fish.quoted(value) == quoted
    told = subprocess.run(["fish", "-c", f"echo {quoted}"], capture_output=True, text=True)
    assert told.stdout == f"{value}\n"
