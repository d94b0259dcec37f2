"""Starts of tcptop from a process that has imported it: a fork and the same main().

`Popen` and `run` are those of subprocess. What is `python -m MODULE` of this project, in an
environment that makes no other interpreter of it, is forked, in the network namespace of who asks,
and is a child of who asks: hundreds of starts took a minute of imports. All else is started as
ever: shells, other preparations, a locale, PYTHON… and what Textual reads as it is imported.
"""

from __future__ import annotations

import fcntl
import inspect
import os
import subprocess
import sys
import termios
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from tcptop.tui.terminal import environment
from tests.warmed import Asked, Warmed

ROOT = str(Path(__file__).parents[1])
UTF8 = "C.UTF-8"
ENVIRON = {"TERM": "xterm-256color", "LANG": UTF8, "OPENBLAS_NUM_THREADS": "1"}
_EXECUTE = inspect.signature(subprocess.Popen._execute_child)  # type: ignore[attr-defined]


def controlling() -> None:
    """For preexec_fn: stdin is the terminal of the new session."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


class Popen(subprocess.Popen[Any]):
    """As subprocess.Popen."""

    def _execute_child(self, *given: Any) -> None:
        call = _EXECUTE.bind(self, *given).arguments
        asked = _asked(call)
        if asked is None:
            super()._execute_child(*given)  # type: ignore[misc]
            return
        streams = [call[name] for name in ("p2cread", "c2pwrite", "errwrite")]
        chosen = [own if fd == -1 else fd for own, fd in enumerate(streams)]
        self.pid = _warmed().start(asked, chosen)
        self._child_created = True
        names = ("p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite")
        self._close_pipe_fds(*(call[name] for name in names))  # type: ignore[attr-defined]


def run(
    command: Sequence[str],
    *,
    capture_output: bool = False,
    check: bool = False,
    timeout: float | None = None,
    **more: Any,
) -> subprocess.CompletedProcess[Any]:
    """As subprocess.run, without `input`."""
    if capture_output:
        more |= {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with Popen(command, **more) as process:
        try:
            out, error = process.communicate(timeout=timeout)
        except BaseException:
            process.kill()
            raise
    done = subprocess.CompletedProcess(command, process.returncode, out, error)
    if check:
        done.check_returncode()
    return done


def _asked(call: Mapping[str, Any]) -> Asked | None:
    """None if only a start of its own will do."""
    words, environ = call["args"], dict(call["env"] or os.environ)
    usual = {"pass_fds": (), "shell": False, "uid": None, "gid": None, "gids": None, "umask": -1}
    plain = all(call[name] == value for name, value in usual.items()) and call["executable"] is None
    if not (plain and call["preexec_fn"] in (None, controlling) and call["process_group"] == -1):
        return None
    module = isinstance(words, list) and words[:2] == [sys.executable, "-m"]
    if not (module and words[2].startswith(("tcptop", "tests")) and _same_python(environ)):
        return None
    if os.isatty(max(call["p2cread"], 0)) and _read(environ) != _read(ENVIRON):
        return None
    cwd, session = os.path.abspath(call["cwd"] or "."), call["start_new_session"]
    return Asked(words[2:], environ, cwd, session, call["preexec_fn"] is controlling)


def _same_python(environ: Mapping[str, str]) -> bool:
    names = ("LC_ALL", "LC_CTYPE", "LANG")
    locale = next((environ[name] for name in names if environ.get(name)), "")
    own = {name: value for name, value in environ.items() if name.startswith("PYTHON")}
    own = {name: value for name, value in own.items() if not name.startswith("PYTHON_")}  # images'
    for name in ("PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED"):
        own.pop(name, None)
    return locale == UTF8 and own in ({}, {"PYTHONPATH": ROOT})


def _read(environ: Mapping[str, str]) -> dict[str, str]:
    """What Textual reads as it is imported."""
    made = dict(environ)
    environment.prepare(made)
    more = ("ESCDELAY", "LC_TERMINAL", "TERM_PROGRAM", "UNICODE_VERSION", "TZ")
    return {name: made[name] for name in made if name.startswith("TEXTUAL") or name in more}


@cache
def _warmed() -> Warmed:
    """One for each process of tests."""
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": ROOT, **ENVIRON}
    environment.prepare(environ)
    return Warmed(environ)
